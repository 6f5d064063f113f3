//! Ed25519 (D2): the signing key, strict verification, and one purpose per signature (D9).

use std::fmt;

use connect_memory::Locked;
use ed25519_dalek::hazmat::{ExpandedSecretKey, raw_sign};
use ed25519_dalek::{Signature, SigningKey, VerifyingKey};
use rand_core::CryptoRngCore;
use sha2::Sha512;
use zeroize::zeroize_stack;

use crate::keys::SignPublicKey;

/// More than signing takes.
const STACK: usize = 16 << 10;

/// What a signature other than a request's is for (D9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Bundle,
    ContactUpdate,
    Case,
    /// An organisation says whose keys are whose (D25).
    Verification,
    /// An entry of the operators' log, with all before it (§10.6).
    OperatorLog,
}

impl Purpose {
    const fn label(self) -> &'static str {
        match self {
            Self::Bundle => "connect/bundle/v1",
            Self::ContactUpdate => "connect/contact-update/v1",
            Self::Case => "connect/case/v1",
            Self::Verification => "connect/verification/v1",
            Self::OperatorLog => "connect/operator-log/v1",
        }
    }

    /// `0x00 || label || 0x00 || data`: a leading zero byte can never begin a `SignatureHeader`.
    fn message(self, data: &[u8]) -> Vec<u8> {
        let label = self.label().as_bytes();
        let mut message = Vec::with_capacity(label.len() + data.len() + 2);
        message.push(0);
        message.extend_from_slice(label);
        message.push(0);
        message.extend_from_slice(data);
        message
    }
}

/// A signature does not verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a signature does not verify")]
pub struct BadSignature;

/// The secret half of a Sign Key (§3.2): its seed, in locked memory; wiped on drop.
pub struct SignSecretKey {
    seed: Locked,
    public: VerifyingKey,
}

impl SignSecretKey {
    pub fn generate(rng: &mut impl CryptoRngCore) -> Self {
        let mut seed = Locked::zeroed();
        rng.fill_bytes(seed.expose_mut());
        Self::new(seed)
    }

    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self::new(Locked::copy_of(seed))
    }

    fn new(seed: Locked) -> Self {
        let public = public_key(seed.expose());
        zeroize_stack::<STACK>();
        Self { seed, public }
    }

    /// The 32-byte seed, for sealing.
    pub fn expose_seed(&self) -> &[u8; 32] {
        self.seed.expose()
    }

    pub fn public_key(&self) -> SignPublicKey {
        SignPublicKey::from_trusted(self.public.to_bytes())
    }

    pub fn sign(&self, purpose: Purpose, data: &[u8]) -> [u8; 64] {
        self.sign_bytes(&purpose.message(data))
    }

    /// Signs a request header, which alone has no purpose prefix (D8).
    pub(crate) fn sign_bytes(&self, bytes: &[u8]) -> [u8; 64] {
        let signature = sign(self.seed.expose(), &self.public, bytes);
        zeroize_stack::<STACK>();
        signature
    }
}

/// The library makes the key on the stack.
#[inline(never)]
fn public_key(seed: &[u8; 32]) -> VerifyingKey {
    SigningKey::from_bytes(seed).verifying_key()
}

/// As `SigningKey` does it, which derives the scalar anew for each signature too; but it would hold the seed itself.
#[inline(never)]
fn sign(seed: &[u8; 32], public: &VerifyingKey, bytes: &[u8]) -> [u8; 64] {
    raw_sign::<Sha512>(&ExpandedSecretKey::from(seed), bytes, public).to_bytes()
}

impl fmt::Debug for SignSecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignSecretKey(..)")
    }
}

pub fn verify(
    purpose: Purpose,
    data: &[u8],
    signature: &[u8],
    key: &SignPublicKey,
) -> Result<(), BadSignature> {
    verify_bytes(&purpose.message(data), signature, key)
}

/// Strict: small-order keys and non-canonical encodings are refused (D2).
pub(crate) fn verify_bytes(
    bytes: &[u8],
    signature: &[u8],
    key: &SignPublicKey,
) -> Result<(), BadSignature> {
    let signature = Signature::from_slice(signature).map_err(|_| BadSignature)?;
    let key = VerifyingKey::from_bytes(key.as_bytes()).map_err(|_| BadSignature)?;
    key.verify_strict(bytes, &signature)
        .map_err(|_| BadSignature)
}

/// Plain RFC 8032 verification of a message without a purpose: for published vectors.
#[doc(hidden)]
pub fn verify_rfc8032(
    message: &[u8],
    signature: &[u8],
    key: &SignPublicKey,
) -> Result<(), BadSignature> {
    verify_bytes(message, signature, key)
}

/// Plain RFC 8032 signing of a message without a purpose: for published vectors.
#[doc(hidden)]
pub fn sign_rfc8032(seed: &[u8; 32], message: &[u8]) -> [u8; 64] {
    SignSecretKey::from_seed(seed).sign_bytes(message)
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;

    use super::*;

    #[test]
    fn a_signature_serves_one_purpose() {
        let key = SignSecretKey::generate(&mut ChaCha20Rng::seed_from_u64(1));
        let signature = key.sign(Purpose::Bundle, b"data");
        let public = key.public_key();
        assert!(verify(Purpose::Bundle, b"data", &signature, &public).is_ok());
        assert!(verify(Purpose::Case, b"data", &signature, &public).is_err());
        assert!(verify(Purpose::Bundle, b"date", &signature, &public).is_err());
        assert!(verify_bytes(b"data", &signature, &public).is_err());
    }

    #[test]
    fn debug_of_a_secret_key_tells_nothing() {
        let key = SignSecretKey::from_seed(&[7; 32]);
        assert_eq!(format!("{key:?}"), "SignSecretKey(..)");
    }
}
