//! Where daemons listen on Windows.

use std::path::PathBuf;

pub(super) fn user_path() -> Option<PathBuf> {
    let user = std::env::var("USERNAME").ok()?;
    Some(PathBuf::from(format!(r"\\.\pipe\connectd-{user}")))
}

pub(super) fn service_path() -> PathBuf {
    PathBuf::from(r"\\.\pipe\connectd")
}
