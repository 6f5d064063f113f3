//! Every refusal of an inbound message, by name.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

use super::*;
use crate::attachment;
use crate::message::Text;
use crate::outbound::{Draft, Recipient, Sender, seal};
use crate::padding::pad;
use crate::secret::BoxSecretKey;
use crate::standing::CLOCK_SLACK_MS;

struct Pair {
    user: UserId,
    secret: BoxSecretKey,
    public: BoxPublicKey,
}

fn pair(name: &str, seed: u8) -> Pair {
    let secret = BoxSecretKey::from_bytes(&[seed; 32]);
    Pair {
        user: name.parse().unwrap(),
        public: secret.public_key(),
        secret,
    }
}

struct Scene {
    alice: Pair,
    bob: Pair,
    rng: ChaCha20Rng,
}

fn scene() -> Scene {
    Scene {
        alice: pair("alice", 1),
        bob: pair("bob", 2),
        rng: ChaCha20Rng::seed_from_u64(7),
    }
}

impl Scene {
    /// Alice's text to Bob, as the relay would hand it to him.
    fn sent(&mut self) -> wire::Envelope {
        let payload = Payload::Text(Text {
            body: "hello".to_owned(),
            reply_to: None,
        });
        let draft = Draft {
            message_id: MessageId::from_bytes([4; 16]),
            timestamp_ms: 1_000_000,
            group_id: None,
            roster: None,
            sequence: 1,
            ephemeral: false,
            payload: &payload,
        };
        let sender = Sender {
            user_id: &self.alice.user,
            box_key: &self.alice.public,
            installation_id: InstallationId::from_bytes([5; 8]),
        };
        let shared = self.alice.secret.shared_with(&self.bob.public);
        let recipient = Recipient {
            user_id: &self.bob.user,
            box_key: &self.bob.public,
            shared: &shared,
            instead: None,
        };
        seal(sender, draft, &[recipient], &mut self.rng).unwrap()
    }

