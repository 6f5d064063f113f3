//! Groups: their roster as it was last written, and the chain of revisions before it (D17).

use connect_core::group::{GroupControl, Member, Role};
use connect_core::message::{self, Payload};
use connect_proto::hash::Digest;
use connect_proto::ids::{GroupId, UserId};
use sqlx::Row as _;
use sqlx::SqliteExecutor;
use sqlx::sqlite::SqliteRow;

use crate::codes::GroupStanding;
use crate::conversations::{self, Conversation, ConversationRow};
use crate::database::{Store, Tx};
use crate::error::StoreError;
use crate::row::{bytes, int, parsed, text, uint};

#[derive(Clone, PartialEq, Eq)]
pub struct Group {
    pub row: ConversationRow,
    pub group_id: GroupId,
    pub name: String,
    pub revision: u64,
    pub digest: Digest,
    /// Ours.
    pub standing: GroupStanding,
    pub changed_ms: u64,
    /// By user id.
    pub members: Vec<GroupMember>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupMember {
    pub user_id: UserId,
    pub is_admin: bool,
    /// The revision with which the member came in.
    pub since: u64,
}

/// The name of a group is content.
impl std::fmt::Debug for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Group({})", self.group_id)
    }
}

impl Group {
    pub fn member(&self, user_id: &UserId) -> Option<&GroupMember> {
        let found = self
            .members
            .binary_search_by(|member| member.user_id.cmp(user_id));
        found.ok().map(|place| &self.members[place])
    }

    pub fn admins(&self) -> impl Iterator<Item = &UserId> {
        let admins = self.members.iter().filter(|member| member.is_admin);
        admins.map(|member| &member.user_id)
    }
}

/// As it is within the transaction.
pub async fn find_in(tx: &mut Tx, group_id: GroupId) -> Result<Option<Group>, StoreError> {
    let found = find_with(tx.connection(), group_id).await?;
    let Some(mut group) = found else {
        return Ok(None);
    };
    group.members = list_members(tx.connection(), group.row).await?;
    Ok(Some(group))
}

pub async fn find(store: &Store, group_id: GroupId) -> Result<Option<Group>, StoreError> {
    let found = find_with(store.reader(), group_id).await?;
    let Some(mut group) = found else {
        return Ok(None);
    };
    group.members = list_members(store.reader(), group.row).await?;
    Ok(Some(group))
}

async fn find_with(
    executor: impl SqliteExecutor<'_>,
    group_id: GroupId,
) -> Result<Option<Group>, StoreError> {
    let row = sqlx::query(
        "SELECT g.*, c.kind, c.peer FROM groups g JOIN conversations c ON c.id = g.conversation
         WHERE c.kind = 'group' AND c.peer = ?",
    )
    .bind(group_id.to_string())
    .fetch_optional(executor)
    .await?;
    row.as_ref().map(read).transpose()
}

async fn list_members(
    executor: impl SqliteExecutor<'_>,
    row: ConversationRow,
) -> Result<Vec<GroupMember>, StoreError> {
    let rows = sqlx::query("SELECT * FROM group_members WHERE conversation = ? ORDER BY user_id")
        .bind(row.0)
        .fetch_all(executor)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(GroupMember {
                user_id: parsed(row, "user_id")?,
                is_admin: row.try_get("is_admin")?,
                since: uint(row, "since")?,
            })
        })
        .collect()
}

/// Groups that this user is in or was, by id, those after `after`; members are left out.
pub async fn list(
    store: &Store,
    after: Option<GroupId>,
    limit: u32,
) -> Result<Vec<(Group, u64)>, StoreError> {
    let rows = sqlx::query(
        "SELECT g.*, c.kind, c.peer,
             (SELECT count(*) FROM group_members m WHERE m.conversation = g.conversation) AS members
         FROM groups g JOIN conversations c ON c.id = g.conversation
         WHERE c.kind = 'group' AND c.peer > ? ORDER BY c.peer LIMIT ?",
    )
    .bind(after.map(|id| id.to_string()).unwrap_or_default())
    .bind(limit)
    .fetch_all(store.reader())
    .await?;
    rows.iter()
        .map(|row| Ok((read(row)?, uint(row, "members")?)))
        .collect()
}

