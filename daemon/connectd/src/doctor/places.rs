//! The state directory and its disk, and the socket.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use connect_ipc::socket::{Audience, own_uid};

use super::Check;
use crate::config::Config;

const MIB: u64 = 1 << 20;
/// Below this an import or a checkpoint may not fit.
const LITTLE_ROOM: u64 = 1024 * MIB;
/// Below this the write-ahead log alone may not fit.
const NO_ROOM: u64 = 64 * MIB;
const OTHERS: u32 = 0o077;

pub(super) fn checks(config: &Config) -> Vec<Check> {
    let mut checks = vec![state_dir(&config.state_dir)];
    if config.state_dir.is_dir() {
        checks.push(files(&config.state_dir));
        checks.push(room(&config.state_dir));
        checks.push(sync(&config.state_dir));
    }
    checks.push(socket(config));
    checks
}

fn state_dir(path: &Path) -> Check {
    const NAME: &str = "state_directory";
    let shown = path.display();
    let found = match fs::metadata(path) {
        Ok(found) if found.is_dir() => found,
        Ok(_) => {
            return Check::fail(
                NAME,
                format!("{shown} is no directory"),
                "name another one: --state-dir",
            );
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Check::warn(
                NAME,
                format!("{shown} is not there"),
                "`connectd run` makes it",
            );
        }
        Err(error) => {
            return Check::fail(
                NAME,
                format!("{shown}: {error}"),
                "run this as the daemon's user",
            );
        }
    };
    if found.uid() != own_uid() {
        let found = format!("{shown} belongs to the user {}", found.uid());
        return Check::warn(
            NAME,
            found,
            "run this as the daemon's user, to see what it sees",
        );
    }
    if found.mode() & OTHERS != 0 {
        let found = format!(
            "{shown} is open to others (mode {:03o})",
            found.mode() & 0o777
        );
        return Check::fail(NAME, found, format!("chmod 700 {shown}"));
    }
    Check::ok(NAME, format!("{shown}, its user's alone"))
}

fn files(state_dir: &Path) -> Check {
    const NAME: &str = "file_permissions";
    match exposed(state_dir) {
        Ok(None) => Check::ok(NAME, "every file is its user's alone"),
        Ok(Some(path)) => Check::fail(
            NAME,
            format!("{} is open to others", path.display()),
            format!("chmod -R go= {}", state_dir.display()),
        ),
        Err(error) => Check::fail(NAME, error.to_string(), "run this as the daemon's user"),
    }
}

/// The first thing below that others could read or write.
fn exposed(directory: &Path) -> io::Result<Option<PathBuf>> {
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            let found = match fs::symlink_metadata(&path) {
                // A daemon at work removes files too.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                found => found?,
            };
            let is_open = found.mode() & OTHERS != 0;
            if is_open && !found.is_symlink() && !found.file_type().is_socket() {
                return Ok(Some(path));
            }
            if found.is_dir() {
                directories.push(path);
            }
        }
    }
    Ok(None)
}

fn room(state_dir: &Path) -> Check {
    const NAME: &str = "disk_free";
    const ADVICE: &str = "make room, or move the state directory to a larger disk";
    let free = match rustix::fs::statvfs(state_dir) {
        Ok(disk) => disk.f_bavail.saturating_mul(disk.f_frsize),
        Err(error) => return Check::fail(NAME, error.to_string(), "run this as the daemon's user"),
    };
    let found = format!("{} MiB", free / MIB);
    match free {
        ..NO_ROOM => Check::fail(NAME, found, ADVICE),
        NO_ROOM..LITTLE_ROOM => Check::warn(NAME, found, ADVICE),
        _ => Check::ok(NAME, found),
    }
}

fn sync(state_dir: &Path) -> Check {
    const NAME: &str = "disk_sync";
    let path = state_dir.join(format!("doctor-{}", std::process::id()));
    let tried = try_sync(state_dir, &path);
    fs::remove_file(&path).ok();
    match tried {
        Ok(()) => Check::ok(NAME, "what is written reaches the disk, as far as it says"),
        Err(error) => Check::fail(
            NAME,
            error.to_string(),
            "the daemon keeps nothing that it cannot sync: use another file system",
        ),
    }
}

fn try_sync(directory: &Path, path: &Path) -> io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(b"connectd doctor")?;
    file.sync_all()?;
    File::open(directory)?.sync_all()
}

fn socket(config: &Config) -> Check {
    const NAME: &str = "socket";
    let path = config.endpoint.path();
    let shown = path.display();
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Check::ok(NAME, format!("{shown} is not there: no connectd runs"));
        }
        Err(error) => {
            return Check::fail(
                NAME,
                format!("{shown}: {error}"),
                "run this as the daemon's user",
            );
        }
    };
    if !found.file_type().is_socket() {
        return Check::fail(
            NAME,
            format!("{shown} is no socket"),
            "remove it, or name another one: --socket",
        );
    }
    let too_open = match config.audience {
        Audience::User => OTHERS,
        Audience::Group => 0o007,
    };
    if found.mode() & too_open != 0 {
        let found = format!(
            "{shown} is open to others (mode {:03o})",
            found.mode() & 0o777
        );
        return Check::fail(
            NAME,
            found,
            "stop connectd, remove the socket and start it again",
        );
    }
    match UnixStream::connect(path) {
        Ok(_) => Check::ok(NAME, format!("{shown}: connectd answers")),
        Err(error) => Check::warn(
            NAME,
            format!("{shown} is left from an earlier run ({error})"),
            "start connectd: it takes its place",
        ),
    }
}
