//! crypto_box with the shared secret computed once (§2.1.4, D3, D5).

use std::fmt;

use crypto_box::SalsaBox;
use crypto_box::aead::generic_array::GenericArray;
use zeroize::Zeroizing;

use crate::nonce::Nonce;

pub const TAG_LEN: usize = 16;

/// A box does not open: another key, another nonce, or changed bytes. Which, nobody can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a box does not open")]
pub struct CannotOpen;

/// What two key pairs share. The library wipes it on drop.
pub struct SharedSecret(SalsaBox);

impl SharedSecret {
    pub(crate) fn new(salsa_box: SalsaBox) -> Self {
        Self(salsa_box)
    }

    /// `tag(16) || ciphertext` (D3).
    pub fn seal(&self, nonce: &Nonce, plaintext: &[u8]) -> Vec<u8> {
        seal_in_place(&self.0, nonce, plaintext)
    }

    pub fn open(&self, nonce: &Nonce, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, CannotOpen> {
        open_in_place(&self.0, nonce, sealed)
    }
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedSecret(..)")
    }
}

/// Seals with one allocation: the tag's place is left free and filled last.
pub(crate) fn seal_in_place<C>(cipher: &C, nonce: &Nonce, plaintext: &[u8]) -> Vec<u8>
where
    C: crypto_box::aead::AeadInPlace<
            NonceSize = crypto_box::aead::consts::U24,
            TagSize = crypto_box::aead::consts::U16,
        >,
{
    let mut sealed = Vec::with_capacity(TAG_LEN + plaintext.len());
    sealed.resize(TAG_LEN, 0);
    sealed.extend_from_slice(plaintext);
    let tag = cipher
        .encrypt_in_place_detached(
            GenericArray::from_slice(nonce.as_bytes()),
            &[],
            &mut sealed[TAG_LEN..],
        )
        .expect("XSalsa20 takes any length that fits in memory");
    sealed[..TAG_LEN].copy_from_slice(&tag);
    sealed
}

pub(crate) fn open_in_place<C>(
    cipher: &C,
    nonce: &Nonce,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, CannotOpen>
where
    C: crypto_box::aead::AeadInPlace<
            NonceSize = crypto_box::aead::consts::U24,
            TagSize = crypto_box::aead::consts::U16,
        >,
{
    let (tag, ciphertext) = sealed.split_at_checked(TAG_LEN).ok_or(CannotOpen)?;
    let mut opened = Zeroizing::new(ciphertext.to_vec());
    cipher
        .decrypt_in_place_detached(
            GenericArray::from_slice(nonce.as_bytes()),
            &[],
            &mut opened,
            GenericArray::from_slice(tag),
        )
        .map_err(|_| CannotOpen)?;
    Ok(opened)
}
