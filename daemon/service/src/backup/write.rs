//! Seals a manifest and a database into chunks, a piece at a time.

use std::io::{self, Read};

use connect_core::backup::{CHUNK, Place, seal_chunk};
use connect_core::secret::BackupKey;
use zeroize::Zeroizing;

pub(crate) struct Sealer<R> {
    key: BackupKey,
    content: R,
    /// Of the content.
    left: u64,
    index: u64,
}

impl<R: Read> Sealer<R> {
    /// `content` gives exactly `length` bytes, one at least.
    pub(crate) fn new(key: BackupKey, content: R, length: u64) -> Self {
        Self {
            key,
            content,
            left: length,
            index: 0,
        }
    }

    /// The next chunk; none after the last.
    pub(crate) fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        if self.left == 0 {
            return Ok(None);
        }
        let length = usize::try_from(self.left).map_or(CHUNK, |left| left.min(CHUNK));
        let mut plaintext = Zeroizing::new(vec![0; length]);
        self.content.read_exact(&mut plaintext)?;
        self.left -= length as u64;
        self.index += 1;
        let place = Place {
            index: self.index,
            is_last: self.left == 0,
        };
        Ok(Some(seal_chunk(&self.key, place, &plaintext)))
    }
}

impl<R> std::fmt::Debug for Sealer<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer(..)")
    }
}
