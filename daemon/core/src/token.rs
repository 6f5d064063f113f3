//! An app's token: 256 random bits that are shown once, and the hash of them that stays (`rpc.md`).

use std::fmt;

use rand_core::CryptoRngCore;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// What an app shows to be let in. It is wiped on drop and in no `Debug` output.
pub struct Token(Box<Zeroizing<[u8; 32]>>);

impl Token {
    pub fn generate(rng: &mut impl CryptoRngCore) -> Self {
        let mut token = Box::new(Zeroizing::new([0; 32]));
        rng.fill_bytes(token.as_mut_slice());
        Self(token)
    }

    /// None where it is not 64 digits of lower-case hex.
    pub fn parse(text: &str) -> Option<Self> {
        let mut token = Box::new(Zeroizing::new([0; 32]));
        if text.bytes().any(|b| b.is_ascii_uppercase()) {
            return None;
        }
        hex::decode_to_slice(text, token.as_mut_slice()).ok()?;
        Some(Self(token))
    }

    /// As it is shown, once.
    pub fn reveal(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(self.0.as_slice()))
    }

    /// A plain hash is enough: nobody searches through 256 random bits.
    pub fn digest(&self) -> TokenDigest {
        TokenDigest(Sha256::digest(self.0.as_slice()).into())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// The hash that is kept of a token.
#[derive(Clone, Copy)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Takes the same time whatever the token is.
    pub fn is_of(&self, token: &Token) -> bool {
        self.0.ct_eq(&token.digest().0).into()
    }
}

impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenDigest(..)")
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng as _;

    use super::*;

    #[test]
    fn a_token_is_known_again_by_its_hash_and_no_other_is() {
        let mut rng = ChaCha20Rng::from_seed([7; 32]);
        let (token, other) = (Token::generate(&mut rng), Token::generate(&mut rng));
        let digest = token.digest();
        assert_eq!(token.reveal().len(), 64);
        assert!(digest.is_of(&Token::parse(&token.reveal()).unwrap()));
        assert!(!digest.is_of(&other));
    }

    #[test]
    fn what_is_no_token_is_not_taken_for_one() {
        let right = "ab".repeat(32);
        assert!(Token::parse(&right).is_some());
        for wrong in [
            "",
            "ab",
            &right.to_uppercase(),
            &"zz".repeat(32),
            &"ab".repeat(33),
        ] {
            assert!(Token::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn neither_shows_itself() {
        let token = Token::parse(&"41".repeat(32)).unwrap();
        let shown = format!("{token:?} {:?}", token.digest());
        assert_eq!(shown, "Token(..) TokenDigest(..)");
    }
}
