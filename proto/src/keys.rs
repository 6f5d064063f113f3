//! Public keys, and the gate that every key from outside passes once (D4).

use std::fmt;

use curve25519_dalek::edwards::CompressedEdwardsY;
use curve25519_dalek::montgomery::MontgomeryPoint;
use curve25519_dalek::traits::IsIdentity as _;

use crate::hash::sha256;
use crate::ids::KeyId;

/// Why a public key from outside was refused (D4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefused {
    #[error("a public key is not 32 bytes long")]
    Length,
    #[error("a public key is not canonically encoded")]
    NotCanonical,
    #[error("a public key is not a point of the curve")]
    NotOnCurve,
    #[error("a public key is outside the prime-order subgroup")]
    WrongSubgroup,
}

macro_rules! public_key {
    ($(#[$doc:meta])* $name:ident, $gate:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; 32]);

        impl $name {
            /// Admits a key from outside, or says why not.
            pub fn admit(bytes: &[u8]) -> Result<Self, KeyRefused> {
                let bytes: [u8; 32] = bytes.try_into().map_err(|_| KeyRefused::Length)?;
                $gate(&bytes)?;
                Ok(Self(bytes))
            }

            /// A key that passed the gate before, or that was computed here.
            pub const fn from_trusted(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }

            pub fn to_vec(self) -> Vec<u8> {
                self.0.to_vec()
            }

            /// The first 8 bytes of SHA-256("connect/kid/v1" || key) (D11).
            pub fn key_id(&self) -> KeyId {
                let digest = sha256(&[b"connect/kid/v1".as_slice(), &self.0].concat());
                let mut id = [0; KeyId::LEN];
                id.copy_from_slice(&digest[..KeyId::LEN]);
                KeyId::from_bytes(id)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.key_id())
            }
        }
    };
}

public_key!(
    /// The public half of a Box Key (§3.1): X25519.
    BoxPublicKey,
    gate_montgomery
);
public_key!(
    /// The public half of a Sign Key (§3.2): Ed25519.
    SignPublicKey,
    gate_edwards
);

/// 2^255 - 19, little-endian.
const FIELD_PRIME: [u8; 32] = {
    let mut p = [0xff; 32];
    p[0] = 0xed;
    p[31] = 0x7f;
    p
};

fn is_canonical_field_element(bytes: &[u8; 32]) -> bool {
    bytes.iter().rev().lt(FIELD_PRIME.iter().rev())
}

fn gate_montgomery(bytes: &[u8; 32]) -> Result<(), KeyRefused> {
    if !is_canonical_field_element(bytes) {
        return Err(KeyRefused::NotCanonical);
    }
    // Only points of the curve itself map to the Edwards form: those of the twist do not.
    let point = MontgomeryPoint(*bytes)
        .to_edwards(0)
        .ok_or(KeyRefused::NotOnCurve)?;
    if point.is_identity() || !point.is_torsion_free() {
        return Err(KeyRefused::WrongSubgroup);
    }
    Ok(())
}

fn gate_edwards(bytes: &[u8; 32]) -> Result<(), KeyRefused> {
    let point = CompressedEdwardsY(*bytes)
        .decompress()
        .ok_or(KeyRefused::NotOnCurve)?;
    if point.compress().as_bytes() != bytes {
        return Err(KeyRefused::NotCanonical);
    }
    if point.is_identity() || !point.is_torsion_free() {
        return Err(KeyRefused::WrongSubgroup);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION, X25519_BASEPOINT};
    use curve25519_dalek::scalar::Scalar;

    use super::*;

    #[test]
    fn honest_keys_are_admitted() {
        for n in 1_u64..50 {
            let scalar = Scalar::from(n * 8);
            let box_key = (scalar * X25519_BASEPOINT).to_bytes();
            let sign_key = (scalar * ED25519_BASEPOINT_POINT).compress().to_bytes();
            assert!(BoxPublicKey::admit(&box_key).is_ok());
            assert!(SignPublicKey::admit(&sign_key).is_ok());
        }
    }

    #[test]
    fn low_order_keys_are_refused() {
        for point in EIGHT_TORSION {
            assert!(SignPublicKey::admit(point.compress().as_bytes()).is_err());
            assert!(BoxPublicKey::admit(point.to_montgomery().as_bytes()).is_err());
        }
    }

    #[test]
    fn keys_outside_the_prime_order_subgroup_are_refused() {
        let mixed = ED25519_BASEPOINT_POINT + EIGHT_TORSION[1];
        assert_eq!(
            SignPublicKey::admit(mixed.compress().as_bytes()),
            Err(KeyRefused::WrongSubgroup)
        );
        assert_eq!(
            BoxPublicKey::admit(mixed.to_montgomery().as_bytes()),
            Err(KeyRefused::WrongSubgroup)
        );
    }

    #[test]
    fn non_canonical_and_twist_keys_are_refused() {
        let mut high_bit = X25519_BASEPOINT.to_bytes();
        high_bit[31] |= 0x80;
        assert_eq!(
            BoxPublicKey::admit(&high_bit),
            Err(KeyRefused::NotCanonical)
        );
        assert_eq!(
            BoxPublicKey::admit(&FIELD_PRIME),
            Err(KeyRefused::NotCanonical)
        );
        assert_eq!(
            SignPublicKey::admit(&FIELD_PRIME),
            Err(KeyRefused::NotCanonical)
        );
        let mut twist = [0; 32];
        twist[0] = 2;
        assert_eq!(BoxPublicKey::admit(&twist), Err(KeyRefused::NotOnCurve));
        assert_eq!(BoxPublicKey::admit(&[9; 31]), Err(KeyRefused::Length));
    }
}
