//! The recovery key as people write it down: 160 random bits in Bech32m, whose checksum finds a mistyped letter.

use std::fmt;

use bech32::{Bech32m, Hrp};
use rand_core::CryptoRngCore;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

/// What every recovery key begins with.
pub const PREFIX: &str = "recover";
/// Bytes of it that are random.
pub const LEN: usize = 20;
/// Letters between two spaces, where one is shown.
const GROUP: usize = 6;

/// `recover1…`, as it was shown at enrollment; spaces, hyphens and capitals do not matter. Whoever has it opens the
/// account's keys without PIN and keystore. It is made by the program that shows it, is in no answer of the daemon's, and in no
/// `Debug` output.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct RecoveryKey(String);

impl RecoveryKey {
    pub fn generate(rng: &mut impl CryptoRngCore) -> Self {
        let mut bytes = Zeroizing::new([0; LEN]);
        rng.fill_bytes(bytes.as_mut_slice());
        let prefix = Hrp::parse(PREFIX).expect("a few small letters");
        let text = bech32::encode::<Bech32m>(prefix, bytes.as_slice());
        Self(text.expect("short enough for the checksum"))
    }

    /// As somebody typed it.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// What is to be written down, in groups.
    pub fn expose(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(2 * self.0.len()));
        for (place, letter) in self.0.chars().enumerate() {
            if place > 0 && place % GROUP == 0 {
                text.push(' ');
            }
            text.push(letter);
        }
        text
    }

    /// `None` where it is none, or one with a mistake in it.
    pub fn bytes(&self) -> Option<Zeroizing<[u8; LEN]>> {
        let is_letter = |letter: &char| !letter.is_whitespace() && *letter != '-';
        // Counted without what is between them: shown in groups, a key is as long as its letters.
        let letters = self.0.chars().filter(is_letter).take(256);
        let text: Zeroizing<String> =
            Zeroizing::new(letters.map(|l| l.to_ascii_lowercase()).collect());
        let read = bech32::primitives::decode::CheckedHrpstring::new::<Bech32m>(&text).ok()?;
        if read.hrp().as_str() != PREFIX {
            return None;
        }
        let mut bytes = Zeroizing::new([0; LEN]);
        let mut given = read.byte_iter();
        for byte in bytes.iter_mut() {
            *byte = given.next()?;
        }
        given.next().is_none().then_some(bytes)
    }
}

impl Drop for RecoveryKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for RecoveryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use rand_core::impls;

    use super::*;

    struct Sevens;

    impl rand_core::RngCore for Sevens {
        fn next_u32(&mut self) -> u32 {
            0x0707_0707
        }
        fn next_u64(&mut self) -> u64 {
            0x0707_0707_0707_0707
        }
        fn fill_bytes(&mut self, dest: &mut [u8]) {
            impls::fill_bytes_via_next(self, dest);
        }
        fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), rand_core::Error> {
            self.fill_bytes(dest);
            Ok(())
        }
    }

    impl rand_core::CryptoRng for Sevens {}

    #[test]
    fn it_is_read_as_it_is_shown_and_as_people_type_it() {
        let key = RecoveryKey::generate(&mut Sevens);
        let shown = key.expose();
        assert_eq!(*key.bytes().unwrap(), [7; LEN]);
        for typed in [
            shown.to_string(),
            shown.to_uppercase(),
            shown.replace(' ', "-"),
            format!("  {}\n", shown.replace(' ', "")),
        ] {
            assert_eq!(*RecoveryKey::new(typed).bytes().unwrap(), [7; LEN]);
        }
    }

    #[test]
    fn whatever_is_read_is_read_again_as_it_is_shown() {
        let shown = RecoveryKey::generate(&mut Sevens).expose().to_string();
        let wide = RecoveryKey::new(format!("{}{shown}", "\n".repeat(200)));
        assert_eq!(*wide.bytes().unwrap(), [7; LEN]);
        let again = RecoveryKey::new(wide.expose().to_string());
        assert_eq!(*again.bytes().unwrap(), [7; LEN]);
    }

    #[test]
    fn a_mistyped_letter_is_found() {
        let right = RecoveryKey::generate(&mut Sevens).0.clone();
        for place in 0..right.len() {
            let mut wrong = right.clone().into_bytes();
            wrong[place] = if wrong[place] == b'q' { b'p' } else { b'q' };
            let wrong = String::from_utf8(wrong).unwrap();
            assert!(RecoveryKey::new(wrong).bytes().is_none(), "letter {place}");
        }
        for other in [
            "",
            "recover1",
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
            "12345",
        ] {
            assert!(
                RecoveryKey::new(other.to_owned()).bytes().is_none(),
                "{other}"
            );
        }
    }
}
