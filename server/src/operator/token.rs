//! The token of a credential: shown once, and kept as a hash.

use std::fmt;

use connect_proto::hash::{Digest, sha256};
use rand_core::CryptoRngCore;
use zeroize::Zeroizing;

/// So that a scanner for leaked secrets knows one when it sees it.
const PREFIX: &str = "connect_operator_";

/// 256 random bits as text.
pub struct Token(Zeroizing<String>);

impl Token {
    pub fn generate(rng: &mut impl CryptoRngCore) -> Self {
        let mut bytes = Zeroizing::new([0_u8; 32]);
        rng.fill_bytes(bytes.as_mut());
        let mut text = Zeroizing::new(PREFIX.to_owned());
        text.push_str(&Zeroizing::new(hex::encode(bytes.as_slice())));
        Self(text)
    }

    /// As it was handed out; spaces and a line's end around it are no part of it.
    pub fn from_text(text: &str) -> Self {
        Self(Zeroizing::new(text.trim().to_owned()))
    }

    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What the relay keeps.
    pub fn digest(&self) -> Digest {
        let labelled = ["connect-relay/operator-token/v1\0", &self.0].concat();
        sha256(Zeroizing::new(labelled).as_bytes())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}
