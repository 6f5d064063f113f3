//! What the relay alone can compute: its operations key, and the keyed hashes that stand for a relation it forgets.

use std::fmt;

use connect_proto::hash::sha256;
use connect_proto::ids::{MessageId, UserId};
use connect_proto::sign::SignSecretKey;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// Half a SHA-256: 128 bits are enough where nobody can search for a collision.
pub(crate) type Tag = [u8; 16];

/// The operations key (§5.2), and the secret that is derived from it.
pub(crate) struct RelaySecret {
    pub(crate) operations: SignSecretKey,
    tag_key: Zeroizing<[u8; 32]>,
}

impl RelaySecret {
    pub(crate) fn from_seed(seed: &[u8; 32]) -> Self {
        let labelled = Zeroizing::new([b"connect-relay/tags/v1".as_slice(), seed].concat());
        Self {
            operations: SignSecretKey::from_seed(seed),
            tag_key: Zeroizing::new(sha256(&labelled)),
        }
    }

    /// Stands for (recipient, sender, message id): recognises a repeat, and tells nobody without the key who wrote
    /// to whom.
    pub(crate) fn dedup_tag(&self, recipient: &UserId, sender: &UserId, message: &[u8]) -> Tag {
        self.tag(
            b"dedup",
            &[
                recipient.as_str().as_bytes(),
                sender.as_str().as_bytes(),
                message,
            ],
        )
    }

    /// The id of an envelope that the relay itself writes: the same cause makes the same id.
    pub(crate) fn message_id(&self, cause: &[&[u8]]) -> MessageId {
        MessageId::from_bytes(self.tag(b"message", cause))
    }

    /// The key is hashed first and has a fixed length, and each part carries its own: no two inputs look alike.
    fn tag(&self, purpose: &[u8], parts: &[&[u8]]) -> Tag {
        let mut hash = Sha256::new_with_prefix(self.tag_key.as_slice());
        for part in [purpose].iter().chain(parts) {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        truncate(hash.finalize().into())
    }
}

impl fmt::Debug for RelaySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RelaySecret(..)")
    }
}

/// The first half of a digest.
pub(crate) fn truncate(digest: [u8; 32]) -> Tag {
    let mut tag = Tag::default();
    tag.copy_from_slice(&digest[..16]);
    tag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_depends_on_every_part_and_on_the_key() {
        let [alice, bob]: [UserId; 2] = ["alice", "bob"].map(|id| id.parse().unwrap());
        let secret = RelaySecret::from_seed(&[1; 32]);
        let tag = secret.dedup_tag(&alice, &bob, &[1; 16]);
        assert_eq!(tag, secret.dedup_tag(&alice, &bob, &[1; 16]));
        assert_ne!(tag, secret.dedup_tag(&bob, &alice, &[1; 16]));
        assert_ne!(tag, secret.dedup_tag(&alice, &bob, &[2; 16]));
        assert_ne!(
            tag,
            RelaySecret::from_seed(&[2; 32]).dedup_tag(&alice, &bob, &[1; 16])
        );
    }

    #[test]
    fn debug_of_the_secret_tells_nothing() {
        assert_eq!(
            format!("{:?}", RelaySecret::from_seed(&[1; 32])),
            "RelaySecret(..)"
        );
    }
}
