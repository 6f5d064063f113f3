//! Chunks open where and as they were sealed, and nowhere else; what a sender says is held against itself.

use crypto_secretbox::XSalsa20Poly1305;
use crypto_secretbox::aead::KeyInit as _;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

use super::*;
use crate::boxes::seal_in_place;

const KIB: usize = 1 << 10;

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(15)
}

fn said() -> wire::Attachment {
    let blob = seal_blob(b"film", "image/png", &mut rng()).unwrap();
    wire::Attachment {
        filename: "knee.png".to_owned(),
        caption: "left".to_owned(),
        thumbnail: vec![7; MAX_THUMBNAIL],
        ..to_wire(&blob.attachment)
    }
}

fn refused(change: impl FnOnce(&mut wire::Attachment)) -> Option<AttachmentRefused> {
    let mut wire = said();
    change(&mut wire);
    from_wire(wire).err()
}

#[test]
fn what_was_said_is_read_back() {
    let attachment = from_wire(said()).unwrap();
    assert_eq!(to_wire(&attachment), said());
    assert!(!format!("{attachment:?} {:?}", attachment.key).contains("knee"));
}

#[test]
fn every_claim_has_its_answer() {
    use AttachmentRefused::{Malformed, NameTooLong, SizesDisagree, ThumbnailTooLarge, TooLarge};
    assert_eq!(refused(|_| ()), None);
    for (expected, got) in [
        (Malformed, refused(|wire| wire.attachment_id.push(0))),
        (Malformed, refused(|wire| wire.key.push(0))),
        (Malformed, refused(|wire| wire.ciphertext_sha256.clear())),
        (Malformed, refused(|wire| wire.chunk_size = 1)),
        (
            TooLarge,
            refused(|wire| wire.plaintext_size = 10_u64.pow(18)),
        ),
        (TooLarge, refused(|wire| wire.plaintext_size = u64::MAX)),
        (SizesDisagree, refused(|wire| wire.chunk_count = 0)),
        (SizesDisagree, refused(|wire| wire.chunk_count = 2)),
        (SizesDisagree, refused(|wire| wire.plaintext_size = 3 << 20)),
        (ThumbnailTooLarge, refused(|wire| wire.thumbnail.push(0))),
        (
            NameTooLong,
            refused(|wire| wire.filename = "x".repeat(KIB + 1)),
        ),
        (
            NameTooLong,
            refused(|wire| wire.media_type = "x".repeat(256)),
        ),
        (
            NameTooLong,
            refused(|wire| wire.caption = "x".repeat(16 * KIB + 1)),
        ),
    ] {
        assert_eq!(got, Some(expected));
    }
}

#[test]
fn sizes_and_counts_agree_around_the_border() {
    let chunk = CHUNK as u64;
    for (size, count, last) in [
        (0, 1, 0),
        (1, 1, 1),
        (chunk - 1, 1, CHUNK - 1),
        (chunk, 1, CHUNK),
        (chunk + 1, 2, 1),
        (3 * chunk, 3, CHUNK),
    ] {
        assert_eq!(chunk_count(size), Some(count), "{size}");
        assert_eq!(sealed_chunk_len(size, count), Some(last + TAG_LEN));
        assert_eq!(sealed_chunk_len(size, count + 1), None);
        assert_eq!(sealed_chunk_len(size, 0), None);
        let all: u64 = (1..=count)
            .map(|i| sealed_chunk_len(size, i).unwrap() as u64)
            .sum();
        assert_eq!(all, sealed_size(size, count));
    }
    assert_eq!(chunk_count(MAX_SIZE), Some(1 << 19));
    assert_eq!(chunk_count(MAX_SIZE + 1), None);
}

#[test]
fn a_chunk_opens_at_its_own_place_alone() {
    let key = AttachmentKey::from_bytes(&[3; 32]);
    let mut sealed = seal_chunk(&key, 1, b"chunk");
    assert_eq!(open_chunk(&key, 1, &sealed).unwrap().as_slice(), b"chunk");
    assert!(open_chunk(&key, 2, &sealed).is_err());
    assert!(open_chunk(&AttachmentKey::from_bytes(&[4; 32]), 1, &sealed).is_err());
    assert!(open_chunk(&key, 1, &sealed[..sealed.len() - 1]).is_err());
    for position in 0..sealed.len() {
        sealed[position] ^= 1;
        assert!(open_chunk(&key, 1, &sealed).is_err(), "byte {position}");
        sealed[position] ^= 1;
    }
    sealed.push(0);
    assert!(open_chunk(&key, 1, &sealed).is_err());
}

/// The nonce by NaCl's own words: secretbox with the nonce in front opens what was sealed.
#[test]
fn the_nonce_is_the_index_in_little_endian() {
    let mut nonce = [0; NONCE_LEN];
    (nonce[0], nonce[1]) = (0x02, 0x01);
    let key = AttachmentKey::from_bytes(&[9; 32]);
    let cipher = XSalsa20Poly1305::new(key.expose().into());
    let sealed = seal_in_place(&cipher, &Nonce::from_bytes(nonce), b"258");
    assert_eq!(seal_chunk(&key, 258, b"258"), sealed);
}

#[test]
fn a_blob_opens_whole_or_not_at_all() {
    for size in [0, 1, CHUNK, CHUNK + 1] {
        let plaintext: Vec<u8> = (0..=250).cycle().take(size).collect();
        let blob = seal_blob(&plaintext, "application/octet-stream", &mut rng()).unwrap();
        let opened = open_blob(&blob.attachment, &blob.chunks).unwrap();
        assert!(*opened == plaintext);
        let mut swapped = blob.chunks.clone();
        swapped.reverse();
        assert_eq!(
            open_blob(&blob.attachment, &swapped).is_err(),
            swapped.len() > 1
        );
        let short = &blob.chunks[..blob.chunks.len() - 1];
        assert!(open_blob(&blob.attachment, short).is_err());
        let mut lying = blob.attachment.clone();
        lying.plaintext_size += 1;
        assert!(open_blob(&lying, &blob.chunks).is_err());
    }
}
