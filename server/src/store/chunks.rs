//! Which chunks of an attachment are there, and who may read them (§8.2.2).

use std::collections::HashSet;

use connect_proto::hash::Digest;
use connect_proto::ids::AttachmentId;
use sqlx::{Row as _, SqlitePool};

use super::writer::{Single, Tx};
use super::{UserNumber, signed, to_json, unsigned};
use crate::chunks::{AttachmentNumber, Name, Token};

/// One place of an attachment, as its owner sees it.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) attachment: AttachmentNumber,
    pub(crate) size: u64,
    pub(crate) chunk_count: u32,
    /// What is there already.
    pub(crate) chunk: Option<(Digest, Token)>,
}

/// None where there is no such attachment of this owner's.
pub(crate) async fn slot(
    readers: &SqlitePool,
    owner: UserNumber,
    id: AttachmentId,
    index: u32,
) -> Result<Option<Slot>, sqlx::Error> {
    let row = sqlx::query(
        "SELECT a.id, a.size, a.chunk_count, c.digest, c.token FROM attachments a
         LEFT JOIN chunks c ON c.attachment = a.id AND c.position = ?
         WHERE a.attachment_id = ? AND a.owner = ?",
    )
    .bind(index)
    .bind(id.as_bytes().as_slice())
    .bind(owner.0)
    .fetch_optional(readers)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let digest: Option<&[u8]> = row.try_get(3)?;
    let token: Option<&[u8]> = row.try_get(4)?;
    let chunk = match digest.zip(token) {
        Some((digest, token)) => Some((exactly(digest)?, exactly(token)?)),
        None => None,
    };
    Ok(Some(Slot {
        attachment: AttachmentNumber(row.try_get(0)?),
        size: unsigned(row.try_get(1)?),
        chunk_count: row.try_get(2)?,
        chunk,
    }))
}

/// Where the chunk lies, if it is there and this user may read it: its owner, and the readers who were named.
pub(crate) async fn find(
    readers: &SqlitePool,
    user: UserNumber,
    id: AttachmentId,
    index: u32,
) -> Result<Option<(Name, usize)>, sqlx::Error> {
    let row = sqlx::query(
        "SELECT a.id, c.token, c.size FROM attachments a JOIN chunks c ON c.attachment = a.id AND c.position = ?
         WHERE a.attachment_id = ?
         AND (a.owner = ? OR EXISTS (SELECT 1 FROM attachment_readers WHERE attachment = a.id AND reader = ?))",
    )
    .bind(index)
    .bind(id.as_bytes().as_slice())
    .bind(user.0)
    .bind(user.0)
    .fetch_optional(readers)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let name = Name {
        attachment: AttachmentNumber(row.try_get(0)?),
        index,
        token: exactly(row.try_get(1)?)?,
    };
    let size = usize::try_from(unsigned(row.try_get(2)?)).unwrap_or(usize::MAX);
    Ok(Some((name, size)))
}

/// A chunk whose bytes are durable counts from now on.
#[derive(Debug)]
pub(crate) struct PutChunk {
    pub(crate) name: Name,
    pub(crate) size: usize,
    pub(crate) digest: Digest,
    /// The object that was there and is lost.
    pub(crate) instead_of: Option<Token>,
    /// What all chunks may take.
    pub(crate) max_bytes: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Putting {
    Stored,
    /// The same bytes are there already, as another object.
    Repeated,
    /// Other bytes are there.
    Conflict,
    /// The attachment was deleted, or has expired.
    Gone,
    StoreFull,
}

impl Single for PutChunk {
    type Outcome = Putting;

    async fn apply(&mut self, tx: &mut Tx) -> Result<Putting, sqlx::Error> {
        let row = sqlx::query(
            "SELECT c.digest, c.token, s.bytes FROM attachments a JOIN chunk_store s
             LEFT JOIN chunks c ON c.attachment = a.id AND c.position = ?
             WHERE a.id = ? AND a.attachment_id IS NOT NULL",
        )
        .bind(self.name.index)
        .bind(self.name.attachment.0)
        .fetch_optional(&mut tx.connection)
        .await?;
        let Some(row) = row else {
            return Ok(Putting::Gone);
        };
        let (digest, token): (Option<&[u8]>, Option<&[u8]>) = (row.try_get(0)?, row.try_get(1)?);
        let stored_bytes = unsigned(row.try_get(2)?);
        match digest {
            Some(digest) if digest != self.digest => return Ok(Putting::Conflict),
            Some(_) if token != self.instead_of.as_ref().map(Token::as_slice) => {
                return Ok(Putting::Repeated);
            }
            Some(_) => {
                self.replace(tx).await?;
                return Ok(Putting::Stored);
            }
            None => {}
        }
        if stored_bytes.saturating_add(self.size as u64) > self.max_bytes {
            return Ok(Putting::StoreFull);
        }
        self.insert(tx).await?;
        Ok(Putting::Stored)
    }
}

impl PutChunk {
    async fn replace(&self, tx: &mut Tx) -> Result<(), sqlx::Error> {
        sqlx::query("UPDATE chunks SET token = ? WHERE attachment = ? AND position = ?")
            .bind(self.name.token.as_slice())
            .bind(self.name.attachment.0)
            .bind(self.name.index)
            .execute(&mut tx.connection)
            .await?;
        Ok(())
    }

    async fn insert(&self, tx: &mut Tx) -> Result<(), sqlx::Error> {
        let size = signed(self.size as u64);
        sqlx::query(
            "INSERT INTO chunks (attachment, position, size, digest, token) VALUES (?, ?, ?, ?, ?);
             UPDATE chunk_store SET bytes = bytes + ?",
        )
        .bind(self.name.attachment.0)
        .bind(self.name.index)
        .bind(size)
        .bind(self.digest.as_slice())
        .bind(self.name.token.as_slice())
        .bind(size)
        .execute(&mut tx.connection)
        .await?;
        Ok(())
    }
}

/// Those of which no row speaks.
pub(crate) async fn unknown(
    readers: &SqlitePool,
    names: Vec<Name>,
) -> Result<Vec<Name>, sqlx::Error> {
    /// At a time: they travel as one list.
    const SOME: usize = 1_000;
    let mut unknown = Vec::new();
    for some in names.chunks(SOME) {
        let places: Vec<_> = some
            .iter()
            .map(|name| (name.attachment.0, name.index))
            .collect();
        let rows = sqlx::query(
            "SELECT c.attachment, c.position, c.token FROM json_each(?) j
             JOIN chunks c ON c.attachment = j.value ->> 0 AND c.position = j.value ->> 1",
        )
        .bind(to_json(&places)?)
        .fetch_all(readers)
        .await?;
        let known = rows.iter().map(|row| {
            Ok(Name {
                attachment: AttachmentNumber(row.try_get(0)?),
                index: row.try_get(1)?,
                token: exactly(row.try_get(2)?)?,
            })
        });
        let known = known.collect::<Result<HashSet<_>, sqlx::Error>>()?;
        unknown.extend(some.iter().filter(|name| !known.contains(name)));
    }
    Ok(unknown)
}

pub(super) fn exactly<const LEN: usize>(bytes: &[u8]) -> Result<[u8; LEN], sqlx::Error> {
    bytes
        .try_into()
        .map_err(|_| sqlx::Error::Protocol("a value of another length".to_owned()))
}