/// The roster from now on. Who was in it before came in when they did; `is_fresh`: nothing that was known before counts.
/// Returns how many messages are not missing any more for that.
pub async fn put(
    tx: &mut Tx,
    row: ConversationRow,
    control: &GroupControl,
    standing: GroupStanding,
    now_ms: u64,
    is_fresh: bool,
) -> Result<i64, StoreError> {
    let member =
        |member: &Member| serde_json::json!([member.user_id.as_str(), member.role == Role::Admin]);
    let roster: serde_json::Value = control.roster.iter().map(member).collect();
    let roster = roster.to_string();
    let payload = message::encode(&Payload::GroupControl(control.clone()));
    let mut forgotten = 0;
    if is_fresh {
        // What others said while this user was out has numbers too: none of it is missing.
        let gaps = sqlx::query(
            "DELETE FROM gaps WHERE conversation = ? RETURNING last - first + 1 AS missing",
        )
        .bind(row.0)
        .fetch_all(tx.connection())
        .await?;
        for gap in &gaps {
            forgotten = i64::saturating_add(forgotten, gap.try_get("missing")?);
        }
        for statement in [
            "DELETE FROM group_members WHERE conversation = ?",
            "DELETE FROM group_revisions WHERE conversation = ?",
            "DELETE FROM streams WHERE conversation = ?",
        ] {
            sqlx::query(statement)
                .bind(row.0)
                .execute(tx.connection())
                .await?;
        }
    }
    sqlx::query(
        "INSERT INTO groups (conversation, name, revision, digest, standing, changed_ms) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (conversation) DO UPDATE SET name = excluded.name, revision = excluded.revision,
             digest = excluded.digest, standing = excluded.standing, changed_ms = excluded.changed_ms;
         DELETE FROM group_members WHERE conversation = ?
             AND user_id NOT IN (SELECT value->>0 FROM json_each(?));
         INSERT INTO group_members (conversation, user_id, is_admin, since)
         SELECT column1, value->>0, value->>1, column2 FROM (VALUES (?, ?)) JOIN json_each(?) WHERE TRUE
         ON CONFLICT (conversation, user_id) DO UPDATE SET is_admin = excluded.is_admin, answered = NULL,
             answered_times = 0;
         DELETE FROM group_revisions WHERE conversation = ? AND revision >= ?;
         INSERT INTO group_revisions (conversation, revision, digest, control, at_ms) VALUES (?, ?, ?, ?, ?)",
    )
    .bind(row.0)
    .bind(&control.name)
    .bind(int(control.revision))
    .bind(control.digest().to_vec())
    .bind(standing.word())
    .bind(int(now_ms))
    .bind(row.0)
    .bind(&roster)
    .bind(row.0)
    .bind(int(control.revision))
    .bind(&roster)
    .bind(row.0)
    .bind(int(control.revision))
    .bind(row.0)
    .bind(int(control.revision))
    .bind(control.digest().to_vec())
    .bind(payload.as_slice())
    .bind(int(now_ms))
    .execute(tx.connection())
    .await?;
    Ok(forgotten)
}

/// All others were there before this user: they may have said something to each other.
pub async fn set_latest(
    tx: &mut Tx,
    row: ConversationRow,
    user_id: &UserId,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE group_members SET since = since - 1 WHERE conversation = ? AND user_id <> ?",
    )
    .bind(row.0)
    .bind(user_id.as_str())
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// A revision that was seen.
pub async fn find_revision(
    tx: &mut Tx,
    row: ConversationRow,
    revision: u64,
) -> Result<Option<GroupControl>, StoreError> {
    let found =
        sqlx::query("SELECT control FROM group_revisions WHERE conversation = ? AND revision = ?")
            .bind(row.0)
            .bind(int(revision))
            .fetch_optional(tx.connection())
            .await?;
    found.as_ref().map(read_control).transpose()
}

/// The number of a revision that was seen.
pub async fn find_digest(
    tx: &mut Tx,
    row: ConversationRow,
    digest: &Digest,
) -> Result<Option<u64>, StoreError> {
    let found =
        sqlx::query("SELECT revision FROM group_revisions WHERE conversation = ? AND digest = ?")
            .bind(row.0)
            .bind(digest.as_slice())
            .fetch_optional(tx.connection())
            .await?;
    found.map(|row| uint(&row, "revision")).transpose()
}

