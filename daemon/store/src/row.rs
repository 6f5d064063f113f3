//! From SQLite's values to ours, and back.

use std::str::FromStr;

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::error::StoreError;

/// The largest integer that crosses the socket whole; times and sequences beyond it are refused before they come here.
pub const MAX_INTEGER: u64 = 1 << 53;

/// For a column of SQLite, whose integers are signed.
pub(crate) fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(crate) fn uint(row: &SqliteRow, column: &'static str) -> Result<u64, StoreError> {
    let value: i64 = row.try_get(column)?;
    u64::try_from(value).map_err(|_| StoreError::Inconsistent(column))
}

pub(crate) fn optional_uint(
    row: &SqliteRow,
    column: &'static str,
) -> Result<Option<u64>, StoreError> {
    let value: Option<i64> = row.try_get(column)?;
    value
        .map(u64::try_from)
        .transpose()
        .map_err(|_| StoreError::Inconsistent(column))
}

pub(crate) fn text<'r>(row: &'r SqliteRow, column: &'static str) -> Result<&'r str, StoreError> {
    Ok(row.try_get(column)?)
}

pub(crate) fn optional_text<'r>(
    row: &'r SqliteRow,
    column: &'static str,
) -> Result<Option<&'r str>, StoreError> {
    Ok(row.try_get(column)?)
}

/// An id or name that was checked before it was stored.
pub(crate) fn parsed<T: FromStr>(row: &SqliteRow, column: &'static str) -> Result<T, StoreError> {
    text(row, column)?
        .parse()
        .map_err(|_| StoreError::Inconsistent(column))
}

/// Bytes of an exact length.
pub(crate) fn bytes<const N: usize>(
    row: &SqliteRow,
    column: &'static str,
) -> Result<[u8; N], StoreError> {
    let value: &[u8] = row.try_get(column)?;
    value
        .try_into()
        .map_err(|_| StoreError::Inconsistent(column))
}

pub(crate) fn optional_bytes<const N: usize>(
    row: &SqliteRow,
    column: &'static str,
) -> Result<Option<[u8; N]>, StoreError> {
    let value: Option<&[u8]> = row.try_get(column)?;
    value
        .map(TryInto::try_into)
        .transpose()
        .map_err(|_| StoreError::Inconsistent(column))
}
