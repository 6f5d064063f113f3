//! Core and proto against libsodium, both ways: what one side makes the other reads, and both refuse the same.
//!
//! `CONNECT_DIFFERENTIAL=N` runs N messages each way instead of 2,000.

use connect_core::nonce::Nonce;
use connect_core::secret::{BoxSecretKey, MasterKey};
use connect_core::secretbox;
use connect_proto::keys::{BoxPublicKey, SignPublicKey};
use connect_proto::sign::{SignSecretKey, sign_rfc8032, verify_rfc8032};
use connect_tests::chosen::Chosen;
use connect_tests::python::Answerer;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore as _, SeedableRng as _};

const LONGEST: u64 = 20_000;

fn rounds() -> u64 {
    let asked = std::env::var("CONNECT_DIFFERENTIAL").ok();
    asked.map_or(2_000, |asked| {
        asked.parse().expect("CONNECT_DIFFERENTIAL is a number")
    })
}

/// The lengths at the edges first; after that every fourth is of any length, and the others are as short as texts are.
fn length(round: u64, rng: &mut ChaCha20Rng) -> u64 {
    const EDGES: [u64; 12] = [0, 1, 15, 16, 17, 31, 32, 33, 63, 64, 65, LONGEST];
    let edge = usize::try_from(round)
        .ok()
        .and_then(|round| EDGES.get(round));
    let longest = if round.is_multiple_of(4) {
        LONGEST
    } else {
        1_000
    };
    edge.copied()
        .unwrap_or_else(|| rng.next_u64() % (longest + 1))
}

fn random<const N: usize>(rng: &mut ChaCha20Rng) -> [u8; N] {
    let mut bytes = [0; N];
    rng.fill_bytes(&mut bytes);
    bytes
}

fn random_message(round: u64, rng: &mut ChaCha20Rng) -> Vec<u8> {
    let length = usize::try_from(length(round, rng)).expect("short");
    let mut message = vec![0; length];
    rng.fill_bytes(&mut message);
    message
}

/// One bit of any byte.
fn flipped(bytes: &[u8], rng: &mut ChaCha20Rng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let bit = usize::try_from(rng.next_u64() % (bytes.len() as u64 * 8)).expect("short");
    bytes[bit / 8] ^= 1 << (bit % 8);
    bytes
}

/// Asks the other side to make something of its own, which a failure can have made again by the same seed.
fn make<const N: usize>(
    other: &mut Answerer,
    what: &str,
    round: u64,
    argument: &str,
) -> [Vec<u8>; N] {
    let seed = format!("{what} {round}");
    let made = other.ask_fields(&[what.as_bytes(), seed.as_bytes(), argument.as_bytes()]);
    made.try_into().expect(what)
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect("the other side's sizes are ours")
}

fn key(bytes: &[u8]) -> BoxSecretKey {
    BoxSecretKey::from_bytes(&array(bytes))
}

#[test]
fn libsodium_opens_what_core_boxes_and_neither_opens_what_was_changed() {
    let mut libsodium = Answerer::start("nacl_answers.py");
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    for round in 0..rounds() {
        let alice = BoxSecretKey::generate(&mut rng);
        let bob = BoxSecretKey::generate(&mut rng);
        let (nonce, message): ([u8; 24], _) = (random(&mut rng), random_message(round, &mut rng));
        let shared = alice.shared_with(&bob.public_key());
        let mut sealed = shared.seal(&Nonce::from_bytes(nonce), &message);
        let mut expected = vec![
            b"opened".to_vec(),
            message,
            bob.public_key().as_bytes().to_vec(),
        ];
        if round % 8 == 7 {
            sealed = flipped(&sealed, &mut rng);
            let opened = shared.open(&Nonce::from_bytes(nonce), &sealed);
            assert!(opened.is_err(), "round {round}");
            expected = vec![b"refused".to_vec()];
        }
        let public = alice.public_key();
        let question: [&[u8]; 5] = [
            b"open_box",
            public.as_bytes(),
            bob.expose(),
            &nonce,
            &sealed,
        ];
        assert_eq!(libsodium.ask_fields(&question), expected, "round {round}");
    }
}

#[test]
fn core_opens_what_libsodium_boxes_and_boxes_the_same() {
    let mut libsodium = Answerer::start("nacl_answers.py");
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    for round in 0..rounds() {
        let length = length(round, &mut rng).to_string();
        let [
            sender_public,
            sender,
            reader_public,
            reader,
            nonce,
            plaintext,
            sealed,
        ] = make(&mut libsodium, "make_box", round, &length);
        let nonce = || Nonce::from_bytes(array(&nonce));
        let (sender, reader) = (key(&sender), key(&reader));
        let sender_public = BoxPublicKey::admit(&sender_public).expect("an honest key");
        assert_eq!(sender.public_key(), sender_public, "round {round}");
        assert_eq!(reader.public_key().as_bytes().as_slice(), reader_public);
        let back = reader.shared_with(&sender_public);
        let opened = back.open(&nonce(), &sealed).expect("opens");
        assert_eq!(*opened, plaintext, "round {round}");
        let forth = sender.shared_with(&reader.public_key());
        assert_eq!(forth.seal(&nonce(), &plaintext), sealed, "round {round}");
        let changed = flipped(&sealed, &mut rng);
        assert!(back.open(&nonce(), &changed).is_err(), "round {round}");
    }
}

