//! Lines with a bound: what is read never takes more memory than the longest line that is allowed.

use std::fmt;
use std::io::{self, IoSlice};

use memchr::memchr;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use zeroize::Zeroizing;

/// What the buffer starts with, and shrinks back to.
const SMALL: usize = 8 * 1024;
/// A buffer that a line has grown beyond this is given back.
const LARGE: usize = 64 * 1024;
/// Up to here, copying a line is cheaper than a write of two pieces.
const COPIED: usize = 1024;
/// `\r\n` may stand behind a line that is as long as allowed.
const LINE_END: usize = 2;

#[derive(Debug, Error)]
pub enum FrameError {
    /// The line is longer than allowed. What comes after it cannot be told from it: close the connection.
    #[error("the line is too long")]
    TooLarge,
    /// This line is not UTF-8; the next one may be.
    #[error("the line is not UTF-8")]
    NotUtf8,
    #[error("reading failed: {0}")]
    Io(#[from] io::Error),
}

/// Reads lines.
///
/// PINs and messages come this way: a line is wiped from the buffer before the next read, and the buffer when dropped.
pub struct FrameReader<R> {
    reader: R,
    max_len: usize,
    buffer: Zeroizing<Vec<u8>>,
    /// Where the first byte stands that was not handed out.
    start: usize,
    /// Up to where it is known that no line ends.
    searched: usize,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// `max_len` counts a line's bytes without its end.
    pub fn new(reader: R, max_len: usize) -> Self {
        Self {
            reader,
            max_len,
            buffer: Zeroizing::default(),
            start: 0,
            searched: 0,
        }
    }

    /// The next line, without its `\n` or `\r\n`; `None` at the end, also in the middle of a line.
    ///
    /// Cancel safe: what was read stays for the next call.
    pub async fn next(&mut self) -> Result<Option<&str>, FrameError> {
        let end = loop {
            if let Some(at) = memchr(b'\n', &self.buffer[self.searched..]) {
                break self.searched + at;
            }
            self.searched = self.buffer.len();
            self.make_room()?;
            let room = self.max_len.saturating_add(LINE_END) - self.buffer.len();
            let mut limited = (&mut self.reader).take(room as u64);
            if limited.read_buf(&mut *self.buffer).await? == 0 {
                return Ok(None);
            }
        };
        let line_end = match self.buffer[self.start..end] {
            [.., b'\r'] => end - 1,
            _ => end,
        };
        if line_end - self.start > self.max_len {
            return Err(FrameError::TooLarge);
        }
        let line = self.start..line_end;
        self.start = end + 1;
        self.searched = self.start;
        std::str::from_utf8(&self.buffer[line])
            .map(Some)
            .map_err(|_| FrameError::NotUtf8)
    }

    /// Whether a whole line is there already, so that `next` would not wait.
    pub fn has_next(&self) -> bool {
        memchr(b'\n', &self.buffer[self.searched..]).is_some()
    }

    /// The reader, and what was read from it beyond the last line: for a connection that becomes a byte stream.
    pub fn into_parts(self) -> (R, Vec<u8>) {
        let rest = self.buffer[self.start..].to_vec();
        (self.reader, rest)
    }

    /// Wipes the lines that were handed out, and sees to it that there is room behind the unfinished one.
    fn make_room(&mut self) -> Result<(), FrameError> {
        let pending = self.buffer.len() - self.start;
        if self.start > 0 {
            self.buffer.copy_within(self.start.., 0);
            self.buffer[pending..].fill(0);
            self.buffer.truncate(pending);
            self.start = 0;
            self.searched = pending;
        }
        // One byte more is allowed only where it can be the first half of a line's end.
        let longest = match self.buffer.last() {
            Some(b'\r') => self.max_len.saturating_add(1),
            _ => self.max_len,
        };
        if pending > longest {
            return Err(FrameError::TooLarge);
        }
        if pending < SMALL / 2 && self.buffer.capacity() > LARGE {
            self.move_to(SMALL);
        } else if self.buffer.capacity() == pending {
            let limit = self.max_len.saturating_add(LINE_END);
            self.move_to((pending * 2).clamp(SMALL, limit.max(SMALL)));
        }
        Ok(())
    }

    /// Growing in place would leave a copy behind.
    fn move_to(&mut self, capacity: usize) {
        let mut moved = Zeroizing::new(Vec::with_capacity(capacity));
        moved.extend_from_slice(&self.buffer);
        self.buffer = moved;
    }
}

impl<R> fmt::Debug for FrameReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameReader")
            .field("max_len", &self.max_len)
            .field("buffered", &(self.buffer.len() - self.start))
            .finish_non_exhaustive()
    }
}

/// Writes a line and its end, in one system call where the system can.
///
/// Not cancel safe: a line that was written in part makes the connection useless.
pub async fn write_frame<W: AsyncWrite + Unpin>(
    writer: &mut W,
    line: impl AsRef<[u8]>,
) -> io::Result<()> {
    let line = line.as_ref();
    debug_assert!(memchr(b'\n', line).is_none(), "a frame is one line");
    if line.len() <= COPIED || !writer.is_write_vectored() {
        let mut whole = Zeroizing::new(Vec::with_capacity(line.len() + 1));
        whole.extend_from_slice(line);
        whole.push(b'\n');
        return writer.write_all(&whole).await;
    }
    let mut slices = [IoSlice::new(line), IoSlice::new(b"\n")];
    let mut rest = &mut slices[..];
    while !rest.is_empty() {
        match writer.write_vectored(rest).await? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => IoSlice::advance_slices(&mut rest, written),
        }
    }
    Ok(())
}
