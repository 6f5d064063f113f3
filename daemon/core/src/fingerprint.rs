//! Fingerprints (D26): digits that two people compare.

use connect_proto::ids::UserId;
use connect_proto::keys::{BoxPublicKey, SignPublicKey};
use sha2::{Digest as _, Sha512};
use subtle::ConstantTimeEq as _;

const ROUNDS: usize = 5200;
const GROUPS: usize = 6;
const DIGITS: usize = 5;

/// One side's thirty digits: six groups of five.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fingerprint([u32; GROUPS]);

impl Fingerprint {
    pub fn of(box_key: &BoxPublicKey, sign_key: &SignPublicKey, user_id: &UserId) -> Self {
        let mut hash = Sha512::new()
            .chain_update([0, 1])
            .chain_update(box_key.as_bytes())
            .chain_update(sign_key.as_bytes())
            .chain_update(user_id.as_str())
            .finalize();
        for _ in 1..ROUNDS {
            hash = Sha512::digest(hash);
        }
        let mut groups = [0; GROUPS];
        for (group, bytes) in groups.iter_mut().zip(hash.chunks_exact(5)) {
            let number = bytes
                .iter()
                .fold(0_u64, |n, byte| (n << 8) | u64::from(*byte));
            *group = u32::try_from(number % 100_000).expect("less than 100,000");
        }
        Self(groups)
    }
}

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (place, group) in self.0.iter().enumerate() {
            let space = if place == 0 { "" } else { " " };
            write!(f, "{space}{group:05}")?;
        }
        Ok(())
    }
}

/// What two people compare: both sides' digits, the lower side first. Each of them sees the same.
#[derive(Clone, PartialEq, Eq)]
pub struct BothSides(String);

impl BothSides {
    /// Of two fingerprints as they are written.
    pub fn of(one: &str, other: &str) -> Self {
        let (low, high) = if one <= other {
            (one, other)
        } else {
            (other, one)
        };
        Self(format!("{low} {high}"))
    }

    /// Twelve groups of five digits.
    pub fn groups(&self) -> &str {
        &self.0
    }

    /// The sixty digits alone, as a QR code carries them.
    pub fn digits(&self) -> String {
        digits(&self.0).unwrap_or_default()
    }

    /// Whether they are what somebody read out or scanned, however it is grouped; None where that is not sixty digits.
    pub fn are(&self, told: &str) -> Option<bool> {
        let told = digits(told).filter(|told| told.len() == 2 * GROUPS * DIGITS)?;
        Some(self.digits().as_bytes().ct_eq(told.as_bytes()).into())
    }
}

impl std::fmt::Debug for BothSides {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BothSides({})", self.0)
    }
}

/// One side's thirty digits as `Fingerprint` writes them, however they were grouped.
pub fn one_side(told: &str) -> Option<String> {
    let told = digits(told).filter(|told| told.len() == GROUPS * DIGITS)?;
    let mut groups = String::with_capacity(told.len() + GROUPS);
    for (place, digit) in told.chars().enumerate() {
        if place > 0 && place % DIGITS == 0 {
            groups.push(' ');
        }
        groups.push(digit);
    }
    Some(groups)
}

/// Without what people put in between; None where there is anything else.
fn digits(text: &str) -> Option<String> {
    let kept = text
        .chars()
        .filter(|char| !char.is_whitespace() && *char != '-');
    kept.map(|char| char.is_ascii_digit().then_some(char))
        .collect()
}

impl std::fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_are_the_same_from_either_and_one_digit_off_is_told() {
        let (low, high) = ("00001 2 3", "00002 2 3");
        assert_eq!(BothSides::of(low, high), BothSides::of(high, low));
        assert_eq!(BothSides::of(high, low).groups(), "00001 2 3 00002 2 3");

        let key = BoxPublicKey::from_trusted([1; 32]);
        let sign_key = SignPublicKey::from_trusted([2; 32]);
        let of = |user: &str| Fingerprint::of(&key, &sign_key, &user.parse().unwrap()).to_string();
        let both = BothSides::of(&of("alice"), &of("bob"));
        let digits = both.digits();
        assert_eq!(digits.len(), 60);
        assert_eq!(both.are(&digits), Some(true));
        assert_eq!(both.are(both.groups()), Some(true));
        assert_eq!(both.are(&both.groups().replace(' ', "-\n ")), Some(true));
        for place in 0..60 {
            let mut off = digits.clone().into_bytes();
            off[place] = b'0' + (off[place] - b'0' + 1) % 10;
            assert_eq!(both.are(&String::from_utf8(off).unwrap()), Some(false));
        }
        for other in [
            "",
            &digits[1..],
            &format!("{digits}0"),
            &digits.replacen(&digits[..1], "x", 1),
        ] {
            assert_eq!(both.are(other), None);
        }
        assert_eq!(one_side(&of("bob").replace(' ', "")), Some(of("bob")));
        assert_eq!(one_side(&digits), None);
    }

    #[test]
    fn a_fingerprint_is_six_groups_of_five_digits_of_key_and_user() {
        let box_key = BoxPublicKey::from_trusted([1; 32]);
        let sign_key = SignPublicKey::from_trusted([2; 32]);
        let alice = Fingerprint::of(&box_key, &sign_key, &"alice".parse().unwrap());
        let bob = Fingerprint::of(&box_key, &sign_key, &"bob".parse().unwrap());
        assert_ne!(alice, bob);
        let digits = alice.to_string();
        let groups: Vec<&str> = digits.split(' ').collect();
        assert_eq!(groups.len(), 6);
        assert!(
            groups
                .iter()
                .all(|g| g.len() == 5 && g.bytes().all(|b| b.is_ascii_digit()))
        );
    }
}
