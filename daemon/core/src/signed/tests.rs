//! Every way in which an entry of a case can be refused, by name.

use connect_proto::ids::{AttachmentId, CaseId, InstallationId, MessageId, UserId};
use connect_proto::keys::BoxPublicKey;
use connect_proto::sign::{Purpose, SignSecretKey};
use connect_proto::{codec, wire};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

use super::entry::{Author, Entry, seal};
use super::open::{self, Opened, Signer};
use crate::case::control::Control;
use crate::case::control::tests::first;
use crate::case::field::Field;
use crate::case::rules::{GRACE_MS, check_epoch};
use crate::case::share::KeyShare;
use crate::case::{field, log, share};
use crate::message::{Payload, Text, decode, encode};
use crate::nonce::Nonce;
use crate::padding::{pad, unpad};
use crate::refusal::Refusal;
use crate::refused::PayloadRefused;
use crate::secret::{BoxSecretKey, CaseKey};
use crate::secretbox::{open_apart, seal_apart};
use crate::standing::Standing;

const CASE: CaseId = CaseId::from_bytes([9; 16]);

struct Person {
    user: UserId,
    box_key: BoxPublicKey,
    sign: SignSecretKey,
}

fn person(name: &str, seed: u8) -> Person {
    Person {
        user: user(name),
        box_key: BoxSecretKey::from_bytes(&[seed; 32]).public_key(),
        sign: SignSecretKey::from_seed(&[seed; 32]),
    }
}

fn user(name: &str) -> UserId {
    name.parse().unwrap()
}

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(3)
}

fn key() -> CaseKey {
    CaseKey::from_bytes(&[6; 32])
}

fn text() -> Payload {
    Payload::Text(Text {
        body: "hello".to_owned(),
        reply_to: None,
    })
}

fn written(author: &Person, payload: &Payload) -> wire::Envelope {
    let entry = Entry {
        case_id: CASE,
        epoch: 2,
        message_id: MessageId::from_bytes([4; 16]),
        timestamp_ms: 1_000_000,
        sequence: 1,
        roster: Some([8; 32]),
        ephemeral: false,
        payload,
    };
    let author = Author {
        user_id: &author.user,
        box_key: &author.box_key,
        sign_key: &author.sign,
        installation_id: InstallationId::from_bytes([5; 8]),
    };
    seal(
        author,
        entry,
        &key(),
        &[user("bob"), user("carol")],
        &mut rng(),
    )
    .unwrap()
}

