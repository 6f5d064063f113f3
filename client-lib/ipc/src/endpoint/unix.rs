//! Where daemons listen on Unix.

use std::path::PathBuf;

pub(super) fn user_path() -> Option<PathBuf> {
    let runtime = PathBuf::from(std::env::var_os("XDG_RUNTIME_DIR")?);
    // The XDG specification: a path that is not absolute is to be ignored.
    runtime
        .is_absolute()
        .then(|| runtime.join("connectd").join("connectd.sock"))
}

pub(super) fn service_path() -> PathBuf {
    PathBuf::from("/run/connectd/connectd.sock")
}
