//! A backup's content as boxes in a row: each bound to its place, and the last one to being the last.
//!
//! The key seals one backup and nothing else, so that a nonce is a place, as in an attachment (D15).

use crypto_secretbox::XSalsa20Poly1305;
use crypto_secretbox::aead::KeyInit as _;
use zeroize::Zeroizing;

use crate::boxes::{CannotOpen, TAG_LEN, open_in_place, seal_in_place};
use crate::nonce::{NONCE_LEN, Nonce};
use crate::secret::BackupKey;

/// Plaintext bytes of every chunk but the last, which may be shorter.
pub const CHUNK: usize = 64 << 10;
pub const SEALED_CHUNK: usize = CHUNK + TAG_LEN;

/// Which of the chunks it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// From 1.
    pub index: u64,
    pub is_last: bool,
}

impl Place {
    /// The index, little-endian; the highest byte says whether it is the last: none but the last opens as that.
    fn nonce(self) -> Nonce {
        let mut bytes = [0; NONCE_LEN];
        bytes[..8].copy_from_slice(&self.index.to_le_bytes());
        bytes[NONCE_LEN - 1] = u8::from(self.is_last);
        Nonce::from_bytes(bytes)
    }
}

/// `tag(16) || ciphertext`.
pub fn seal_chunk(key: &BackupKey, place: Place, plaintext: &[u8]) -> Vec<u8> {
    let cipher = XSalsa20Poly1305::new(key.expose().into());
    seal_in_place(&cipher, &place.nonce(), plaintext)
}

pub fn open_chunk(
    key: &BackupKey,
    place: Place,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, CannotOpen> {
    let cipher = XSalsa20Poly1305::new(key.expose().into());
    open_in_place(&cipher, &place.nonce(), sealed)
}

/// How many bytes so much content becomes.
pub const fn sealed_len(content: u64) -> u64 {
    content + content.div_ceil(CHUNK as u64) * TAG_LEN as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn place(index: u64, is_last: bool) -> Place {
        Place { index, is_last }
    }

    #[test]
    fn a_chunk_opens_in_its_own_place_only() {
        let key = BackupKey::from_bytes(&[7; 32]);
        let sealed = seal_chunk(&key, place(2, false), b"content");
        assert_eq!(sealed.len() as u64, sealed_len(7));
        let opened = open_chunk(&key, place(2, false), &sealed);
        assert_eq!(opened.unwrap().as_slice(), b"content");
        for other in [place(1, false), place(3, false), place(2, true)] {
            assert!(open_chunk(&key, other, &sealed).is_err(), "{other:?}");
        }
        let other = BackupKey::from_bytes(&[8; 32]);
        assert!(open_chunk(&other, place(2, false), &sealed).is_err());
        assert!(open_chunk(&key, place(2, false), &sealed[..15]).is_err());
    }
}
