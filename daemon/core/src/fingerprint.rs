//! Fingerprints (D26): digits that two people compare.

use connect_proto::ids::UserId;
use connect_proto::keys::{BoxPublicKey, SignPublicKey};
use sha2::{Digest as _, Sha512};

const ROUNDS: usize = 5200;
const GROUPS: usize = 6;

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

impl std::fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
