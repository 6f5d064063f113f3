//! What was committed by one moment, read piece by piece while writers go on: what an export is made of.

use std::collections::BTreeMap;

use connect_proto::ids::{CaseId, MessageId, UserId};
use sqlx::pool::PoolConnection;
use sqlx::{Executor as _, Row as _, Sqlite};

use crate::amendments::Version;
use crate::attachments;
use crate::cases::fields::{self, Kept};
use crate::cases::{self, Case};
use crate::codes::Trust;
use crate::conversations::{self, Conversation, ConversationRow};
use crate::database::Store;
use crate::error::StoreError;
use crate::integrity::interrupt_when_closed;
use crate::messages::{self, Message};
use crate::order;
use crate::place::{MessageRow, Place};
use crate::recipients;
use crate::row::{bytes, int, parsed, text, uint};

/// A read transaction on a connection of its own, which ends with it. As long as it lasts the log is not emptied.
pub struct Reading {
    connection: PoolConnection<Sqlite>,
    last_event_id: u64,
}

/// When a message was written, as its author says: from the first on, and before the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub from_ms: u64,
    pub until_ms: u64,
}

/// Somebody as the directory described them, and how well their key is known.
#[derive(Clone, PartialEq, Eq)]
pub struct Known {
    pub user_id: UserId,
    pub display_name: String,
    pub profession: String,
    pub organisation: String,
    pub attested: bool,
    pub trust: Trust,
}

/// The account, and where its user ids mean something.
#[derive(Clone, PartialEq, Eq)]
pub struct Own {
    pub user_id: UserId,
    pub display_name: String,
    pub profession: String,
    pub organisation: String,
    pub attested: bool,
    pub relay_url: String,
}

/// The message that another one answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    pub sender: UserId,
    pub timestamp_ms: u64,
}

impl Window {
    pub const ALWAYS: Self = Self {
        from_ms: 0,
        until_ms: u64::MAX,
    };

    pub fn holds(&self, timestamp_ms: u64) -> bool {
        (self.from_ms..self.until_ms).contains(&timestamp_ms)
    }
}

impl Reading {
    pub async fn begin(store: &Store) -> Result<Self, StoreError> {
        let mut connection = store.reader().acquire().await?;
        connection.close_on_drop();
        interrupt_when_closed(store, &mut connection).await?;
        connection.execute("BEGIN").await?;
        // The moment is that of the first look.
        let row = sqlx::query(
            "SELECT coalesce(max(seq), 0) AS last FROM sqlite_sequence WHERE name = 'events'",
        )
        .fetch_one(&mut *connection)
        .await?;
        Ok(Self {
            connection,
            last_event_id: uint(&row, "last")?,
        })
    }

    /// The newest event that there was.
    pub fn last_event_id(&self) -> u64 {
        self.last_event_id
    }

    pub async fn conversation(
        &mut self,
        named: &Conversation,
    ) -> Result<Option<ConversationRow>, StoreError> {
        conversations::find_with(&mut *self.connection, named).await
    }

    /// None only where there is no account.
    pub async fn own(&mut self) -> Result<Option<Own>, StoreError> {
        let row = sqlx::query(
            "SELECT user_id, display_name, profession, organisation, attested, relay_url FROM account",
        )
        .fetch_optional(&mut *self.connection)
        .await?;
        row.map(|row| {
            Ok(Own {
                user_id: parsed(&row, "user_id")?,
                display_name: text(&row, "display_name")?.to_owned(),
                profession: text(&row, "profession")?.to_owned(),
                organisation: text(&row, "organisation")?.to_owned(),
                attested: row.try_get("attested")?,
                relay_url: text(&row, "relay_url")?.to_owned(),
            })
        })
        .transpose()
    }

