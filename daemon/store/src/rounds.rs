//! How far the round through the directory has come, so that it goes on after a restart.

use connect_proto::ids::UserId;

use crate::database::{Store, Tx};
use crate::error::StoreError;
use crate::row::{int, optional_text, uint};

/// A round in which the directory is asked about every contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round {
    /// By the relay's time.
    pub began_ms: u64,
    pub stage: Stage,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    Done,
    /// Up to this contact; none at the beginning.
    CameTo(Option<UserId>),
}

pub async fn find(store: &Store) -> Result<Option<Round>, StoreError> {
    let row = sqlx::query("SELECT began_ms, came_to FROM directory_round")
        .fetch_optional(store.reader())
        .await?;
    let Some(row) = row else { return Ok(None) };
    let stage = match optional_text(&row, "came_to")? {
        None => Stage::Done,
        Some("") => Stage::CameTo(None),
        Some(user) => Stage::CameTo(Some(
            user.parse()
                .map_err(|_| StoreError::Inconsistent("directory_round"))?,
        )),
    };
    Ok(Some(Round {
        began_ms: uint(&row, "began_ms")?,
        stage,
    }))
}

pub async fn put(tx: &mut Tx, round: &Round) -> Result<(), StoreError> {
    let came_to = match &round.stage {
        Stage::Done => None,
        Stage::CameTo(user) => Some(user.as_ref().map_or("", UserId::as_str)),
    };
    sqlx::query("INSERT OR REPLACE INTO directory_round (one, began_ms, came_to) VALUES (1, ?, ?)")
        .bind(int(round.began_ms))
        .bind(came_to)
        .execute(tx.connection())
        .await?;
    Ok(())
}
