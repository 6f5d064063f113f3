//! Names for the audit log that say nothing: the same thing has the same one, and only who has the key can tell which.

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use crate::secret::PseudonymKey;

/// Bytes of a pseudonym: enough that two things never share one by chance.
pub const LEN: usize = 16;

/// HMAC-SHA256 of a kind of thing and its id, cut to its first half.
pub fn pseudonym(key: &PseudonymKey, kind: &str, id: &str) -> [u8; LEN] {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(key.expose()).expect("HMAC takes keys of any length");
    mac.update(kind.as_bytes());
    mac.update(b"/");
    mac.update(id.as_bytes());
    let full = mac.finalize().into_bytes();
    let mut cut = [0; LEN];
    cut.copy_from_slice(&full[..LEN]);
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pseudonym_depends_on_key_kind_and_id() {
        let (one, other) = (
            PseudonymKey::from_bytes(&[1; 32]),
            PseudonymKey::from_bytes(&[2; 32]),
        );
        let first = pseudonym(&one, "user", "dr.noor");
        assert_eq!(first, pseudonym(&one, "user", "dr.noor"));
        for different in [
            pseudonym(&other, "user", "dr.noor"),
            pseudonym(&one, "group", "dr.noor"),
            pseudonym(&one, "user", "dr.lind"),
        ] {
            assert_ne!(first, different);
        }
    }
}
