//! The two directions of a byte stream, each watched for progress.

use std::io;
use std::time::Duration;

use connect_ipc::socket::{ReadHalf, WriteHalf};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{sleep, timeout};

/// Bytes that are read at a time at most.
const PIECE: usize = 256 << 10;
/// Whether somebody who says no more is still there is looked at this often.
const LOOK: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Flow {
    read: ReadHalf,
    /// Came already.
    rest: Vec<u8>,
    write: WriteHalf,
    /// How long the other side may let nothing go on.
    patience: Duration,
}

impl Flow {
    pub(crate) fn new(read: ReadHalf, rest: Vec<u8>, write: WriteHalf, patience: Duration) -> Self {
        Self {
            read,
            rest,
            write,
            patience,
        }
    }

    pub(crate) async fn line(&mut self, json: &str) -> io::Result<()> {
        let mut line = Vec::with_capacity(json.len() + 1);
        line.extend_from_slice(json.as_bytes());
        line.push(b'\n');
        self.write(&line).await
    }

    pub(crate) async fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let written = timeout(self.patience, self.write.write(bytes)).await??;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            bytes = &bytes[written..];
        }
        Ok(())
    }

    /// Returns once the other side has gone. One that only says no more may still read.
    pub(crate) async fn left(&mut self) {
        self.rest = Vec::new();
        let mut ignored = [0; 1024];
        while matches!(self.read.read(&mut ignored).await, Ok(read) if read > 0) {}
        while !self.write.is_closed().await {
            sleep(LOOK).await;
        }
    }

    /// The next bytes, at most so many; none at the end.
    pub(crate) async fn read(&mut self, most: u64) -> io::Result<Vec<u8>> {
        let most = usize::try_from(most).map_or(PIECE, |most| most.min(PIECE));
        if !self.rest.is_empty() {
            let taken = self.rest.len().min(most);
            return Ok(self.rest.drain(..taken).collect());
        }
        let mut bytes = Vec::with_capacity(most);
        let mut limited = (&mut self.read).take(most as u64);
        timeout(self.patience, limited.read_buf(&mut bytes)).await??;
        Ok(bytes)
    }
}
