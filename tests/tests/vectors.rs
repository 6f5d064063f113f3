//! Core and proto agree with the published vectors of NaCl, RFC 7748 and RFC 8032, and refuse what must fail.

use connect_core::boxes::CannotOpen;
use connect_core::nonce::Nonce;
use connect_core::secret::{BoxSecretKey, LocalFileKey, MasterKey, UnlockKey};
use connect_core::secretbox::{self, SecretboxKey};
use connect_proto::keys::{BoxPublicKey, KeyRefused, SignPublicKey};
use connect_proto::sign::{sign_rfc8032, verify_rfc8032};
use connect_tests::chosen::Chosen;
use connect_tests::hsalsa::beforenm;
use connect_tests::vectors::{Vector, expected_count, read};

/// Runs every file of a kind, those that pass and those that must fail, and counts both.
fn run(kind: &str, holds: impl Fn(&Vector) -> bool) {
    let (mut passed, mut failed) = (0, 0);
    for vector in read(kind) {
        let name = &vector.name;
        assert_eq!(holds(&vector), !vector.must_fail(), "{kind}/{name}");
        if vector.must_fail() {
            failed += 1;
        } else {
            passed += 1;
        }
    }
    assert_eq!(passed, expected_count(kind, "pass"), "{kind}");
    assert_eq!(failed, expected_count(kind, "fail"), "{kind}");
}

/// Opens as published, by the ordinary road: gate, shared secret, nonce, box.
fn open_box(vector: &Vector) -> Option<Vec<u8>> {
    let secret = BoxSecretKey::from_bytes(&vector.array("secret_key"));
    let public = BoxPublicKey::admit(&vector.bytes("public_key")).ok()?;
    let nonce = Nonce::try_from(vector.bytes("nonce").as_slice()).ok()?;
    let opened = secret
        .shared_with(&public)
        .open(&nonce, &vector.bytes("box"));
    opened.ok().map(|plaintext| plaintext.to_vec())
}

fn seal_box(vector: &Vector) -> Vec<u8> {
    let secret = BoxSecretKey::from_bytes(&vector.array("secret_key"));
    let public = BoxPublicKey::admit(&vector.bytes("public_key")).expect("a key that passes");
    let nonce = Nonce::from_bytes(vector.array("nonce"));
    secret
        .shared_with(&public)
        .seal(&nonce, &vector.bytes("plaintext"))
}

#[test]
fn boxes_open_and_seal_as_nacl_published() {
    run("box", |vector| {
        let opened = open_box(vector);
        if !vector.must_fail() {
            assert_eq!(seal_box(vector), vector.bytes("box"));
            assert_eq!(opened, Some(vector.bytes("plaintext")));
        }
        opened.is_some()
    });
}

#[test]
fn beforenm_gives_the_published_first_key() {
    for vector in read("box").iter().filter(|vector| !vector.must_fail()) {
        let first_key = MasterKey::from_bytes(&vector.array("beforenm"));
        let sealed = [vector.bytes("nonce"), seal_box(vector)].concat();
        let opened = secretbox::open(&first_key, &sealed).unwrap();
        assert_eq!(*opened, vector.bytes("plaintext"));
    }
}

/// The layout that core writes: the nonce in front.
fn open_secretbox<K: SecretboxKey>(key: &K, vector: &Vector) -> Result<Vec<u8>, CannotOpen> {
    let sealed = [vector.bytes("nonce"), vector.bytes("box")].concat();
    secretbox::open(key, &sealed).map(|plaintext| plaintext.to_vec())
}

fn secretbox_passes<K: SecretboxKey>(key: &K, vector: &Vector) -> bool {
    let opened = open_secretbox(key, vector);
    if !vector.must_fail() {
        let nonce = vector.bytes("nonce");
        let plaintext = vector.bytes("plaintext");
        let sealed = secretbox::seal(key, &plaintext, &mut Chosen::new(&nonce));
        assert_eq!(sealed, [nonce, vector.bytes("box")].concat());
        assert_eq!(opened, Ok(plaintext));
    }
    opened.is_ok()
}

#[test]
fn secretboxes_open_and_seal_as_nacl_published_under_every_type_of_key() {
    run("secretbox", |vector| {
        secretbox_passes(&MasterKey::from_bytes(&vector.array("key")), vector)
    });
    run("secretbox", |vector| {
        secretbox_passes(&UnlockKey::from_bytes(&vector.array("key")), vector)
    });
    run("secretbox", |vector| {
        secretbox_passes(&LocalFileKey::from_bytes(&vector.array("key")), vector)
    });
}

fn name(refused: KeyRefused) -> &'static str {
    match refused {
        KeyRefused::Length => "length",
        KeyRefused::NotCanonical => "not_canonical",
        KeyRefused::NotOnCurve => "not_on_curve",
        KeyRefused::WrongSubgroup => "wrong_subgroup",
    }
}

#[test]
fn x25519_agrees_with_rfc_7748_and_the_gate_refuses_what_must_fail() {
    run("x25519", |vector| {
        let public = match BoxPublicKey::admit(&vector.bytes("public_key")) {
            Ok(public) => public,
            Err(refused) => {
                assert_eq!(name(refused), vector.text("refused"), "{}", vector.name);
                return false;
            }
        };
        let secret = BoxSecretKey::from_bytes(&vector.array("secret_key"));
        let nonce = Nonce::from_bytes([7; 24]);
        let sealed = secret.shared_with(&public).seal(&nonce, b"plaintext");
        let expected_key = MasterKey::from_bytes(&beforenm(&vector.array("shared_secret")));
        let sealed = [nonce.as_bytes().as_slice(), &sealed].concat();
        secretbox::open(&expected_key, &sealed).is_ok()
    });
}

#[test]
fn public_keys_are_computed_as_rfc_7748_published() {
    let mut base_point = [0; 32];
    base_point[0] = 9;
    let mut computed = 0;
    for vector in read("x25519") {
        if vector.bytes("public_key") == base_point {
            let secret = BoxSecretKey::from_bytes(&vector.array("secret_key"));
            let expected: [u8; 32] = vector.array("shared_secret");
            assert_eq!(*secret.public_key().as_bytes(), expected);
            computed += 1;
        }
    }
    assert_eq!(computed, 3);
}

/// Either the gate or the verification refuses; each alone has to refuse a key that is no honest one.
fn verifies(vector: &Vector) -> bool {
    let key = SignPublicKey::admit(&vector.bytes("public_key"));
    let (message, signature) = (vector.bytes("message"), vector.bytes("signature"));
    key.is_ok_and(|key| verify_rfc8032(&message, &signature, &key).is_ok())
}

#[test]
fn signatures_verify_and_are_made_as_rfc_8032_published() {
    run("ed25519", |vector| {
        if !vector.must_fail() {
            let made = sign_rfc8032(&vector.array("seed"), &vector.bytes("message"));
            assert_eq!(made.as_slice(), vector.bytes("signature"));
        }
        verifies(vector)
    });
}

#[test]
fn small_order_keys_verify_nothing_even_past_the_gate() {
    let mut tried = 0;
    for vector in read("ed25519") {
        let key: [u8; 32] = vector.array("public_key");
        if SignPublicKey::admit(&key).is_err() && vector.name != "fail_key_of_mixed_order" {
            let key = SignPublicKey::from_trusted(key);
            let (message, signature) = (vector.bytes("message"), vector.bytes("signature"));
            let name = &vector.name;
            assert!(
                verify_rfc8032(&message, &signature, &key).is_err(),
                "{name}"
            );
            tried += 1;
        }
    }
    assert_eq!(tried, 6);
}
