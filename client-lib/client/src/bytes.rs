//! Byte streams by ticket: a connection of their own, beside the one that the calls take.

use connect_api::bytes::{Begun, Show, Ticket};
use connect_ipc::frames::{FrameError, FrameReader, write_frame};
use connect_ipc::socket::{ReadHalf, WriteHalf};
use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use zeroize::Zeroizing;

use crate::endpoint::{Endpoint, dial};
use crate::error::CallError;
use crate::wire::{self, Incoming};

/// A connection whose ticket was taken.
#[derive(Debug)]
pub struct ByteStream {
    read: ReadHalf,
    /// Came behind the daemon's line.
    rest: Vec<u8>,
    write: WriteHalf,
    begun: Begun,
}

impl ByteStream {
    /// Shows the ticket, and waits until the daemon is ready: a backup is taken first.
    pub(crate) async fn open(endpoints: &[Endpoint], ticket: Ticket) -> Result<Self, CallError> {
        let (read, mut write) = dial(endpoints).await?.split();
        let line = serde_json::to_vec(&Show { ticket }).map_err(|_| CallError::Protocol)?;
        let line = Zeroizing::new(line);
        write_frame(&mut write, &*line)
            .await
            .map_err(disconnected)?;
        let mut reader = FrameReader::new(read, wire::MAX_LINE);
        let begun = match reader.next().await.map_err(|error| from_frame(&error))? {
            None => return Err(CallError::Disconnected),
            Some(line) => match serde_json::from_str::<Begun>(line) {
                Ok(begun) if begun.ok => begun,
                _ => return Err(refusal(line)),
            },
        };
        let (read, rest) = reader.into_parts();
        Ok(Self {
            read,
            rest,
            write,
            begun,
        })
    }

    /// What the daemon said before the bytes.
    pub fn begun(&self) -> &Begun {
        &self.begun
    }

    /// Reads some of what comes; 0 at the end, which is early unless all of it came.
    pub async fn read(&mut self, into: &mut [u8]) -> Result<usize, CallError> {
        if self.rest.is_empty() {
            return self.read.read(into).await.map_err(disconnected);
        }
        let taken = self.rest.len().min(into.len());
        into[..taken].copy_from_slice(&self.rest[..taken]);
        self.rest.drain(..taken);
        Ok(taken)
    }

    /// Writes all of it. Where the daemon has said no meanwhile, that is the error.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), CallError> {
        if self.write.write_all(bytes).await.is_ok() {
            return Ok(());
        }
        match self.line().await? {
            Some(line) => Err(refusal(&line)),
            None => Err(CallError::Disconnected),
        }
    }

    /// The result, once everything was written.
    pub async fn result<T: DeserializeOwned>(mut self) -> Result<T, CallError> {
        let line = self.line().await?.ok_or(CallError::Disconnected)?;
        match wire::read(&line)? {
            Incoming::Answer { outcome, .. } => {
                serde_json::from_str(outcome?.get()).map_err(|_| CallError::Protocol)
            }
            Incoming::Notification { .. } => Err(CallError::Protocol),
        }
    }

    async fn line(&mut self) -> Result<Option<String>, CallError> {
        let rest = std::mem::take(&mut self.rest);
        let read = rest.as_slice().chain(&mut self.read);
        let mut reader = FrameReader::new(read, wire::MAX_LINE);
        let line = reader.next().await.map_err(|error| from_frame(&error))?;
        Ok(line.map(str::to_owned))
    }
}

fn refusal(line: &str) -> CallError {
    match wire::read(line) {
        Ok(Incoming::Answer {
            outcome: Err(error),
            ..
        }) => error,
        _ => CallError::Protocol,
    }
}

fn disconnected(_: std::io::Error) -> CallError {
    CallError::Disconnected
}

fn from_frame(error: &FrameError) -> CallError {
    match error {
        FrameError::Io(_) => CallError::Disconnected,
        FrameError::TooLarge | FrameError::NotUtf8 => CallError::Protocol,
    }
}
