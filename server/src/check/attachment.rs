//! What an attachment may be announced as, and how long each of its chunks is (D15).

use std::collections::HashSet;

use connect_proto::hash::{Digest, sha256};
use connect_proto::ids::{AttachmentId, UserId};
use connect_proto::{codec, routes, wire};

use crate::refusal::{Refusal, Wrong};

const FULL: u64 = routes::CHUNK_CIPHERTEXT as u64;
const EMPTY: u64 = routes::CHUNK_OVERHEAD as u64;

/// A checked `CreateAttachment`.
#[derive(Debug)]
pub(crate) struct Announced {
    pub(crate) id: AttachmentId,
    pub(crate) size: u64,
    pub(crate) chunk_count: u32,
    pub(crate) readers: Vec<UserId>,
    /// Of all of it, whatever the order of the readers.
    pub(crate) digest: Digest,
}

pub(crate) fn check(
    mut create: wire::CreateAttachment,
    max_bytes: u64,
) -> Result<Announced, Refusal> {
    let id = create.attachment_id.as_slice();
    let id = id.try_into().map_err(|_| Wrong::AttachmentId)?;
    let (size, chunk_count) = (create.ciphertext_size, create.chunk_count);
    if create.reader_ids.len() > routes::MAX_ATTACHMENT_READERS || size > max_bytes {
        return Err(Refusal::TooLarge);
    }
    if last_len(size, chunk_count).is_none() {
        return Err(Refusal::WrongSize);
    }
    create.reader_ids.sort_unstable();
    let mut seen = HashSet::with_capacity(create.reader_ids.len());
    for reader in &create.reader_ids {
        let reader: UserId = reader.parse().map_err(|_| Wrong::RecipientId)?;
        if !seen.insert(reader) {
            return Err(Wrong::DuplicateRecipient.into());
        }
    }
    Ok(Announced {
        id,
        size,
        chunk_count,
        digest: sha256(&codec::encode(&create)),
        readers: seen.into_iter().collect(),
    })
}

/// How long a chunk of it is; none where it has no such chunk.
pub(crate) fn chunk_len(size: u64, chunk_count: u32, index: u32) -> Option<u64> {
    if index == 0 || index > chunk_count {
        None
    } else if index < chunk_count {
        Some(FULL)
    } else {
        last_len(size, chunk_count)
    }
}

/// None where so many chunks do not make that size: all are full but the last one, and that one is empty only where it
/// is the only one.
fn last_len(size: u64, chunk_count: u32) -> Option<u64> {
    let full = u64::from(chunk_count.checked_sub(1)?);
    let last = size.checked_sub(full * FULL)?;
    let is_right = (EMPTY..=FULL).contains(&last) && (last > EMPTY || full == 0);
    is_right.then_some(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: u64 = 10 << 30;

    fn create(size: u64, chunk_count: u32, readers: &[&str]) -> wire::CreateAttachment {
        wire::CreateAttachment {
            attachment_id: vec![7; 16],
            ciphertext_size: size,
            chunk_count,
            reader_ids: readers.iter().map(|&id| id.to_owned()).collect(),
        }
    }

    #[test]
    fn only_sizes_that_sealing_makes_are_taken() {
        for (size, chunk_count) in [
            (16, 1),
            (17, 1),
            (FULL, 1),
            (FULL + 17, 2),
            (2 * FULL, 2),
            (512 * FULL, 512),
        ] {
            let announced = check(create(size, chunk_count, &["bob"]), LIMIT).unwrap();
            assert_eq!((announced.size, announced.chunk_count), (size, chunk_count));
            let lens = (1..=chunk_count).map(|index| chunk_len(size, chunk_count, index).unwrap());
            assert_eq!(lens.sum::<u64>(), size);
        }
        for (size, chunk_count) in [
            (0, 0),
            (16, 0),
            (0, 1),
            (15, 1),
            (FULL + 1, 1),
            (FULL, 2),
            (FULL + 16, 2),
            (FULL, 3),
            (1, u32::MAX),
        ] {
            let refused = check(create(size, chunk_count, &["bob"]), LIMIT).unwrap_err();
            assert!(
                matches!(refused, Refusal::WrongSize),
                "{size} {chunk_count}"
            );
        }
        for size in [LIMIT + 1, 1_000_000_000_000_000_000, u64::MAX] {
            let refused = check(create(size, 1, &["bob"]), LIMIT).unwrap_err();
            assert!(matches!(refused, Refusal::TooLarge), "{size}");
        }
    }

    #[test]
    fn there_is_no_chunk_before_the_first_or_after_the_last() {
        assert_eq!(chunk_len(FULL + 20, 2, 0), None);
        assert_eq!(chunk_len(FULL + 20, 2, 1), Some(FULL));
        assert_eq!(chunk_len(FULL + 20, 2, 2), Some(20));
        assert_eq!(chunk_len(FULL + 20, 2, 3), None);
    }

    #[test]
    fn the_same_readers_in_another_order_are_the_same() {
        let digest = |readers: &[&str]| check(create(16, 1, readers), LIMIT).unwrap().digest;
        assert_eq!(digest(&["bob", "carol"]), digest(&["carol", "bob"]));
        assert_ne!(digest(&["bob", "carol"]), digest(&["bob"]));
    }

    #[test]
    fn every_wrong_field_has_its_word() {
        let short = wire::CreateAttachment {
            attachment_id: vec![7; 15],
            ..create(16, 1, &[])
        };
        let names: Vec<String> = (0..=routes::MAX_ATTACHMENT_READERS)
            .map(|n| n.to_string())
            .collect();
        let many: Vec<&str> = names.iter().map(String::as_str).collect();
        let word = |create| check(create, LIMIT).unwrap_err().to_string();
        assert_eq!(word(short), "wrong_attachment_id");
        assert_eq!(word(create(16, 1, &["b b"])), "wrong_recipient_id");
        assert_eq!(word(create(16, 1, &["bob", "bob"])), "duplicate_recipient");
        assert_eq!(word(create(16, 1, &many)), "too_large");
        assert!(check(create(16, 1, &many[1..]), LIMIT).is_ok());
        assert!(check(create(16, 1, &[]), LIMIT).is_ok());
    }
}