/// A revision that another one took the place of, and when.
pub async fn find_replaced(
    tx: &mut Tx,
    row: ConversationRow,
    digest: &Digest,
) -> Result<Option<(GroupControl, u64)>, StoreError> {
    let found = sqlx::query(
        "SELECT r.control, n.at_ms FROM group_revisions r
         JOIN group_revisions n ON n.conversation = r.conversation AND n.revision = r.revision + 1
         WHERE r.conversation = ? AND r.digest = ?",
    )
    .bind(row.0)
    .bind(digest.as_slice())
    .fetch_optional(tx.connection())
    .await?;
    found
        .map(|row| Ok((read_control(&row)?, uint(&row, "at_ms")?)))
        .transpose()
}

/// Groups that this user is an admin of, and the other one is in.
pub async fn list_led(
    tx: &mut Tx,
    admin: &UserId,
    member: &UserId,
) -> Result<Vec<GroupId>, StoreError> {
    let rows = sqlx::query(
        "SELECT c.peer FROM group_members m
         JOIN group_members a ON a.conversation = m.conversation AND a.user_id = ?1 AND a.is_admin
         JOIN conversations c ON c.id = m.conversation WHERE m.user_id = ?2 ORDER BY c.id",
    )
    .bind(admin.as_str())
    .bind(member.as_str())
    .fetch_all(tx.connection())
    .await?;
    rows.iter().map(|row| parsed(row, "peer")).collect()
}

/// Revisions after that one, the oldest first.
pub async fn list_revisions(
    tx: &mut Tx,
    row: ConversationRow,
    after: u64,
) -> Result<Vec<GroupControl>, StoreError> {
    let rows = sqlx::query(
        "SELECT control FROM group_revisions WHERE conversation = ? AND revision > ? ORDER BY revision",
    )
    .bind(row.0)
    .bind(int(after))
    .fetch_all(tx.connection())
    .await?;
    rows.iter().map(read_control).collect()
}

fn read_control(row: &SqliteRow) -> Result<GroupControl, StoreError> {
    let payload: Vec<u8> = row.try_get("control")?;
    match message::decode(&payload) {
        Ok(Payload::GroupControl(control)) => Ok(control),
        _ => Err(StoreError::Inconsistent("group_revisions")),
    }
}

/// How often a member may be answered within which time, as long as our roster stays the same.
#[derive(Debug, Clone, Copy)]
pub struct Answers {
    pub most: u32,
    pub within_ms: u64,
}

/// A member goes by another roster than ours, and is answered. False where that one was answered already, or so many were.
pub async fn note_answered(
    tx: &mut Tx,
    row: ConversationRow,
    (user_id, theirs): (&UserId, &Digest),
    now_ms: u64,
    answers: Answers,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "UPDATE group_members SET answered = ?3,
             answered_times = iif(?4 - answered_ms BETWEEN 0 AND ?5, answered_times, 0) + 1,
             answered_ms = iif(answered_times > 0 AND ?4 - answered_ms BETWEEN 0 AND ?5, answered_ms, ?4)
         WHERE conversation = ?1 AND user_id = ?2 AND answered IS NOT ?3
             AND (answered_times < ?6 OR ?4 - answered_ms NOT BETWEEN 0 AND ?5)",
    )
    .bind(row.0)
    .bind(user_id.as_str())
    .bind(theirs.as_slice())
    .bind(int(now_ms))
    .bind(int(answers.within_ms))
    .bind(answers.most)
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

fn read(row: &SqliteRow) -> Result<Group, StoreError> {
    let Conversation::Group(group_id) = conversations::read(row)? else {
        return Err(StoreError::Inconsistent("groups"));
    };
    Ok(Group {
        row: ConversationRow(row.try_get("conversation")?),
        group_id,
        name: text(row, "name")?.to_owned(),
        revision: uint(row, "revision")?,
        digest: bytes(row, "digest")?,
        standing: GroupStanding::read(text(row, "standing")?)?,
        changed_ms: uint(row, "changed_ms")?,
        members: Vec::new(),
    })
}
