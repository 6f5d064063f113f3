//! Whatever bytes come in: nothing panics, and what is accepted is what would be written again.

use connect_core::boxes::SharedSecret;
use connect_core::inbound::{self, Candidate, Reader, Standing};
use connect_core::nonce::Nonce;
use connect_core::padding::{pad, unpad};
use connect_core::secret::{BoxSecretKey, MasterKey};
use connect_core::{secretbox, wrap};
use connect_proto::enrollment::EnrollmentCode;
use connect_proto::ids::{GroupId, InstallationId, KeyId, MessageId, UserId};
use connect_proto::keys::{BoxPublicKey, SignPublicKey};
use connect_proto::request::Claim;
use connect_proto::sign::{Purpose, verify};
use connect_proto::{bundle, codec, wire};
use proptest::collection::vec;
use proptest::prelude::*;

const NOW_MS: u64 = 1_795_500_000_000;

fn alice() -> UserId {
    "alice".parse().expect("a user id")
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..600)
}

/// A field of its right size as often as of any.
fn sized(size: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), size),
        vec(any::<u8>(), 0..40),
        Just(Vec::new())
    ]
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("alice".to_owned()),
        Just("bob".to_owned()),
        any::<String>()
    ]
}

prop_compose! {
    fn header()(
        timestamp in prop_oneof![Just(NOW_MS), any::<u64>()],
        user_id in name(),
        uri_path in any::<String>(),
        body_sha256 in sized(32),
        nonce in sized(16),
    ) -> wire::SignatureHeader {
        wire::SignatureHeader { timestamp, user_id, uri_path, body_sha256, nonce, ..Default::default() }
    }
}

prop_compose! {
    fn key_bundle()(
        user_id in name(),
        installation_id in sized(8),
        box_public_key in prop_oneof![Just(own().public_key().to_vec()), sized(32)],
        sign_public_key in sized(32),
        revision in 0_u64..3,
        previous_digest in sized(32),
    ) -> wire::KeyBundle {
        wire::KeyBundle {
            user_id, installation_id, box_public_key, sign_public_key, revision, previous_digest,
            ..Default::default()
        }
    }
}

