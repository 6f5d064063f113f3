//! Secret keys: one type each, in locked memory so that moving them leaves no copy, wiped on drop, never cloned or printed.

use std::fmt;

use connect_memory::Locked;
use connect_proto::keys::BoxPublicKey;
use crypto_box::{PublicKey, SalsaBox};
use rand_core::CryptoRngCore;
use subtle::ConstantTimeEq as _;
use zeroize::zeroize_stack;

use crate::boxes::SharedSecret;

/// More than X25519 takes.
const STACK: usize = 16 << 10;

macro_rules! secret_key {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        pub struct $name(Locked);

        impl $name {
            pub fn generate(rng: &mut impl CryptoRngCore) -> Self {
                let mut key = Locked::zeroed();
                rng.fill_bytes(key.expose_mut());
                Self(key)
            }

            /// Takes a key over; the caller's copy is the caller's to wipe.
            pub fn from_bytes(bytes: &[u8; 32]) -> Self {
                Self(Locked::copy_of(bytes))
            }

            pub fn expose(&self) -> &[u8; 32] {
                self.0.expose()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}

secret_key!(
    /// Wraps every other key (§3.7, D22).
    MasterKey
);
secret_key!(
    /// What a keystore and a PIN or passphrase give together; it wraps the master key (D22).
    UnlockKey
);
secret_key!(
    /// SQLCipher's raw key (§3.3).
    DatabaseKey
);
secret_key!(
    /// Seals what lies outside the database (§3.4).
    LocalFileKey
);
secret_key!(
    /// Seals one backup, and nothing else ever.
    BackupKey
);
secret_key!(
    /// Seals one attachment (§3.5), each of its chunks once.
    AttachmentKey
);
secret_key!(
    /// Names things in the audit log.
    PseudonymKey
);
secret_key!(
    /// Seals a patient case in one of its epochs (§3.6, D16).
    CaseKey
);
secret_key!(
    /// The secret half of a Box Key (§3.1): X25519.
    BoxSecretKey
);

impl BoxSecretKey {
    pub fn public_key(&self) -> BoxPublicKey {
        let public = public_key(self);
        zeroize_stack::<STACK>();
        public
    }

    /// NaCl's beforenm, once per pair of keys (D5). The key has passed the gate of D4 by its type.
    pub fn shared_with(&self, other: &BoxPublicKey) -> SharedSecret {
        let shared = shared(self, other);
        zeroize_stack::<STACK>();
        shared
    }
}

#[inline(never)]
fn public_key(key: &BoxSecretKey) -> BoxPublicKey {
    let scratch = Scratch::new(key);
    BoxPublicKey::from_trusted(*scratch.0.public_key().as_bytes())
}

#[inline(never)]
fn shared(key: &BoxSecretKey, other: &BoxPublicKey) -> SharedSecret {
    let scratch = Scratch::new(key);
    let other = PublicKey::from(*other.as_bytes());
    SharedSecret::new(SalsaBox::new(&other, &scratch.0))
}

/// The library's own key type leaves its bytes in memory when dropped (D4): this one overwrites them.
struct Scratch(Box<crypto_box::SecretKey>);

impl Scratch {
    fn new(key: &BoxSecretKey) -> Self {
        Self(Box::new(crypto_box::SecretKey::from_bytes(*key.expose())))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        *self.0 = crypto_box::SecretKey::from_bytes([0; 32]);
        std::hint::black_box(&self.0);
    }
}

impl CaseKey {
    /// Whether two are the same, in a time that tells nothing of either.
    pub fn is(&self, other: &Self) -> bool {
        self.expose().ct_eq(other.expose()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_of_a_secret_key_tells_nothing() {
        let text = format!(
            "{:?} {:?} {:?} {:?}",
            CaseKey::from_bytes(&[0x41; 32]),
            MasterKey::from_bytes(&[0x41; 32]),
            BoxSecretKey::from_bytes(&[0x41; 32]),
            DatabaseKey::from_bytes(&[0x41; 32]),
        );
        assert_eq!(
            text,
            "CaseKey(..) MasterKey(..) BoxSecretKey(..) DatabaseKey(..)"
        );
    }

    #[test]
    fn both_sides_share_a_secret() {
        let alice = BoxSecretKey::from_bytes(&[1; 32]);
        let bob = BoxSecretKey::from_bytes(&[2; 32]);
        let nonce = crate::nonce::Nonce::from_bytes([3; 24]);
        let sealed = alice.shared_with(&bob.public_key()).seal(&nonce, b"text");
        let opened = bob.shared_with(&alice.public_key()).open(&nonce, &sealed);
        assert_eq!(opened.unwrap().as_slice(), b"text");
    }
}