    /// Those of them who are known.
    pub async fn people(&mut self, user_ids: &[UserId]) -> Result<Vec<Known>, StoreError> {
        // What a user id may consist of needs no escapes.
        let asked: Vec<&str> = user_ids.iter().map(UserId::as_str).collect();
        let rows = sqlx::query(
            "SELECT c.user_id, c.display_name, c.profession, c.organisation, c.attested, c.trust
             FROM json_each(?) j JOIN contacts c ON c.user_id = j.value",
        )
        .bind(format!("{asked:?}"))
        .fetch_all(&mut *self.connection)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Known {
                    user_id: parsed(row, "user_id")?,
                    display_name: text(row, "display_name")?.to_owned(),
                    profession: text(row, "profession")?.to_owned(),
                    organisation: text(row, "organisation")?.to_owned(),
                    attested: row.try_get("attested")?,
                    trust: Trust::read(text(row, "trust")?)?,
                })
            })
            .collect()
    }

    /// The next messages of a conversation, the oldest first, each with its place.
    pub async fn messages(
        &mut self,
        conversation: ConversationRow,
        after: Option<Place>,
        window: Window,
        limit: u32,
    ) -> Result<Vec<(Place, Message)>, StoreError> {
        let after = after.unwrap_or(Place {
            beside: i64::MIN,
            sequence: 0,
        });
        let rows = sqlx::query(
            "SELECT m.*, coalesce(m.place, m.id) AS beside, c.kind, c.peer
             FROM messages m JOIN conversations c ON c.id = m.conversation
             WHERE m.conversation = ? AND (coalesce(m.place, m.id), m.sequence) > (?, ?)
                 AND m.timestamp_ms >= ? AND m.timestamp_ms < ?
             ORDER BY coalesce(m.place, m.id), m.sequence LIMIT ?",
        )
        .bind(conversation.0)
        .bind(after.beside)
        .bind(after.sequence)
        .bind(int(window.from_ms))
        .bind(int(window.until_ms))
        .bind(limit)
        .fetch_all(&mut *self.connection)
        .await?;
        let mut page = Vec::with_capacity(rows.len());
        for row in &rows {
            let place = Place {
                beside: row.try_get("beside")?,
                sequence: row.try_get("sequence")?,
            };
            page.push((place, messages::read(row)?));
        }
        self.add_recipients(&mut page).await?;
        let with_files = page.iter_mut().map(|(_, message)| message);
        for message in with_files.filter(|message| message.has_attachment) {
            message.attachment =
                attachments::find_attached(&mut *self.connection, message.row).await?;
        }
        Ok(page)
    }

    async fn add_recipients(&mut self, page: &mut [(Place, Message)]) -> Result<(), StoreError> {
        let sent: Vec<i64> = page
            .iter()
            .filter(|(_, message)| message.outgoing)
            .map(|(_, message)| message.row.0)
            .collect();
        let found = recipients::list_of_all_with(&mut *self.connection, &sent).await?;
        let mut of_message: BTreeMap<i64, Vec<_>> = BTreeMap::new();
        for (message, recipient) in found {
            of_message.entry(message).or_default().push(recipient);
        }
        for (_, message) in page {
            message.recipients = of_message.remove(&message.row.0).unwrap_or_default();
        }
        Ok(())
    }

    /// How many texts a message had before the one that is shown, and the newest of them, the oldest first.
    pub async fn earlier(
        &mut self,
        message: MessageRow,
        most: u32,
    ) -> Result<(u64, Vec<Version>), StoreError> {
        let row = sqlx::query("SELECT count(*) AS count FROM versions WHERE message = ?")
            .bind(message.0)
            .fetch_one(&mut *self.connection)
            .await?;
        let rows = sqlx::query(
            "SELECT text, written_ms FROM versions WHERE message = ? ORDER BY number DESC LIMIT ?",
        )
        .bind(message.0)
        .bind(most)
        .fetch_all(&mut *self.connection)
        .await?;
        let texts = rows.iter().rev().map(|row| {
            Ok(Version {
                text: text(row, "text")?.to_owned(),
                written_ms: uint(row, "written_ms")?,
            })
        });
        Ok((
            uint(&row, "count")?,
            texts.collect::<Result<_, StoreError>>()?,
        ))
    }

    /// Whose the messages of these ids are in a conversation: our own where two have the same id, then the first one.
    pub async fn answered(
        &mut self,
        conversation: ConversationRow,
        message_ids: &[MessageId],
    ) -> Result<BTreeMap<MessageId, Answered>, StoreError> {
        if message_ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let asked: Vec<String> = message_ids.iter().map(ToString::to_string).collect();
        let rows = sqlx::query(
            "SELECT m.message_id, m.sender, m.timestamp_ms
             FROM json_each(?) j JOIN messages m ON m.message_id = unhex(j.value)
             WHERE m.conversation = ? ORDER BY m.outgoing, m.id DESC",
        )
        .bind(format!("{asked:?}"))
        .bind(conversation.0)
        .fetch_all(&mut *self.connection)
        .await?;
        rows.iter()
            .map(|row| {
                let answered = Answered {
                    sender: parsed(row, "sender")?,
                    timestamp_ms: uint(row, "timestamp_ms")?,
                };
                Ok((MessageId::from_bytes(bytes(row, "message_id")?), answered))
            })
            .collect()
    }

    /// Who is in a group, and its name.
    pub async fn group(
        &mut self,
        conversation: ConversationRow,
    ) -> Result<Option<(String, Vec<UserId>)>, StoreError> {
        let group = sqlx::query("SELECT name FROM groups WHERE conversation = ?")
            .bind(conversation.0)
            .fetch_optional(&mut *self.connection)
            .await?;
        let Some(group) = group else { return Ok(None) };
        let rows = sqlx::query("SELECT user_id FROM group_members WHERE conversation = ?")
            .bind(conversation.0)
            .fetch_all(&mut *self.connection)
            .await?;
        let members = rows.iter().map(|row| parsed(row, "user_id"));
        let members = members.collect::<Result<_, StoreError>>()?;
        Ok(Some((text(&group, "name")?.to_owned(), members)))
    }

    /// A case with its fields: of each the newest revision, and what was written beside it.
    pub async fn case(&mut self, case_id: CaseId) -> Result<Option<(Case, Vec<Kept>)>, StoreError> {
        let case = cases::find_with(&mut *self.connection, case_id).await?;
        let Some(case) = case else { return Ok(None) };
        let fields = fields::list_with(&mut *self.connection, case.row).await?;
        Ok(Some((case, fields)))
    }

    /// How many numbers of others' are known to be missing in a conversation: messages, or what amends them (D13).
    pub async fn missing(&mut self, conversation: ConversationRow) -> Result<u64, StoreError> {
        order::count_missing_of(&mut *self.connection, conversation).await
    }

    /// Everybody who has said something in a conversation, the account's user left out.
    pub async fn speakers(
        &mut self,
        conversation: ConversationRow,
    ) -> Result<Vec<UserId>, StoreError> {
        let rows = sqlx::query(
            "SELECT DISTINCT sender FROM streams WHERE conversation = ? ORDER BY sender",
        )
        .bind(conversation.0)
        .fetch_all(&mut *self.connection)
        .await?;
        rows.iter().map(|row| parsed(row, "sender")).collect()
    }
}

impl std::fmt::Debug for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reading(..)")
    }
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Known(..)")
    }
}

impl std::fmt::Debug for Own {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Own(..)")
    }
}