#[test]
fn core_opens_the_secretboxes_of_libsodium_and_makes_the_same() {
    let mut libsodium = Answerer::start("nacl_answers.py");
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    for round in 0..rounds() {
        let length = length(round, &mut rng).to_string();
        let [key, nonce, plaintext, sealed] =
            make(&mut libsodium, "make_secretbox", round, &length);
        let key = MasterKey::from_bytes(&array(&key));
        let expected = [nonce.as_slice(), &sealed].concat();
        let sealed = secretbox::seal(&key, &plaintext, &mut Chosen::new(&nonce));
        assert_eq!(sealed, expected, "round {round}");
        let opened = secretbox::open(&key, &expected).expect("opens");
        assert_eq!(*opened, plaintext, "round {round}");
    }
}

#[test]
fn libsodium_opens_the_secretboxes_of_core() {
    let mut libsodium = Answerer::start("nacl_answers.py");
    let mut rng = ChaCha20Rng::seed_from_u64(4);
    for round in 0..rounds() {
        let key: [u8; 32] = random(&mut rng);
        let message = random_message(round, &mut rng);
        let mut sealed = secretbox::seal(&MasterKey::from_bytes(&key), &message, &mut rng);
        let mut expected = vec![b"opened".to_vec(), message];
        if round % 8 == 7 {
            sealed = flipped(&sealed, &mut rng);
            let opened = secretbox::open(&MasterKey::from_bytes(&key), &sealed);
            assert!(opened.is_err(), "round {round}");
            expected = vec![b"refused".to_vec()];
        }
        let (nonce, sealed) = sealed.split_at(24);
        let question: [&[u8]; 4] = [b"open_secretbox", &key, nonce, sealed];
        assert_eq!(libsodium.ask_fields(&question), expected, "round {round}");
    }
}

#[test]
fn proto_verifies_what_libsodium_signs_and_signs_the_same() {
    let mut libsodium = Answerer::start("nacl_answers.py");
    let mut rng = ChaCha20Rng::seed_from_u64(5);
    for round in 0..rounds() {
        let length = length(round, &mut rng).to_string();
        let [seed, public, message, signature] =
            make(&mut libsodium, "make_signature", round, &length);
        assert_eq!(sign_rfc8032(&array(&seed), &message).as_slice(), signature);
        let key = SignPublicKey::admit(&public).expect("an honest key");
        assert_eq!(key, SignSecretKey::from_seed(&array(&seed)).public_key());
        let verified = verify_rfc8032(&message, &signature, &key);
        assert!(verified.is_ok(), "round {round}");
    }
}

#[test]
fn libsodium_verifies_what_proto_signs_and_both_refuse_what_was_changed() {
    let mut libsodium = Answerer::start("nacl_answers.py");
    let mut rng = ChaCha20Rng::seed_from_u64(6);
    for round in 0..rounds() {
        let seed: [u8; 32] = random(&mut rng);
        let key = SignSecretKey::from_seed(&seed).public_key();
        let message = random_message(round, &mut rng);
        let mut signature = sign_rfc8032(&seed, &message).to_vec();
        let mut expected: &[u8] = b"verifies";
        if round % 8 == 7 {
            signature = flipped(&signature, &mut rng);
            expected = b"refused";
        }
        let verified = verify_rfc8032(&message, &signature, &key).is_ok();
        assert_eq!(verified, expected == b"verifies", "round {round}");
        let question: [&[u8]; 4] = [b"check_signature", key.as_bytes(), &message, &signature];
        assert_eq!(libsodium.ask_fields(&question), [expected], "round {round}");
    }
}

#[test]
fn the_gate_agrees_with_an_independent_one_on_every_kind_of_key() {
    const KINDS: [&str; 6] = [
        "honest",
        "mixed",
        "torsion",
        "random",
        "not_canonical",
        "high_bit",
    ];
    let judgement = |admitted| if admitted { "admitted" } else { "refused" };
    let mut python = Answerer::start("nacl_answers.py");
    let mut admitted = 0;
    for round in 0..rounds() {
        let kind = KINDS[usize::try_from(round).expect("short") % KINDS.len()];
        let [box_key, box_judged, sign_key, sign_judged] =
            make(&mut python, "judge_keys", round, kind);
        let box_ours = judgement(BoxPublicKey::admit(&box_key).is_ok());
        let sign_ours = judgement(SignPublicKey::admit(&sign_key).is_ok());
        assert_eq!(box_ours.as_bytes(), box_judged, "{kind} {round}");
        assert_eq!(sign_ours.as_bytes(), sign_judged, "{kind} {round}");
        if kind == "honest" {
            assert_eq!((box_ours, sign_ours), ("admitted", "admitted"), "{round}");
        }
        admitted += u64::from(box_ours == "admitted");
    }
    assert!(admitted >= rounds() / 6, "{admitted}");
}
