//! What operators do with the database directly, while the relay runs or not.

use std::path::Path;

use connect_proto::enrollment::EnrollmentCode;
use connect_proto::ids::UserId;
use rand_core::CryptoRngCore;
use sqlx::Connection as _;

use crate::clock::Clock;
use crate::settings::{Settings, SettingsError};
use crate::store::{self, StoreError, codes};

/// An operator's command failed.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    #[error(transparent)]
    NotInitialised(#[from] SettingsError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for OperatorError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Issues a code with which this user can enroll once within 24 hours (D28). It is shown here and nowhere else.
pub async fn issue_code(
    state_dir: &Path,
    user_id: &UserId,
    clock: &Clock,
    rng: &mut impl CryptoRngCore,
) -> Result<String, OperatorError> {
    Settings::load(state_dir)?;
    let code = EnrollmentCode::generate(user_id.clone(), rng);
    let mut connection = store::open_connection(state_dir).await?;
    codes::add(&mut connection, &code.digest(), user_id, clock.now_ms()).await?;
    connection.close().await?;
    Ok(code.expose())
}
