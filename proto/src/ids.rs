//! Ids as types of their own, checked when they are made.

use std::fmt;
use std::str::FromStr;

use rand_core::CryptoRngCore;

/// A value that does not have the form of an id of its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed {0}")]
pub struct MalformedId(pub &'static str);

/// A user: 1 to 64 characters out of `A-Z a-z 0-9 . _ - @ + :`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserId(String);

impl UserId {
    pub const MAX_LEN: usize = 64;

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn into_string(self) -> String {
        self.0
    }
}

impl FromStr for UserId {
    type Err = MalformedId;

    fn from_str(text: &str) -> Result<Self, MalformedId> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-@+:".contains(&b);
        if text.is_empty() || text.len() > Self::MAX_LEN || !text.bytes().all(allowed) {
            return Err(MalformedId("user id"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A user id is the name of a person in many hospitals: it stays out of logs.
impl fmt::Debug for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserId(..)")
    }
}

macro_rules! byte_id {
    ($(#[$doc:meta])* $name:ident, $len:literal, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; $len]);

        impl $name {
            pub const LEN: usize = $len;

            pub const fn from_bytes(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            pub fn random(rng: &mut impl CryptoRngCore) -> Self {
                let mut bytes = [0; $len];
                rng.fill_bytes(&mut bytes);
                Self(bytes)
            }

            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }

            pub fn to_vec(self) -> Vec<u8> {
                self.0.to_vec()
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = MalformedId;

            fn try_from(bytes: &[u8]) -> Result<Self, MalformedId> {
                bytes.try_into().map(Self).map_err(|_| MalformedId($what))
            }
        }

        impl FromStr for $name {
            type Err = MalformedId;

            /// Lower-case hex, as everywhere on the socket.
            fn from_str(text: &str) -> Result<Self, MalformedId> {
                let mut bytes = [0; $len];
                if text.bytes().any(|b| b.is_ascii_uppercase()) {
                    return Err(MalformedId($what));
                }
                hex::decode_to_slice(text, &mut bytes).map_err(|_| MalformedId($what))?;
                Ok(Self(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), hex::encode(self.0))
            }
        }
    };
}

byte_id!(
    /// Chosen by the sender; a message is (sender, message id) (D12).
    MessageId, 16, "message id"
);
byte_id!(
    /// Random per installation (D27).
    InstallationId, 8, "installation id"
);
byte_id!(
    /// A hint for which key to try (D11).
    KeyId, 8, "key id"
);
byte_id!(GroupId, 16, "group id");
byte_id!(CaseId, 16, "case id");
byte_id!(
    /// Random; names the chunks at the relay (§8.2.2).
    AttachmentId, 16, "attachment id"
);
byte_id!(
    /// A paired app on the daemon's socket; the relay never sees it.
    AppId, 16, "app id"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_ids_are_short_and_plain() {
        assert!("dr.alice+ward-3@example.org".parse::<UserId>().is_ok());
        for wrong in ["", "a b", "a/b", "ä", "a\n", &"a".repeat(65)] {
            assert_eq!(
                wrong.parse::<UserId>(),
                Err(MalformedId("user id")),
                "{wrong:?}"
            );
        }
    }

    #[test]
    fn byte_ids_are_lower_case_hex_of_exact_length() {
        let id: MessageId = "000102030405060708090a0b0c0d0e0f".parse().unwrap();
        assert_eq!(id.to_string(), "000102030405060708090a0b0c0d0e0f");
        assert!(
            "000102030405060708090A0B0C0D0E0F"
                .parse::<MessageId>()
                .is_err()
        );
        assert!("00".parse::<MessageId>().is_err());
        assert!(MessageId::try_from(&[0_u8; 15][..]).is_err());
    }
}
