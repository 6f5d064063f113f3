//! Which PINs and passphrases are accepted for sealing, and how one becomes bytes.
//!
//! A rule of our own rather than `zxcvbn`: that crate carries megabytes of word lists and a regex engine into a process
//! that holds keys, and its score depends on the version of its lists. Here a refusal can be explained in one sentence.

use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

use crate::keystore::KeystoreKind;

/// Shortest PIN, where a keystore makes guessing offline impossible (§4.1.3).
pub const MIN_PIN: usize = 5;
/// Shortest passphrase where there is no keystore (D22).
pub const MIN_PASSPHRASE: usize = 12;
/// A passphrase of nothing but digits says little per character.
pub const MIN_PASSPHRASE_OF_DIGITS: usize = 20;
/// Characters that a passphrase must have left once what is easily guessed is taken away.
const MIN_SURPRISES: usize = 8;
/// Longest of either, in bytes.
pub const MAX_BYTES: usize = 1024;

/// What a guesser tries first, counted as a single character each.
const GUESSED_FIRST: [&str; 26] = [
    "qwertzuiop",
    "qwertyuiop",
    "azertyuiop",
    "asdfghjkl",
    "passphrase",
    "motdepasse",
    "contraseña",
    "wachtwoord",
    "krankenhaus",
    "password",
    "passwort",
    "passw0rd",
    "doctolib",
    "hospital",
    "hopital",
    "connect",
    "welcome",
    "geheim",
    "secret",
    "qwerty",
    "qwertz",
    "azerty",
    "letmein",
    "doctor",
    "siilo",
    "admin",
];

/// Why a new PIN or passphrase is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PinRefused {
    /// At least `MIN_PIN` characters, `MIN_PASSPHRASE` or `MIN_PASSPHRASE_OF_DIGITS`.
    #[error("too short")]
    TooShort,
    #[error("too long: at most {MAX_BYTES} bytes are accepted")]
    TooLong,
    #[error("too easily guessed: no sequences, repetitions or common words")]
    TooWeak,
}

/// Whether keys may be sealed under this. What was accepted once is never refused when unlocking.
pub(crate) fn check_new(pin: &str, kind: KeystoreKind) -> Result<(), PinRefused> {
    if pin.len() > MAX_BYTES {
        return Err(PinRefused::TooLong);
    }
    if kind.has_secret() {
        check_pin(pin)
    } else {
        check_passphrase(pin)
    }
}

/// The bytes that are stretched: NFC, so that no keyboard's way to compose an accent locks anyone out.
pub(crate) fn bytes(pin: &str) -> Zeroizing<Vec<u8>> {
    // NFC makes no text longer than three times (UAX #15); enough room, so that no copy is left by growing.
    let mut bytes = Zeroizing::new(Vec::with_capacity(pin.len() * 3 + 4));
    let mut utf8 = Zeroizing::new([0; 4]);
    for letter in pin.nfc() {
        bytes.extend_from_slice(letter.encode_utf8(&mut *utf8).as_bytes());
    }
    bytes
}

/// Whoever guesses has nine attempts, and needs the keystore besides (D22, D23).
fn check_pin(pin: &str) -> Result<(), PinRefused> {
    if length(pin, &letters(pin)) < MIN_PIN {
        return Err(PinRefused::TooShort);
    }
    Ok(())
}

fn check_passphrase(pin: &str) -> Result<(), PinRefused> {
    let letters = letters(pin);
    let at_least = if letters.iter().all(char::is_ascii_digit) {
        MIN_PASSPHRASE_OF_DIGITS
    } else {
        MIN_PASSPHRASE
    };
    if length(pin, &letters) < at_least {
        return Err(PinRefused::TooShort);
    }
    if repeats_a_block(&letters, letters.len() / 2) || surprises(pin) < MIN_SURPRISES {
        return Err(PinRefused::TooWeak);
    }
    Ok(())
}

/// How many characters count: the fewer of those typed and those composed, since NFC takes a few apart (U+0344) that are
/// one key to whoever types them.
fn length(pin: &str, letters: &[char]) -> usize {
    letters.len().min(pin.chars().count())
}

fn letters(pin: &str) -> Zeroizing<Vec<char>> {
    let mut letters = Zeroizing::new(Vec::with_capacity(pin.len() * 3));
    letters.extend(pin.nfc());
    letters
}

/// `12121`, `00000`, `abcabcabcabc`: one block of at most `longest` over and over.
fn repeats_a_block(letters: &[char], longest: usize) -> bool {
    (1..=longest).any(|block| {
        letters
            .iter()
            .zip(letters.iter().skip(block))
            .all(|(a, b)| a == b)
    })
}

/// How many characters do not follow from the one before, common words counted once.
fn surprises(pin: &str) -> usize {
    let mut text = Zeroizing::new(pin.to_lowercase());
    for word in GUESSED_FIRST {
        text = Zeroizing::new(text.replace(word, "\u{1}"));
    }
    let mut count = 0;
    let mut before = None;
    for letter in text.chars().map(u32::from) {
        if before.is_none_or(|before: u32| before.abs_diff(letter) > 1) {
            count += 1;
        }
        before = Some(letter);
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_of_five_digits_is_enough_beside_a_keystore_only() {
        assert_eq!(check_new("29571", KeystoreKind::File), Ok(()));
        assert_eq!(
            check_new("29571", KeystoreKind::Passphrase),
            Err(PinRefused::TooShort)
        );
        assert_eq!(
            check_new("2957", KeystoreKind::File),
            Err(PinRefused::TooShort)
        );
    }

    #[test]
    fn passphrases_that_are_guessed_first_are_refused() {
        for weak in [
            "aaaaaaaaaaaa",
            "abcdefghijklmnop",
            "abcabcabcabc",
            "PasswordPassword",
            "qwertyuiop12",
            "Passw0rd1234",
            "12345678901234567890",
        ] {
            let refused = check_new(weak, KeystoreKind::Passphrase);
            assert_eq!(refused, Err(PinRefused::TooWeak), "{weak}");
        }
        for strong in [
            "correct horse battery staple",
            "Ward 7, bed 12, window",
            "kT9#vQ2!mX4z",
            "82640917350264819375",
            "été à la plage",
        ] {
            assert_eq!(check_new(strong, KeystoreKind::Passphrase), Ok(()));
        }
    }

    #[test]
    fn the_longest_is_bounded() {
        let long = "9a".repeat(MAX_BYTES);
        assert_eq!(
            check_new(&long, KeystoreKind::Passphrase),
            Err(PinRefused::TooLong)
        );
    }

    #[test]
    fn a_character_counts_once_however_many_it_is_composed_of() {
        // Four characters that NFC makes eight of, and eight that it makes four of.
        for short in ["\u{344}".repeat(4), "e\u{301}".repeat(4)] {
            let refused = check_new(&short, KeystoreKind::File);
            assert_eq!(refused, Err(PinRefused::TooShort), "{short:?}");
        }
        let short = "\u{344}x".repeat(5);
        let refused = check_new(&short, KeystoreKind::Passphrase);
        assert_eq!(refused, Err(PinRefused::TooShort));
    }

    #[test]
    fn an_accent_is_the_same_however_it_was_composed() {
        assert_eq!(*bytes("e\u{301}te\u{301}"), *bytes("\u{e9}t\u{e9}"));
        assert_ne!(*bytes("ete"), *bytes("\u{e9}t\u{e9}"));
    }
}