prop_compose! {
    fn sealed()(
        recipient_id in name(),
        sender_key_id in sized(8),
        recipient_key_id in sized(8),
        nonce in sized(24),
        r#box in bytes(),
    ) -> wire::Sealed {
        wire::Sealed { recipient_id, sender_key_id, recipient_key_id, nonce, r#box }
    }
}

prop_compose! {
    fn envelope()(
        message_id in sized(16),
        timestamp_ms in any::<u64>(),
        sender_id in name(),
        group_id in sized(16),
        sealed in vec(sealed(), 0..3),
        case in any::<bool>(),
        queue_seq in any::<u64>(),
    ) -> wire::Envelope {
        let case_sealed = (case && queue_seq % 4 == 0).then(wire::CaseSealed::default);
        wire::Envelope {
            message_id, timestamp_ms, sender_id, group_id, sealed, case_sealed, queue_seq,
            ..Default::default()
        }
    }
}

fn own() -> BoxSecretKey {
    BoxSecretKey::from_bytes(&[1; 32])
}

fn bob() -> BoxSecretKey {
    BoxSecretKey::from_bytes(&[2; 32])
}

fn shared() -> SharedSecret {
    own().shared_with(&bob().public_key())
}

/// Through every check, as a message from bob.
fn read(envelope: &wire::Envelope) -> Option<inbound::Opened> {
    let (alice, own_key, bob_key, shared) =
        (alice(), own().public_key(), bob().public_key(), shared());
    let header = inbound::read_header(envelope, &alice).ok()?;
    let me = Reader {
        user_id: &alice,
        box_key: &own_key,
    };
    let candidate = Candidate {
        box_key: &bob_key,
        shared: &shared,
        standing: Standing::Active,
    };
    inbound::open(&header, me, &[candidate]).ok()
}

/// Bytes in bob's own box: what a hostile contact could send.
fn boxed(content: &[u8]) -> wire::Envelope {
    let nonce = Nonce::from_bytes([3; 24]);
    let sealed = wire::Sealed {
        recipient_id: "alice".to_owned(),
        nonce: nonce.as_bytes().to_vec(),
        r#box: shared().seal(&nonce, content),
        ..Default::default()
    };
    wire::Envelope {
        message_id: vec![7; 16],
        sender_id: "bob".to_owned(),
        sealed: vec![sealed],
        ..Default::default()
    }
}

prop_compose! {
    fn reference()(sender_id in "[a-z]{0,2}", message_id in sized(16), timestamp_ms in 0_u64..3) -> wire::MessageRef {
        wire::MessageRef { sender_id, message_id, timestamp_ms }
    }
}

prop_compose! {
    /// Right in every binding, and anything else.
    fn inner()(
        version in 0_u32..3,
        installation_id in sized(8),
        sequence in 0_u64..3,
        body in any::<String>(),
        kind in 0..8,
        references in vec(reference(), 0..3),
    ) -> wire::Inner {
        use wire::inner::Payload;
        let reply_to = (kind == 1).then(wire::MessageRef::default);
        let target = references.first().cloned();
        let text = wire::Text { body, reply_to };
        let payload = match kind {
            0 | 1 => Some(Payload::Text(text)),
            2 => Some(Payload::Typing(wire::Typing { active: true })),
            3 => Some(Payload::Receipt(wire::Receipt { kind: 1, messages: references, at_ms: 1 })),
            4 => Some(Payload::Edit(wire::Edit { target, text: Some(text) })),
            5 => Some(Payload::Delete(wire::Delete { target })),
            6 => Some(Payload::ResendRequest(wire::ResendRequest { messages: references })),
            _ => None,
        };
        wire::Inner {
            version,
            message_id: vec![7; 16],
            sender_id: "bob".to_owned(),
            sender_box_key: bob().public_key().to_vec(),
            recipient_id: "alice".to_owned(),
            recipient_box_key: own().public_key().to_vec(),
            installation_id,
            sequence,
            payload,
            ..Default::default()
        }
    }
}

proptest! {
    #[test]
    fn a_request_header_of_anything_is_a_claim_or_refused(text in any::<String>(), raw in bytes(), header in header()) {
        use base64::Engine as _;
        let encode = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
        let signed = [vec![0; 64], codec::encode(&header)].concat();
        let key = SignPublicKey::from_trusted([7; 32]);
        for value in [text, encode(&raw), encode(&signed)] {
            if let Ok(claim) = Claim::parse(&value, &alice(), NOW_MS) {
                prop_assert!(claim.verify("POST", "relay:443", "/", &key).is_err());
            }
        }
    }

    #[test]
    fn a_bundle_of_anything_is_refused_unless_it_is_signed(raw in bytes(), made in key_bundle(), signature in sized(64)) {
        for bundle in [raw, codec::encode(&made)] {
            let signed = wire::SignedKeyBundle { bundle, signature: signature.clone(), previous_signature: signature.clone() };
            prop_assert!(bundle::open(&signed).is_err());
            let key = SignPublicKey::from_trusted([7; 32]);
            prop_assert!(bundle::check_previous_signature(&signed, &key).is_err());
        }
    }

    #[test]
    fn envelopes_of_anything_are_read_or_refused_by_name(raw in bytes(), list in vec(envelope(), 0..4)) {
        let list = codec::encode(&wire::EnvelopeList { envelopes: list, more: true });
        let mut flipped = list.clone();
        if let Some(byte) = flipped.get_mut(raw.len() % list.len()) {
            *byte ^= 1 << (raw.len() % 8);
        }
        for bytes in [raw, list, flipped] {
            let Ok(list) = codec::decode::<wire::EnvelopeList>(&bytes) else { continue };
            for envelope in &list.envelopes {
                prop_assert!(read(envelope).is_none());
            }
        }
    }

    #[test]
    fn a_hostile_contacts_box_is_read_or_refused_by_name(raw in bytes(), inner in inner()) {
        let _ = read(&boxed(&raw));
        let _ = read(&boxed(&pad(&raw).expect("short")));
        let named = |reference: &wire::MessageRef| {
            reference.message_id.len() == 16 && reference.sender_id.parse::<UserId>().is_ok()
        };
        let all = |references: &[wire::MessageRef]| !references.is_empty() && references.iter().all(named);
        let (is_well_made, needs_a_number) = match &inner.payload {
            Some(wire::inner::Payload::Text(text)) => (!text.body.is_empty() && text.reply_to.is_none(), true),
            Some(wire::inner::Payload::Typing(_)) => (true, false),
            Some(wire::inner::Payload::Receipt(receipt)) => (all(&receipt.messages), false),
            Some(wire::inner::Payload::Edit(edit)) => {
                let text = edit.text.as_ref().is_some_and(|text| !text.body.is_empty());
                (text && edit.target.as_ref().is_some_and(named), true)
            }
            Some(wire::inner::Payload::Delete(delete)) => (delete.target.as_ref().is_some_and(named), true),
            Some(wire::inner::Payload::ResendRequest(request)) => (all(&request.messages), false),
            _ => (false, true),
        };
        let has_number = inner.sequence > 0 || !needs_a_number;
        let right = inner.version == 1 && has_number && inner.installation_id.len() == 8 && is_well_made;
        let padded = pad(&codec::encode(&inner)).expect("short");
        prop_assert_eq!(read(&boxed(&padded)).is_some(), right);
    }

    #[test]
    fn padding_is_taken_off_only_where_it_is_what_would_be_put_on(
        content in bytes(),
        zeros in prop_oneof![0_usize..4, 500_usize..9000],
    ) {
        let padded = [content.as_slice(), &[0x80], &vec![0; zeros]].concat();
        for bytes in [content, padded] {
            if let Ok(content) = unpad(&bytes) {
                let again = pad(content).expect("it was padded");
                prop_assert!(again.len() <= bytes.len());
            }
        }
    }

    #[test]
    fn an_enrollment_code_of_anything_is_refused_or_reads_as_it_is_written(text in any::<String>(), code in "[a-z]{1,9}/[0-9A-HJKMNP-TV-Zoil-]{20,34}") {
        for text in [text, code] {
            if let Ok(code) = text.parse::<EnrollmentCode>() {
                prop_assert_eq!(code.expose().parse(), Ok(code));
            }
        }
    }

    #[test]
    fn ids_of_anything_are_refused_or_read_as_they_are_written(text in any::<String>(), hex in "[0-9a-fA-F]{14,34}", raw in sized(16)) {
        for text in [text, hex] {
            prop_assert!(text.parse::<UserId>().is_ok_and(|id| id.as_str() == text) || text.parse::<UserId>().is_err());
            prop_assert!(text.parse::<MessageId>().map_or(true, |id| id.to_string() == text));
            prop_assert!(text.parse::<KeyId>().map_or(true, |id| id.to_string() == text));
        }
        prop_assert_eq!(MessageId::try_from(raw.as_slice()).is_ok(), raw.len() == 16);
        prop_assert_eq!(GroupId::try_from(raw.as_slice()).is_ok(), raw.len() == 16);
        prop_assert_eq!(InstallationId::try_from(raw.as_slice()).is_ok(), raw.len() == 8);
    }

    #[test]
    fn keys_signatures_and_sealed_bytes_of_anything_are_refused_or_taken(raw in bytes(), key in sized(32), signature in sized(64)) {
        let _ = BoxPublicKey::admit(&key);
        if let Ok(key) = SignPublicKey::admit(&key) {
            prop_assert!(verify(Purpose::Case, &raw, &signature, &key).is_err());
        }
        let master = MasterKey::from_bytes(&[9; 32]);
        prop_assert!(secretbox::open(&master, &raw).is_err());
        prop_assert!(wrap::unwrap(&master, wrap::KeyPurpose::Box, &alice(), &raw).is_err());
    }
}
