//! Keys a connection without the key ever being part of a statement, which sqlx would log.

use std::ffi::CStr;

use connect_core::secret::DatabaseKey;
use libsqlite3_sys::{SQLITE_OK, sqlite3_key_v2};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteError;
use zeroize::Zeroizing;

const MAIN: &CStr = c"main";

/// Gives SQLCipher the raw key: `x'…'` skips its 256,000 rounds of derivation, which a random key does not need.
pub(crate) async fn key_connection(
    connection: &mut SqliteConnection,
    key: &DatabaseKey,
) -> Result<(), sqlx::Error> {
    let mut spelled = Zeroizing::new(Vec::with_capacity(67));
    spelled.extend_from_slice(b"x'");
    spelled.resize(66, 0);
    hex::encode_to_slice(key.expose(), &mut spelled[2..])
        .map_err(|_| sqlx::Error::WorkerCrashed)?;
    spelled.push(b'\'');
    let mut handle = connection.lock_handle().await?;
    let length = i32::try_from(spelled.len()).expect("67");
    #[expect(
        unsafe_code,
        reason = "sqlite3_key_v2 has no safe counterpart; the handle is locked and alive, and SQLCipher copies the key"
    )]
    let code = unsafe {
        sqlite3_key_v2(
            handle.as_raw_handle().as_ptr(),
            MAIN.as_ptr(),
            spelled.as_ptr().cast(),
            length,
        )
    };
    if code == SQLITE_OK {
        Ok(())
    } else {
        Err(handle
            .last_error()
            .map_or(sqlx::Error::WorkerCrashed, |error: SqliteError| {
                sqlx::Error::Database(Box::new(error))
            }))
    }
}
