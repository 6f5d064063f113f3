//! What is written is read, and nothing else is.

use proptest::prelude::*;

use super::*;

fn sealed() -> Sealed {
    Sealed {
        header: Header {
            keystore: KeystoreKind::File,
            secret_id: Some(SecretId::from_bytes([7; SecretId::LEN])),
            owner: "alice".parse().unwrap(),
            cost: KdfCost::production(),
            salt: [3; SALT_LEN],
        },
        master: vec![1; MASTER_LEN],
        recovery: Some(vec![6; MASTER_LEN]),
        wrapped: Wrapped {
            boxing: vec![2; 90],
            signing: vec![3; 90],
            database: vec![4; 90],
            local_file: vec![5; 90],
            retired: Vec::new(),
            next: None,
        },
    }
}

#[test]
fn what_was_written_is_read() {
    assert_eq!(Sealed::parse(&sealed().encode()), Ok(sealed()));
    let mut without = sealed();
    without.recovery = None;
    assert_eq!(Sealed::parse(&without.encode()), Ok(without));
}

fn rotated() -> Sealed {
    let mut sealed = sealed();
    sealed.wrapped.retired = vec![Retired(vec![7; 90]), Retired(vec![8; 90])];
    sealed.wrapped.next = Some(Next {
        boxing: vec![9; 90],
        signing: vec![10; 90],
    });
    sealed
}

#[test]
fn a_file_is_of_the_first_version_until_keys_are_rotated() {
    let version = |sealed: &Sealed| {
        let file: serde_json::Value = serde_json::from_slice(&sealed.encode()).unwrap();
        file["version"].as_u64().unwrap()
    };
    assert_eq!((version(&sealed()), version(&rotated())), (1, 2));
    let mut finished = rotated();
    finished.wrapped.next = None;
    assert_eq!(version(&finished), 2);
    assert_eq!(Sealed::parse(&rotated().encode()), Ok(rotated()));
}

#[test]
fn a_version_that_does_not_fit_its_content_is_damage() {
    let text = String::from_utf8(rotated().encode()).unwrap();
    let older = text.replace("\"version\": 2", "\"version\": 1");
    assert_ne!(older, text);
    assert_eq!(Sealed::parse(older.as_bytes()), Err(Malformed));
    let newer = text.replace("\"version\": 2", "\"version\": 3");
    assert_eq!(Sealed::parse(newer.as_bytes()), Err(Malformed));
}

#[test]
fn retired_keys_that_change_places_are_damage() {
    let mut swapped = rotated();
    swapped.wrapped.retired.reverse();
    assert_ne!(swapped.checksum(), rotated().checksum());
}

#[test]
fn the_most_retired_keys_of_the_longest_owner_fit() {
    let mut sealed = rotated();
    sealed.header.owner = "a".repeat(UserId::MAX_LEN).parse().unwrap();
    // nonce, tag, label, owner, key
    sealed.wrapped.retired = vec![Retired(vec![7; 24 + 16 + 40 + 64 + 32]); MAX_RETIRED];
    assert_eq!(Sealed::parse(&sealed.encode()), Ok(sealed.clone()));
    sealed.wrapped.retired.push(Retired(vec![7; 176]));
    assert_eq!(Sealed::parse(&sealed.encode()), Err(Malformed));
}

#[test]
fn the_longest_owner_fits() {
    let mut sealed = sealed();
    sealed.header.owner = "a".repeat(UserId::MAX_LEN).parse().unwrap();
    assert!(sealed.encode().len() * 2 < MAX_BYTES);
}

#[test]
fn every_field_of_the_header_is_bound() {
    let base = sealed().header;
    let mut others = vec![base.clone(); 5];
    others[0].keystore = KeystoreKind::Passphrase;
    others[1].secret_id = None;
    others[2].owner = "alicf".parse().unwrap();
    others[3].cost = KdfCost::for_tests();
    others[4].salt[15] ^= 1;
    for other in others {
        assert_ne!(other.binding(), base.binding());
    }
}

#[test]
fn a_changed_byte_is_damage_unless_it_means_the_same() {
    let written = sealed().encode();
    for position in 0..written.len() {
        let mut changed = written.clone();
        changed[position] ^= 1;
        if let Ok(read) = Sealed::parse(&changed) {
            assert_eq!(read, sealed(), "byte {position}");
        }
    }
    assert_eq!(Sealed::parse(&written[..written.len() - 1]), Err(Malformed));
}

#[test]
fn a_hostile_cost_is_refused_before_anything_is_derived() {
    let text = String::from_utf8(sealed().encode()).unwrap();
    let hostile = text.replace("\"memory_kib\": 65536", "\"memory_kib\": 104857600");
    assert_ne!(hostile, text);
    assert_eq!(Sealed::parse(hostile.as_bytes()), Err(Malformed));
    let long = [text.as_bytes(), &vec![b' '; MAX_BYTES]].concat();
    assert_eq!(Sealed::parse(&long), Err(Malformed));
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        prop_assert_eq!(Sealed::parse(&bytes), Err(Malformed));
    }

    #[test]
    fn no_edit_makes_the_parser_panic(
        position in 0_usize..1500,
        length in 0_usize..40,
        insert in "[0-9a-f{}\\[\\]\",:\\-e. ]{0,40}",
    ) {
        let mut bytes = sealed().encode();
        let start = position.min(bytes.len());
        let end = (start + length).min(bytes.len());
        bytes.splice(start..end, insert.bytes());
        if let Ok(read) = Sealed::parse(&bytes) {
            prop_assert_eq!(read, sealed());
        }
    }
}
