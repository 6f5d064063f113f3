//! What a connection has still to read: bounded in bytes, and watched for progress.

use std::collections::VecDeque;
use std::io;

use connect_ipc::socket::WriteHalf;
use tokio::io::AsyncWriteExt as _;

/// Below this, small frames are copied together: one write for many.
pub(crate) const COALESCE: usize = 16 << 10;

/// The client does not read what it asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMuchUnread;

/// Frames on their way out. `T` is held until its frame has been written: a call's place among those in flight.
#[derive(Debug)]
pub(crate) struct Output<T> {
    frames: VecDeque<(Vec<u8>, T)>,
    /// Of the first frame.
    written: usize,
    unread: usize,
    max_unread: usize,
}

impl<T> Output<T> {
    pub(crate) fn new(max_unread: usize) -> Self {
        Self {
            frames: VecDeque::new(),
            written: 0,
            unread: 0,
            max_unread,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    pub(crate) fn unread(&self) -> usize {
        self.unread
    }

    /// Takes a JSON text; its line ends here.
    pub(crate) fn push(&mut self, json: &str, held: T) -> Result<(), TooMuchUnread> {
        let mut frame = Vec::with_capacity(json.len() + 1);
        frame.extend_from_slice(json.as_bytes());
        frame.push(b'\n');
        self.unread += frame.len();
        self.frames.push_back((frame, held));
        if self.unread > self.max_unread {
            return Err(TooMuchUnread);
        }
        Ok(())
    }

    /// Writes some of it and returns whenever the other side took anything. Cancel safe.
    pub(crate) async fn write_some(&mut self, to: &mut WriteHalf) -> io::Result<()> {
        self.coalesce();
        let Some((frame, _)) = self.frames.front() else {
            return Ok(());
        };
        let taken = to.write(&frame[self.written..]).await?;
        if taken == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.written += taken;
        self.unread -= taken;
        if self.written == frame.len() {
            self.frames.pop_front();
            self.written = 0;
        }
        Ok(())
    }

    /// Joins small frames; what the joined ones hold goes with the first.
    fn coalesce(&mut self) {
        while self.written == 0 && self.frames.len() > 1 {
            let joined = self.frames[0].0.len() + self.frames[1].0.len();
            if joined > COALESCE {
                return;
            }
            if let (Some((mut first, held)), Some((second, _))) =
                (self.frames.pop_front(), self.frames.pop_front())
            {
                first.extend_from_slice(&second);
                self.frames.push_front((first, held));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_the_bound_is_too_much() {
        let mut output = Output::new(10);
        assert_eq!(output.push("12345", ()), Ok(()));
        assert_eq!(output.unread(), 6);
        assert_eq!(output.push("12345", ()), Err(TooMuchUnread));
    }

    #[test]
    fn small_frames_are_joined_in_order() {
        let mut output = Output::new(1000);
        for text in ["a", "b", "c"] {
            output.push(text, ()).unwrap();
        }
        output.coalesce();
        assert_eq!(output.frames.len(), 1);
        assert_eq!(output.frames[0].0, b"a\nb\nc\n");
        assert_eq!(output.unread(), 6);
    }
}