/// As `written`, with the signed content changed before it is sealed; signed anew where there is a key for that.
fn changed(
    author: &Person,
    resign: Option<&SignSecretKey>,
    change: impl FnOnce(&mut wire::Inner),
) -> wire::Envelope {
    let mut envelope = written(author, &text());
    let case = envelope.case_sealed.as_mut().unwrap();
    let nonce = Nonce::try_from(case.nonce.as_slice()).unwrap();
    let padded = open_apart(&key(), &nonce, &case.r#box).unwrap();
    let mut signed: wire::SignedInner = codec::decode(unpad(&padded).unwrap()).unwrap();
    let mut inner: wire::Inner = codec::decode(&signed.inner).unwrap();
    change(&mut inner);
    signed.inner = codec::encode(&inner);
    if let Some(sign) = resign {
        signed.signature = sign.sign(Purpose::Case, &signed.inner).to_vec();
        signed.sign_key_id = sign.public_key().key_id().to_vec();
    }
    case.r#box = seal_apart(&key(), &nonce, &pad(&codec::encode(&signed)).unwrap());
    envelope
}

fn bob_opens(envelope: &wire::Envelope, author: &Person) -> Result<Opened, Refusal> {
    bob_opens_as(envelope, author, Standing::Active, &[key()])
}

fn bob_opens_as(
    envelope: &wire::Envelope,
    author: &Person,
    standing: Standing,
    keys: &[CaseKey],
) -> Result<Opened, Refusal> {
    let header = open::read_header(envelope, &user("bob"))?;
    let inside = open::decrypt(&header.outside, keys)?;
    inside.check_header(&header)?;
    let sign_key = author.sign.public_key();
    inside.verify(&[Signer {
        sign_key: &sign_key,
        box_key: &author.box_key,
        standing,
    }])
}

#[test]
fn an_untouched_entry_opens_and_says_who_wrote_it_under_what() {
    let alice = person("alice", 1);
    let opened = bob_opens(&written(&alice, &text()), &alice).unwrap();
    assert_eq!(opened.sender, alice.user);
    assert_eq!((opened.epoch, opened.sequence), (2, 1));
    assert_eq!(opened.roster, Some([8; 32]));
    assert_eq!(opened.payload, text());
    assert!(!opened.retired_key);
}

#[test]
fn the_key_is_found_among_two_of_one_epoch() {
    let alice = person("alice", 1);
    let keys = [CaseKey::from_bytes(&[1; 32]), key()];
    let envelope = written(&alice, &text());
    assert!(bob_opens_as(&envelope, &alice, Standing::Active, &keys).is_ok());
}

#[test]
fn without_a_key_of_the_epoch_it_is_unknown_and_under_another_key_it_does_not_open() {
    let alice = person("alice", 1);
    let envelope = written(&alice, &text());
    let opened = |keys: &[CaseKey]| bob_opens_as(&envelope, &alice, Standing::Active, keys);
    assert_eq!(opened(&[]), Err(Refusal::UnknownEpoch));
    let other = CaseKey::from_bytes(&[1; 32]);
    assert_eq!(opened(&[other]), Err(Refusal::CannotOpen));
    let mut torn = envelope.clone();
    torn.case_sealed.as_mut().unwrap().r#box[20] ^= 1;
    assert_eq!(bob_opens(&torn, &alice), Err(Refusal::CannotOpen));
}

#[test]
fn nobody_writes_in_anothers_name() {
    let (alice, mallory) = (person("alice", 1), person("mallory", 2));
    // Mallory has the case's key, and signs as herself what is to be Alice's.
    let forged = changed(&alice, Some(&mallory.sign), |_| {});
    assert_eq!(bob_opens(&forged, &alice), Err(Refusal::UnknownSenderKey));
    // Or keeps Alice's signature and changes what it is of.
    let bent = changed(&alice, None, |inner| {
        inner.payload = Some(wire::inner::Payload::Text(wire::Text {
            body: "goodbye".to_owned(),
            reply_to: None,
        }));
    });
    assert_eq!(bob_opens(&bent, &alice), Err(Refusal::BadSignature));
    // A signature for something else is none.
    let mut envelope = written(&alice, &text());
    let case = envelope.case_sealed.as_mut().unwrap();
    let nonce = Nonce::try_from(case.nonce.as_slice()).unwrap();
    let padded = open_apart(&key(), &nonce, &case.r#box).unwrap();
    let mut signed: wire::SignedInner = codec::decode(unpad(&padded).unwrap()).unwrap();
    signed.signature = alice.sign.sign(Purpose::Bundle, &signed.inner).to_vec();
    case.r#box = seal_apart(&key(), &nonce, &pad(&codec::encode(&signed)).unwrap());
    assert_eq!(bob_opens(&envelope, &alice), Err(Refusal::BadSignature));
}

#[test]
fn a_key_that_may_not_speak_does_not() {
    let alice = person("alice", 1);
    let envelope = written(&alice, &text());
    for (standing, refusal) in [
        (Standing::Compromised, Refusal::CompromisedKey),
        (Standing::RetiredTooLong, Refusal::RetiredKeyExpired),
        (Standing::Rejected, Refusal::RejectedKey),
        (Standing::Revoked { at_ms: 1 }, Refusal::RevokedKey),
    ] {
        assert_eq!(
            bob_opens_as(&envelope, &alice, standing, &[key()]),
            Err(refusal)
        );
    }
    let opened = bob_opens_as(&envelope, &alice, Standing::Retired, &[key()]).unwrap();
    assert!(opened.retired_key);
    let header = open::read_header(&envelope, &user("bob")).unwrap();
    let inside = open::decrypt(&header.outside, &[key()]).unwrap();
    assert_eq!(inside.verify(&[]), Err(Refusal::UnknownSender));
}

#[test]
fn what_is_inside_is_what_is_outside() {
    let alice = person("alice", 1);
    let outside: [fn(&mut wire::Envelope); 4] = [
        |envelope| envelope.message_id = vec![1; 16],
        |envelope| envelope.timestamp_ms += 1,
        |envelope| envelope.sender_id = "bob".to_owned(),
        |envelope| envelope.case_sealed.as_mut().unwrap().epoch += 1,
    ];
    for change in outside {
        let mut envelope = written(&alice, &text());
        change(&mut envelope);
        assert_eq!(bob_opens(&envelope, &alice), Err(Refusal::BindingMismatch));
    }
    let inside: [fn(&mut wire::Inner); 7] = [
        |inner| inner.case_id = vec![1; 16],
        |inner| inner.case_epoch = 1,
        |inner| inner.sender_box_key = vec![1; 32],
        |inner| inner.recipient_id = "bob".to_owned(),
        |inner| inner.recipient_box_key = vec![1; 32],
        |inner| inner.group_id = vec![1; 16],
        |inner| inner.timestamp_ms += 1,
    ];
    for change in inside {
        let envelope = changed(&alice, Some(&alice.sign), change);
        assert_eq!(bob_opens(&envelope, &alice), Err(Refusal::BindingMismatch));
    }
}

/// What breaks it, and what that is called.
type Malformed<T> = (fn(&mut T), Refusal);

#[test]
fn what_is_malformed_has_its_name() {
    let alice = person("alice", 1);
    let sealed: [Malformed<wire::Inner>; 6] = [
        (|inner| inner.version = 2, Refusal::UnsupportedVersion),
        (|inner| inner.sequence = 0, Refusal::MalformedInner),
        (|inner| inner.roster_digest.clear(), Refusal::MalformedInner),
        (
            |inner| inner.installation_id = vec![1],
            Refusal::MalformedInner,
        ),
        (|inner| inner.payload = None, Refusal::UnsupportedPayload),
        (
            |inner| {
                inner.payload = Some(wire::inner::Payload::Text(wire::Text::default()));
            },
            Refusal::MalformedPayload,
        ),
    ];
    for (change, refusal) in sealed {
        let envelope = changed(&alice, Some(&alice.sign), change);
        assert_eq!(bob_opens(&envelope, &alice), Err(refusal));
    }
    let outside: [Malformed<wire::Envelope>; 5] = [
        (
            |envelope| envelope.message_id.clear(),
            Refusal::MalformedEnvelope,
        ),
        (
            |envelope| envelope.case_sealed.as_mut().unwrap().case_id.clear(),
            Refusal::MalformedEnvelope,
        ),
        (
            |envelope| envelope.case_sealed.as_mut().unwrap().nonce.clear(),
            Refusal::BadNonce,
        ),
        (
            |envelope| envelope.case_sealed.as_mut().unwrap().recipient_ids.clear(),
            Refusal::NotAddressedToMe,
        ),
        (
            |envelope| envelope.sealed.push(wire::Sealed::default()),
            Refusal::MalformedEnvelope,
        ),
    ];
    for (change, refusal) in outside {
        let mut envelope = written(&alice, &text());
        change(&mut envelope);
        assert_eq!(bob_opens(&envelope, &alice), Err(refusal));
    }
}

#[test]
fn keys_are_not_shared_with_everybody_at_once() {
    let alice = person("alice", 1);
    let envelope = written(&alice, &Payload::CaseKeyShare(key_share().into()));
    assert_eq!(
        bob_opens(&envelope, &alice),
        Err(Refusal::UnsupportedPayload)
    );
}

#[test]
fn an_old_epoch_is_heard_for_a_day() {
    assert_eq!(check_epoch(None, u64::MAX), Ok(()));
    assert_eq!(check_epoch(Some(1000), 1000 + GRACE_MS - 1), Ok(()));
    assert_eq!(
        check_epoch(Some(1000), 1000 + GRACE_MS),
        Err(Refusal::OldEpoch)
    );
}

fn field() -> Field {
    Field {
        name: "allergies".to_owned(),
        revision: 2,
        previous: Some([1; 32]),
        media_type: "text/plain".to_owned(),
        value: b"penicillin".to_vec(),
    }
}

fn key_share() -> KeyShare {
    KeyShare {
        case_id: CASE,
        keys: vec![(1, CaseKey::from_bytes(&[1; 32])), (2, key())],
        control: [7; 32],
        history: None,
        copies: vec![(
            AttachmentId::from_bytes([5; 16]),
            AttachmentId::from_bytes([6; 16]),
        )],
    }
}

#[test]
fn what_was_encoded_is_decoded() {
    for payload in [
        Payload::CaseControl(first()),
        Payload::CaseControl(first().next().unwrap()),
        Payload::CaseField(field()),
        Payload::CaseKeyShare(key_share().into()),
    ] {
        let bytes = encode(&payload);
        assert_eq!(decode(&bytes), Ok(payload));
    }
    assert_ne!(first().digest(), first().next().unwrap().digest());
    let other = Field {
        value: b"none".to_vec(),
        ..field()
    };
    assert_ne!(field().digest(), other.digest());
}

#[test]
fn what_breaks_a_rule_of_its_kind_is_malformed() {
    let controls: [fn(&mut Control); 7] = [
        |control| control.revision = 0,
        |control| control.previous = Some([1; 32]),
        |control| control.title.clear(),
        |control| control.title = "a\nb".to_owned(),
        |control| control.patient_reference = "x".repeat(129),
        |control| control.roster.swap(0, 1),
        |control| control.epoch = 0,
    ];
    for change in controls {
        let mut control = first();
        change(&mut control);
        let bytes = encode(&Payload::CaseControl(control));
        assert_eq!(decode(&bytes), Err(PayloadRefused::Malformed));
    }
    let fields: [fn(&mut Field); 6] = [
        |field| field.name = " ".to_owned(),
        |field| field.revision = 0,
        |field| field.previous = None,
        |field| field.revision = 1,
        |field| field.media_type = "text".to_owned(),
        |field| field.value = vec![0; field::MAX_VALUE + 1],
    ];
    for change in fields {
        let mut field = field();
        change(&mut field);
        let bytes = encode(&Payload::CaseField(field));
        assert_eq!(decode(&bytes), Err(PayloadRefused::Malformed));
    }
    let shares: [fn(&mut wire::CaseKeyShare); 7] = [
        |share| share.keys.clear(),
        |share| share.keys.swap(0, 1),
        |share| share.keys[0].key.truncate(31),
        |share| share.case_id.clear(),
        |share| share.control_digest.clear(),
        |share| share.copies[0].copy_id.truncate(15),
        |share| share.copies = vec![share.copies[0].clone(); share::MAX_COPIES + 1],
    ];
    for change in shares {
        let mut wire = share::to_wire(&key_share());
        change(&mut wire);
        assert_eq!(share::from_wire(wire), Err(PayloadRefused::Malformed));
    }
}

#[test]
fn an_entry_of_a_log_opens_without_its_envelope() {
    let alice = person("alice", 1);
    let envelope = written(&alice, &text());
    let bytes = log::encode(vec![envelope.case_sealed.unwrap()]);
    let entries = log::decode(&bytes).unwrap();
    let outside = open::read_outside(&entries[0]).unwrap();
    let inside = open::decrypt(&outside, &[key()]).unwrap();
    assert_eq!(inside.sender, alice.user);
    let sign_key = alice.sign.public_key();
    let signer = Signer {
        sign_key: &sign_key,
        box_key: &alice.box_key,
        standing: Standing::Active,
    };
    assert_eq!(inside.verify(&[signer]).unwrap().payload, text());
    assert!(log::decode(&bytes[..bytes.len() - 1]).is_err());
}

#[test]
fn debug_tells_nothing_of_a_case() {
    let told = format!("{:?} {:?} {:?}", first(), field(), key_share());
    assert_eq!(told, "Control(1) Field(2) KeyShare(..)");
}
