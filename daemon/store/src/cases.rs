//! Patient cases: what each is now, and who is in it (§3.6, D16).

use std::fmt;

use connect_core::case::control::Control;
use connect_core::message::{self, Payload};
use connect_proto::ids::{CaseId, UserId};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteExecutor};

use crate::conversations::{self, Conversation, ConversationRow};
use crate::database::{Store, Tx};
use crate::error::StoreError;
use crate::row::{bytes, int, optional_text, optional_uint, parsed, uint};

pub mod controls;
pub mod copies;
pub mod copying;
pub mod due;
pub mod entries;
pub mod fields;
pub mod history;
pub mod keys;
pub mod past;
pub mod shares;

/// A case's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CaseRow(pub(crate) i64);

/// A case as it stands.
#[derive(Clone)]
pub struct Case {
    pub row: CaseRow,
    pub case_id: CaseId,
    pub conversation: ConversationRow,
    /// The revision in force, and its author; none while only the keys are here.
    pub control: Option<(Control, UserId)>,
    /// By whose word the account came in while others were in it already.
    pub introduced_by: Option<UserId>,
    /// What was written before is still to be fetched.
    pub awaits_history: bool,
    /// It has come in whole.
    pub history_is_here: bool,
    /// The epoch that another one is to follow on as soon as its key is here.
    pub epoch_due: Option<u32>,
    /// The account takes part no more, since then.
    pub left_ms: Option<u64>,
    pub closed_ms: Option<u64>,
    pub created_ms: u64,
    pub changed_ms: u64,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Case({})", self.case_id)
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT c.*, k.payload, k.author FROM cases c LEFT JOIN case_controls k ON k.id = c.control ",
            $rest
        )
    };
}

pub async fn find(store: &Store, case_id: CaseId) -> Result<Option<Case>, StoreError> {
    find_with(store.reader(), case_id).await
}

/// As it is within the transaction.
pub async fn find_in(tx: &mut Tx, case_id: CaseId) -> Result<Option<Case>, StoreError> {
    find_with(tx.connection(), case_id).await
}

pub(crate) async fn find_with(
    executor: impl SqliteExecutor<'_>,
    case_id: CaseId,
) -> Result<Option<Case>, StoreError> {
    let row = sqlx::query(select!("WHERE c.case_id = ?"))
        .bind(case_id.as_bytes().as_slice())
        .fetch_optional(executor)
        .await?;
    row.as_ref().map(read).transpose()
}

/// The newest ones first, those older than `before`.
pub async fn list(
    store: &Store,
    before: Option<CaseId>,
    limit: u32,
) -> Result<Vec<Case>, StoreError> {
    let rows = sqlx::query(select!(
        "WHERE c.control IS NOT NULL AND (?1 IS NULL OR c.id < (SELECT id FROM cases WHERE case_id = ?1))
         ORDER BY c.id DESC LIMIT ?2"
    ))
    .bind(before.map(CaseId::to_vec))
    .bind(limit)
    .fetch_all(store.reader())
    .await?;
    rows.iter().map(read).collect()
}

/// Those that are open and that the account takes part in.
pub async fn list_open(tx: &mut Tx) -> Result<Vec<Case>, StoreError> {
    let rows = sqlx::query(select!(
        "WHERE c.control IS NOT NULL AND c.left_ms IS NULL AND c.closed_ms IS NULL ORDER BY c.id"
    ))
    .fetch_all(tx.connection())
    .await?;
    rows.iter().map(read).collect()
}

/// Makes the case where it is not known yet.
pub async fn ensure(tx: &mut Tx, case_id: CaseId, now_ms: u64) -> Result<Case, StoreError> {
    let conversation = conversations::ensure(tx, &Conversation::Case(case_id)).await?;
    sqlx::query(
        "INSERT INTO cases (case_id, conversation, created_ms, changed_ms) VALUES (?1, ?2, ?3, ?3)
         ON CONFLICT DO NOTHING",
    )
    .bind(case_id.as_bytes().as_slice())
    .bind(conversation.0)
    .bind(int(now_ms))
    .execute(tx.connection())
    .await?;
    find_in(tx, case_id)
        .await?
        .ok_or(StoreError::Inconsistent("cases"))
}

/// The account came in by this user's word: what was written before is still to come from there.
pub async fn introduce(tx: &mut Tx, case: CaseRow, by: &UserId) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE cases SET introduced_by = ?, history = NULL, history_is_here = 0, message_place = NULL,
             entry_place = NULL WHERE id = ?",
    )
    .bind(by.as_str())
    .bind(case.0)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Notes the epoch that another one is to follow on once its key is here, or that none is.
pub async fn set_epoch_due(
    tx: &mut Tx,
    case: CaseRow,
    epoch: Option<u32>,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE cases SET epoch_due = ? WHERE id = ?")
        .bind(epoch)
        .bind(case.0)
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// Since when the account takes part no more; none where it does. What it could read it still can.
pub async fn set_left(tx: &mut Tx, case: CaseRow, left_ms: Option<u64>) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE cases SET left_ms = CASE WHEN ?1 IS NULL THEN NULL ELSE coalesce(left_ms, ?1) END WHERE id = ?2",
    )
    .bind(left_ms.map(int))
    .bind(case.0)
    .execute(tx.connection())
    .await?;
    Ok(())
}

fn read(row: &SqliteRow) -> Result<Case, StoreError> {
    let payload: Option<Vec<u8>> = row.try_get("payload")?;
    let control = match payload {
        Some(payload) => Some((read_control(&payload)?, parsed(row, "author")?)),
        None => None,
    };
    let history: Option<&[u8]> = row.try_get("history")?;
    Ok(Case {
        row: CaseRow(row.try_get("id")?),
        case_id: CaseId::from_bytes(bytes(row, "case_id")?),
        conversation: ConversationRow(row.try_get("conversation")?),
        control,
        introduced_by: optional_text(row, "introduced_by")?
            .map(|name| name.parse().map_err(|_| StoreError::Inconsistent("cases")))
            .transpose()?,
        awaits_history: history.is_some(),
        history_is_here: row.try_get("history_is_here")?,
        epoch_due: row.try_get("epoch_due")?,
        left_ms: optional_uint(row, "left_ms")?,
        closed_ms: optional_uint(row, "closed_ms")?,
        created_ms: uint(row, "created_ms")?,
        changed_ms: uint(row, "changed_ms")?,
    })
}

fn read_control(payload: &[u8]) -> Result<Control, StoreError> {
    match message::decode(payload) {
        Ok(Payload::CaseControl(control)) => Ok(control),
        _ => Err(StoreError::Inconsistent("case_controls")),
    }
}