    /// As `sent`, but with the content changed before it is sealed.
    fn sent_with(&mut self, change: impl FnOnce(&mut wire::Inner)) -> wire::Envelope {
        let mut envelope = self.sent();
        let shared = self.alice.secret.shared_with(&self.bob.public);
        let nonce = Nonce::try_from(envelope.sealed[0].nonce.as_slice()).unwrap();
        let padded = shared.open(&nonce, &envelope.sealed[0].r#box).unwrap();
        let mut inner: wire::Inner = codec::decode(unpad(&padded).unwrap()).unwrap();
        change(&mut inner);
        let padded = pad(&codec::encode(&inner)).unwrap();
        envelope.sealed[0].r#box = shared.seal(&nonce, &padded);
        envelope
    }

    fn bob_opens(&self, envelope: &wire::Envelope) -> Result<Opened, Refusal> {
        self.bob_opens_as(envelope, Standing::Active)
    }

    fn bob_opens_as(
        &self,
        envelope: &wire::Envelope,
        standing: Standing,
    ) -> Result<Opened, Refusal> {
        let shared = self.bob.secret.shared_with(&self.alice.public);
        let candidate = Candidate {
            box_key: &self.alice.public,
            shared: &shared,
            standing,
        };
        read(envelope, &self.bob, &[candidate])
    }
}

fn read(
    envelope: &wire::Envelope,
    reader: &Pair,
    candidates: &[Candidate<'_>],
) -> Result<Opened, Refusal> {
    let header = read_header(envelope, &reader.user)?;
    let me = Reader {
        user_id: &reader.user,
        box_key: &reader.public,
    };
    open(&header, me, candidates)
}

#[test]
fn an_untouched_message_opens() {
    let mut scene = scene();
    let envelope = scene.sent();
    let opened = scene.bob_opens(&envelope).unwrap();
    let Payload::Text(text) = &opened.payload else {
        panic!("another payload");
    };
    assert_eq!(text.body, "hello");
    assert_eq!(opened.sequence, 1);
    assert!(!opened.retired_key);
    let retired = scene.bob_opens_as(&envelope, Standing::Retired).unwrap();
    assert!(retired.retired_key);
}

#[test]
fn a_changed_outside_is_a_binding_mismatch() {
    let mut scene = scene();
    let changes: [fn(&mut wire::Envelope); 3] = [
        |envelope| envelope.timestamp_ms += 1,
        |envelope| envelope.message_id[0] ^= 1,
        |envelope| envelope.group_id = vec![1; 16],
    ];
    for change in changes {
        let mut envelope = scene.sent();
        change(&mut envelope);
        assert_eq!(scene.bob_opens(&envelope), Err(Refusal::BindingMismatch));
    }
}

#[test]
fn a_changed_inside_is_a_binding_mismatch() {
    let mut scene = scene();
    let changes: [fn(&mut wire::Inner); 9] = [
        |inner| inner.message_id[0] ^= 1,
        |inner| inner.timestamp_ms += 1,
        |inner| inner.sender_id = "carol".to_owned(),
        |inner| inner.sender_box_key[0] ^= 1,
        |inner| inner.recipient_id = "carol".to_owned(),
        |inner| inner.recipient_box_key[0] ^= 1,
        |inner| inner.group_id = vec![1; 16],
        |inner| inner.case_id = vec![1; 16],
        |inner| inner.case_epoch = 1,
    ];
    for (place, change) in changes.into_iter().enumerate() {
        let envelope = scene.sent_with(change);
        let refused = scene.bob_opens(&envelope);
        assert_eq!(refused, Err(Refusal::BindingMismatch), "change {place}");
    }
}

#[test]
fn a_box_from_alice_to_bob_does_not_open_at_alice_as_from_bob() {
    let mut scene = scene();
    let mut reflected = scene.sent();
    reflected.sender_id = "bob".to_owned();
    reflected.sealed[0].recipient_id = "alice".to_owned();
    reflected.sealed[0].sender_key_id = scene.bob.public.key_id().to_vec();
    reflected.sealed[0].recipient_key_id = scene.alice.public.key_id().to_vec();
    let shared = scene.alice.secret.shared_with(&scene.bob.public);
    let candidate = Candidate {
        box_key: &scene.bob.public,
        shared: &shared,
        standing: Standing::Active,
    };
    let refused = read(&reflected, &scene.alice, &[candidate]);
    assert_eq!(refused, Err(Refusal::BindingMismatch));
}

#[test]
fn a_message_that_names_another_sender_does_not_open() {
    let mut scene = scene();
    let mut envelope = scene.sent();
    envelope.sender_id = "carol".to_owned();
    let carol = pair("carol", 3);
    let shared = scene.bob.secret.shared_with(&carol.public);
    let candidate = Candidate {
        box_key: &carol.public,
        shared: &shared,
        standing: Standing::Active,
    };
    let refused = read(&envelope, &scene.bob, &[candidate]);
    assert_eq!(refused, Err(Refusal::UnknownSenderKey));
    envelope.sealed[0].sender_key_id.clear();
    let refused = read(&envelope, &scene.bob, &[candidate]);
    assert_eq!(refused, Err(Refusal::CannotOpen));
}

#[test]
fn a_malformed_outside_is_refused_by_name() {
    let mut scene = scene();
    type Case = (fn(&mut wire::Envelope), Refusal);
    let cases: [Case; 10] = [
        (|e| e.message_id = vec![1; 15], Refusal::MalformedEnvelope),
        (|e| e.sender_id = String::new(), Refusal::MalformedEnvelope),
        (|e| e.group_id = vec![1; 15], Refusal::MalformedEnvelope),
        (
            |e| e.case_sealed = Some(wire::CaseSealed::default()),
            Refusal::MalformedEnvelope,
        ),
        (|e| e.sealed.clear(), Refusal::NotAddressedToMe),
        (
            |e| e.sealed[0].recipient_id = "carol".to_owned(),
            Refusal::NotAddressedToMe,
        ),
        (
            |e| e.sealed[0].sender_key_id = vec![1; 7],
            Refusal::MalformedEnvelope,
        ),
        (|e| e.sealed[0].nonce = vec![1; 32], Refusal::BadNonce),
        (
            |e| e.sealed[0].sender_key_id = vec![1; 8],
            Refusal::UnknownSenderKey,
        ),
        (
            |e| e.sealed[0].recipient_key_id = vec![1; 8],
            Refusal::UnknownRecipientKey,
        ),
    ];
    for (place, (change, refusal)) in cases.into_iter().enumerate() {
        let mut envelope = scene.sent();
        change(&mut envelope);
        assert_eq!(scene.bob_opens(&envelope), Err(refusal), "case {place}");
    }
}

#[test]
fn a_changed_box_cannot_be_opened() {
    let mut scene = scene();
    for position in [0, 15, 16, 100] {
        let mut envelope = scene.sent();
        envelope.sealed[0].r#box[position] ^= 1;
        assert_eq!(scene.bob_opens(&envelope), Err(Refusal::CannotOpen));
    }
    let mut envelope = scene.sent();
    envelope.sealed[0].r#box.truncate(3);
    assert_eq!(scene.bob_opens(&envelope), Err(Refusal::CannotOpen));
}

#[test]
fn content_that_breaks_its_rules_is_refused_by_name() {
    let mut scene = scene();
    let text = |body: String| {
        Some(wire::inner::Payload::Text(wire::Text {
            body,
            reply_to: None,
        }))
    };
    type Case = (Box<dyn Fn(&mut wire::Inner)>, Refusal);
    let cases: Vec<Case> = vec![
        (Box::new(|i| i.version = 2), Refusal::UnsupportedVersion),
        (Box::new(|i| i.sequence = 0), Refusal::MalformedInner),
        (
            Box::new(|i| i.installation_id = vec![1]),
            Refusal::MalformedInner,
        ),
        (Box::new(|i| i.payload = None), Refusal::UnsupportedPayload),
        (
            Box::new(|i| {
                i.payload = Some(wire::inner::Payload::CaseField(wire::CaseField::default()));
            }),
            Refusal::UnsupportedPayload,
        ),
        (
            Box::new(move |i| i.payload = text(String::new())),
            Refusal::MalformedPayload,
        ),
        (
            Box::new(move |i| i.payload = text("a".repeat(16 * 1024 + 1))),
            Refusal::MalformedPayload,
        ),
    ];
    for (place, (change, refusal)) in cases.into_iter().enumerate() {
        let envelope = scene.sent_with(|inner| change(inner));
        assert_eq!(scene.bob_opens(&envelope), Err(refusal), "case {place}");
    }
}

#[test]
fn what_is_said_of_an_attachment_is_refused_by_name() {
    let mut scene = scene();
    let said = || {
        let rng = &mut ChaCha20Rng::seed_from_u64(1);
        let blob = attachment::seal_blob(b"film", "image/png", rng);
        attachment::to_wire(&blob.expect("it is small").attachment)
    };
    type Case = (fn(&mut wire::Attachment), Refusal);
    let cases: [Case; 6] = [
        (|said| said.key.clear(), Refusal::MalformedAttachment),
        (|said| said.chunk_size = 1, Refusal::MalformedAttachment),
        (
            |said| said.plaintext_size = 10_u64.pow(18),
            Refusal::AttachmentTooLarge,
        ),
        (
            |said| said.chunk_count = 2,
            Refusal::AttachmentSizesDisagree,
        ),
        (
            |said| said.thumbnail = vec![0; (16 << 10) + 1],
            Refusal::ThumbnailTooLarge,
        ),
        (
            |said| said.filename = "x".repeat(1025),
            Refusal::AttachmentNameTooLong,
        ),
    ];
    for (place, (change, refusal)) in cases.into_iter().enumerate() {
        let envelope = scene.sent_with(|inner| {
            let mut said = said();
            change(&mut said);
            inner.payload = Some(wire::inner::Payload::Attachment(said));
        });
        assert_eq!(scene.bob_opens(&envelope), Err(refusal), "case {place}");
    }
}

#[test]
fn what_may_be_lost_needs_no_number() {
    let mut scene = scene();
    let typing = Some(wire::inner::Payload::Typing(wire::Typing { active: true }));
    let envelope = scene.sent_with(|inner| {
        inner.payload = typing.clone();
        inner.sequence = 0;
    });
    let opened = scene.bob_opens(&envelope).unwrap();
    assert_eq!(opened.payload, Payload::Typing(true));
}

#[test]
fn bad_padding_and_undecodable_content_are_refused() {
    let mut scene = scene();
    let shared = scene.alice.secret.shared_with(&scene.bob.public);
    for (content, refusal) in [
        (vec![0; 512], Refusal::BadPadding),
        (vec![1; 511], Refusal::BadPadding),
        (pad(&[0xff; 40]).unwrap().to_vec(), Refusal::MalformedInner),
    ] {
        let mut envelope = scene.sent();
        let nonce = Nonce::try_from(envelope.sealed[0].nonce.as_slice()).unwrap();
        envelope.sealed[0].r#box = shared.seal(&nonce, &content);
        assert_eq!(scene.bob_opens(&envelope), Err(refusal));
    }
}

#[test]
fn a_senders_old_key_is_judged_by_why_it_is_old() {
    let mut scene = scene();
    let envelope = scene.sent();
    for (standing, refusal) in [
        (Standing::Compromised, Refusal::CompromisedKey),
        (Standing::RetiredTooLong, Refusal::RetiredKeyExpired),
        (Standing::Rejected, Refusal::RejectedKey),
    ] {
        assert_eq!(scene.bob_opens_as(&envelope, standing), Err(refusal));
    }
    assert_eq!(
        read(&envelope, &scene.bob, &[]),
        Err(Refusal::UnknownSender)
    );
}

#[test]
fn a_revoked_key_speaks_for_what_is_from_before_alone() {
    let mut scene = scene();
    let envelope = scene.sent();
    let sent_ms = envelope.timestamp_ms;
    let at = |at_ms| scene.bob_opens_as(&envelope, Standing::Revoked { at_ms });
    assert!(at(sent_ms).unwrap().retired_key);
    // Its clock may be off by as much as a request's.
    assert!(at(sent_ms.saturating_sub(CLOCK_SLACK_MS)).is_ok());
    let before = sent_ms.checked_sub(CLOCK_SLACK_MS + 1);
    assert_eq!(at(before.unwrap()), Err(Refusal::RevokedKey));
}

#[test]
fn without_a_hint_three_retired_keys_are_tried() {
    let mut scene = scene();
    let mut envelope = scene.sent();
    envelope.sealed[0].sender_key_id.clear();
    let others: Vec<Pair> = (10..14).map(|seed| pair("alice", seed)).collect();
    let shares: Vec<SharedSecret> = others
        .iter()
        .map(|other| scene.bob.secret.shared_with(&other.public))
        .collect();
    let right = scene.bob.secret.shared_with(&scene.alice.public);
    let candidates = |wrong: usize| {
        let mut list: Vec<Candidate<'_>> = (0..wrong)
            .map(|n| Candidate {
                box_key: &others[n].public,
                shared: &shares[n],
                standing: if n == 0 {
                    Standing::Active
                } else {
                    Standing::Retired
                },
            })
            .collect();
        list.push(Candidate {
            box_key: &scene.alice.public,
            shared: &right,
            standing: Standing::Retired,
        });
        list
    };
    assert!(read(&envelope, &scene.bob, &candidates(3)).is_ok());
    assert_eq!(
        read(&envelope, &scene.bob, &candidates(4)),
        Err(Refusal::CannotOpen)
    );
}
