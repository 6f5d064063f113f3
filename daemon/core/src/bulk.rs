//! crypto_secretbox for many bytes: by dryoc, several times as fast, as long as it does here what crypto_secretbox does.

use std::sync::LazyLock;

use crypto_secretbox::XSalsa20Poly1305;
use crypto_secretbox::aead::KeyInit as _;
use dryoc::classic::crypto_secretbox::{crypto_secretbox_detached, crypto_secretbox_open_detached};
use zeroize::Zeroizing;

use crate::boxes::{CannotOpen, TAG_LEN, open_in_place, seal_in_place};
use crate::nonce::{NONCE_LEN, Nonce};

/// Around the widths in which processors of several kinds take the stream, and beyond the widest.
const LENGTHS: [usize; 16] = [
    0, 1, 31, 32, 33, 63, 64, 65, 255, 256, 511, 513, 1024, 2047, 4096, 8191,
];

/// Looked at once in each process: which code runs is chosen by the processor, and tests run on theirs alone.
static IS_SOUND: LazyLock<bool> = LazyLock::new(|| LENGTHS.into_iter().all(agrees));

/// `tag(16) || ciphertext`.
pub(crate) fn seal(key: &[u8; 32], nonce: &Nonce, plaintext: &[u8]) -> Vec<u8> {
    if *IS_SOUND {
        seal_fast(key, nonce, plaintext)
    } else {
        seal_in_place(&XSalsa20Poly1305::new(key.into()), nonce, plaintext)
    }
}

pub(crate) fn open(
    key: &[u8; 32],
    nonce: &Nonce,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, CannotOpen> {
    if *IS_SOUND {
        open_fast(key, nonce, sealed)
    } else {
        open_in_place(&XSalsa20Poly1305::new(key.into()), nonce, sealed)
    }
}

fn seal_fast(key: &[u8; 32], nonce: &Nonce, plaintext: &[u8]) -> Vec<u8> {
    let mut sealed = vec![0; TAG_LEN + plaintext.len()];
    let (tag, ciphertext) = sealed.split_at_mut(TAG_LEN);
    let tag = tag.try_into().expect("as long as it was split");
    crypto_secretbox_detached(ciphertext, tag, plaintext, nonce.as_bytes(), key)
        .expect("XSalsa20 takes any length that fits in memory");
    sealed
}

fn open_fast(
    key: &[u8; 32],
    nonce: &Nonce,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, CannotOpen> {
    let (tag, ciphertext) = sealed.split_first_chunk().ok_or(CannotOpen)?;
    let mut opened = Zeroizing::new(vec![0; ciphertext.len()]);
    crypto_secretbox_open_detached(&mut opened, ciphertext, tag, nonce.as_bytes(), key)
        .map_err(|_| CannotOpen)?;
    Ok(opened)
}

/// Seals as the other one does, opens what that sealed, and nothing that was changed.
fn agrees(len: usize) -> bool {
    let (key, nonce) = ([0x5a; 32], Nonce::from_bytes([0xa5; NONCE_LEN]));
    let plaintext: Vec<u8> = (0..251).cycle().take(len).collect();
    let mut sealed = seal_in_place(&XSalsa20Poly1305::new(&key.into()), &nonce, &plaintext);
    let opened = open_fast(&key, &nonce, &sealed);
    let is_whole = opened.is_ok_and(|opened| *opened == plaintext);
    if !is_whole || seal_fast(&key, &nonce, &plaintext) != sealed {
        return false;
    }
    let last = sealed.len() - 1;
    sealed[last] ^= 1;
    open_fast(&key, &nonce, &sealed).is_err()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_is_the_fast_one_that_is_used_here() {
        assert!(*IS_SOUND);
    }

    proptest! {
        #[test]
        fn both_seal_to_the_same_bytes_and_open_each_others(
            key: [u8; 32],
            nonce: [u8; NONCE_LEN],
            plaintext in prop::collection::vec(any::<u8>(), 0..20_000),
            place: prop::sample::Index,
        ) {
            let nonce = Nonce::from_bytes(nonce);
            let cipher = XSalsa20Poly1305::new(&key.into());
            let mut sealed = seal_fast(&key, &nonce, &plaintext);
            prop_assert_eq!(&sealed, &seal_in_place(&cipher, &nonce, &plaintext));
            prop_assert_eq!(&*open_fast(&key, &nonce, &sealed).unwrap(), &plaintext);
            prop_assert_eq!(&*open_in_place(&cipher, &nonce, &sealed).unwrap(), &plaintext);
            let place = place.index(sealed.len());
            sealed[place] ^= 0x80;
            prop_assert!(open_fast(&key, &nonce, &sealed).is_err());
            prop_assert!(open_fast(&key, &nonce, &sealed[..place]).is_err());
        }
    }

    #[test]
    fn a_whole_chunk_is_sealed_alike() {
        let (key, nonce) = ([3; 32], Nonce::from_bytes([4; NONCE_LEN]));
        let plaintext = vec![7; crate::attachment::CHUNK];
        let cipher = XSalsa20Poly1305::new(&key.into());
        let sealed = seal_in_place(&cipher, &nonce, &plaintext);
        assert!(seal_fast(&key, &nonce, &plaintext) == sealed);
        assert!(*open_fast(&key, &nonce, &sealed).unwrap() == plaintext);
    }
}
