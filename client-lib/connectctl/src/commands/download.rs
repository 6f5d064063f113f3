//! Bytes by ticket into a file: beside its place first, so that what has the file's name is whole.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use connect_client::bytes::ByteStream;
use connect_client::error::CallError;

use crate::context::Context;
use crate::error::Error;
use crate::files::{create_private, sync_dir};
use crate::progress::Progress;

/// Bytes that are read at a time.
const PIECE: usize = 256 << 10;
/// Ends the name of a file that is not whole yet.
const PART: &str = ".part";

/// Refuses a place that is taken, before anything is asked of the daemon.
pub(crate) fn check_free(file: &Path, force: bool) -> Result<(), Error> {
    if force || !is_taken(file) {
        return Ok(());
    }
    Err(written(file, io::ErrorKind::AlreadyExists.into()))
}

/// Writes exactly so many bytes, for the user alone. Cut off it leaves nothing under the file's name, and without `force` a
/// file that came there meanwhile stays; `what` is for whoever watches.
pub(crate) async fn save(
    stream: ByteStream,
    size: u64,
    (file, force): (&Path, bool),
    (what, context): (&'static str, &Context),
) -> Result<(), Error> {
    let part = Part::of(file);
    tokio::select! {
        copied = copy(stream, size, &part.0, (what, context)) => copied?,
        pressed = tokio::signal::ctrl_c() => {
            return Err(pressed.map_or_else(Error::Output, |()| Error::Interrupted));
        }
    }
    let placed = place(&part.0, file, force).and_then(|()| sync_dir(file));
    placed.map_err(|source| written(file, source))
}

fn place(part: &Path, file: &Path, force: bool) -> io::Result<()> {
    if !force {
        match fs::hard_link(part, file) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                // Sticks and shares may have no links: there only a look is left.
                if is_taken(file) {
                    return Err(io::ErrorKind::AlreadyExists.into());
                }
            }
            placed => return placed,
        }
    }
    fs::rename(part, file)
}

/// Also by a link that leads nowhere.
fn is_taken(file: &Path) -> bool {
    fs::symlink_metadata(file).is_ok()
}

/// A file that is not whole yet. It goes with whoever writes it, also at a Ctrl-C; once it has its name there is none.
struct Part(PathBuf);

impl Part {
    fn of(file: &Path) -> Self {
        let mut name = file.as_os_str().to_owned();
        name.push(PART);
        Self(name.into())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // Where it has its name, this is the other one.
        fs::remove_file(&self.0).ok();
    }
}

async fn copy(
    mut stream: ByteStream,
    size: u64,
    part: &Path,
    (what, context): (&'static str, &Context),
) -> Result<(), Error> {
    // What an earlier try has left.
    fs::remove_file(part).ok();
    let mut to = create_private(part).map_err(|source| written(part, source))?;
    let progress = Progress::new(&context.out, what, size);
    let mut left = size;
    let mut bytes = vec![0; PIECE];
    while left > 0 {
        let most = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
        let read = stream.read(&mut bytes[..most]).await?;
        if read == 0 {
            return Err(CallError::Disconnected.into());
        }
        to.write_all(&bytes[..read])
            .map_err(|source| written(part, source))?;
        left -= read as u64;
        progress.advance(read as u64);
    }
    to.sync_all().map_err(|source| written(part, source))?;
    progress.done();
    Ok(())
}

pub(crate) fn written(path: &Path, source: io::Error) -> Error {
    Error::Written {
        path: path.to_owned(),
        source,
    }
}
