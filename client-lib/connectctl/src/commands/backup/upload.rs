//! Hands a backup to the daemon, which alone can open it.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use connect_api::backup::Contents;
use connect_api::bytes::Ticket;
use connect_api::recovery::RecoveryKey;

use crate::context::Context;
use crate::error::Error;
use crate::progress::Progress;
use crate::secret;

/// Bytes that are written at a time.
const PIECE: usize = 256 << 10;

/// A backup that is there, and how long it is.
#[derive(Debug)]
pub(super) struct Source {
    file: File,
    pub(super) size: u64,
}

pub(super) fn open(path: &Path) -> Result<Source, Error> {
    let opened = File::open(path).and_then(|file| {
        let found = file.metadata()?;
        match found.len() {
            _ if !found.is_file() => Err(io::ErrorKind::InvalidInput.into()),
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            size => Ok(Source { file, size }),
        }
    });
    opened.map_err(|source| unreadable(path, source))
}

pub(super) async fn send(
    mut source: Source,
    path: &Path,
    (ticket, what): (Ticket, &'static str),
    context: &Context,
) -> Result<Contents, Error> {
    let mut stream = context.client.redeem(ticket).await?;
    let progress = Progress::new(&context.out, what, source.size);
    let mut left = source.size;
    let mut bytes = vec![0; PIECE];
    while left > 0 {
        let most = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
        let read = source
            .file
            .read(&mut bytes[..most])
            .map_err(|source| unreadable(path, source))?;
        if read == 0 {
            return Err(unreadable(path, io::ErrorKind::UnexpectedEof.into()));
        }
        stream.write(&bytes[..read]).await?;
        left -= read as u64;
        progress.advance(read as u64);
    }
    progress.done();
    Ok(stream.result().await?)
}

/// From a file, or asked for.
pub(super) fn recovery_key(file: Option<&Path>, context: &Context) -> Result<RecoveryKey, Error> {
    let key = match file {
        Some(path) => {
            let text = secret::from_file(&context.out, path)?;
            RecoveryKey::new(text.as_str().to_owned())
        }
        None => RecoveryKey::new(secret::ask("Recovery key: ")?.into_inner()),
    };
    if key.bytes().is_none() {
        return Err(Error::Data(
            "it is no recovery key, or has a mistake in it: recover1, then 38 letters and digits",
        ));
    }
    Ok(key)
}

fn unreadable(path: &Path, source: io::Error) -> Error {
    Error::File {
        path: path.to_owned(),
        source,
    }
}
