//! Every envelope that no honest sender makes, each with the reason for which it is put aside.

use anyhow::{Result, ensure};
use connect_api::account::Enroll;
use connect_core::padding::pad;
use connect_proto::bundle::Bundle;
use connect_proto::{codec, wire};
use serde_json::json;
use wire::inner::Payload;

use crate::fake_relay::FakeRelay;
use crate::mallory::Mallory;
use crate::raw::Raw;
use crate::world::{Person, World};

const MOST: u64 = 1 << 53;

/// Why an envelope is put aside, and the envelope.
pub type Case = (&'static str, wire::Envelope);

/// Alice, on a relay that is not what it seems, and Mallory, whom its directory knows.
#[derive(Debug)]
pub struct Story {
    pub world: World,
    pub relay: FakeRelay,
    pub alice: Person,
    /// Alice's keys.
    pub to: Bundle,
    pub mallory: Mallory,
}

impl Story {
    pub async fn new() -> Result<Self> {
        let mut world = World::new().await?;
        let relay = FakeRelay::in_place_of(&mut world).await?;
        let alice = world.stranger("alice").await?;
        let enrollment = world.enrollment("alice").await?;
        alice.client.call::<Enroll>(enrollment).await?;
        let mallory = Mallory::new("mallory".parse()?);
        relay.publishes(mallory.entry(wire::KeyState::KeyActive, 0));
        Ok(Self {
            to: relay.enrolled()?,
            world,
            relay,
            alice,
            mallory,
        })
    }

    pub fn text(&self, body: &str) -> wire::Inner {
        self.mallory.text(&self.to, body, self.world.now_ms())
    }

    pub fn honest(&self, body: &str) -> wire::Envelope {
        self.mallory.sealed(&self.to, &self.text(body))
    }

    fn with_inside(&self, change: impl FnOnce(&mut wire::Inner)) -> wire::Envelope {
        let outside = self.text("tampered");
        let mut inside = outside.clone();
        change(&mut inside);
        let padded = padded(&codec::encode(&inside));
        self.mallory.boxed(&self.to, &outside, &padded)
    }

    /// As above, and the envelope says the same.
    fn with_both(&self, change: impl FnOnce(&mut wire::Inner)) -> wire::Envelope {
        let mut inner = self.text("tampered");
        change(&mut inner);
        self.mallory.sealed(&self.to, &inner)
    }

    fn with_outside(&self, change: impl FnOnce(&mut wire::Envelope)) -> wire::Envelope {
        let mut envelope = self.honest("tampered");
        change(&mut envelope);
        envelope
    }

    fn with_box(&self, change: impl FnOnce(&mut wire::Sealed)) -> wire::Envelope {
        self.with_outside(|envelope| change(&mut envelope.sealed[0]))
    }

    fn with_plaintext(&self, plaintext: &[u8]) -> wire::Envelope {
        self.mallory.boxed(&self.to, &self.text("other"), plaintext)
    }

    /// What Alice wrote to Mallory, on its way back as if Mallory had written it.
    pub async fn reflected(&self) -> Result<wire::Envelope> {
        let mut raw = Raw::connect(self.alice.endpoint.path()).await?;
        let added = raw.outcome("contacts.add", json!({"user_id": "mallory"}));
        ensure!(added.await? == "ok", "Mallory was not added");
        let params = json!({"conversation": {"user": "mallory"}, "text": "to mallory"});
        raw.call("messages.send", params).await?;
        let mut envelope = self.relay.sent().await;
        "mallory".clone_into(&mut envelope.sender_id);
        let sealed = &mut envelope.sealed[0];
        "alice".clone_into(&mut sealed.recipient_id);
        std::mem::swap(&mut sealed.sender_key_id, &mut sealed.recipient_key_id);
        Ok(envelope)
    }

    /// Envelopes whose outside alone is enough to refuse them.
    pub fn bad_outside(&self) -> Vec<Case> {
        let case = Some(wire::CaseSealed::default());
        let bounce = Some(wire::Bounce::default());
        let update = Some(wire::ContactUpdate::default());
        let malformed = vec![
            wire::Envelope::default(),
            self.with_outside(|e| e.message_id.truncate(15)),
            self.with_outside(|e| e.group_id = vec![1; 3]),
            self.with_outside(|e| e.sender_id = "\u{1b}[2J".into()),
            self.with_outside(|e| e.bounce = bounce),
            self.with_box(|b| b.sender_key_id.truncate(7)),
            self.with_both(|i| i.timestamp_ms = MOST + 1),
            self.with_both(|i| i.timestamp_ms = u64::MAX),
        ];
        let elsewhere = vec![
            self.with_outside(|e| e.sealed.clear()),
            self.with_box(|b| b.recipient_id = "carol".into()),
        ];
        let nobodys = vec![
            self.with_outside(|e| e.sender_id = "nobody".into()),
            self.with_outside(|e| e.sender_id = "alice".into()),
        ];
        let one = |envelope| vec![envelope];
        [
            all("malformed_envelope", malformed),
            all("not_addressed_to_me", elsewhere),
            all("unknown_sender", nobodys),
            all(
                "bad_contact_update",
                one(self.with_outside(|e| e.contact_update = update)),
            ),
            all(
                "unsupported_envelope",
                one(self.with_outside(|e| e.case_sealed = case)),
            ),
            all("bad_nonce", one(self.with_box(|b| b.nonce.truncate(23)))),
            all(
                "unknown_sender_key",
                one(self.with_box(|b| b.sender_key_id = vec![9; 8])),
            ),
            all(
                "unknown_recipient_key",
                one(self.with_box(|b| b.recipient_key_id = vec![9; 8])),
            ),
        ]
        .concat()
    }

    /// Envelopes that have to be opened to be refused.
    pub fn bad_inside(&self) -> Vec<Case> {
        let closed = vec![
            self.with_box(|b| b.r#box.clear()),
            self.with_box(|b| b.r#box.truncate(15)),
            self.with_box(|b| b.r#box[20] ^= 1),
            self.with_box(|b| b.nonce[0] ^= 1),
        ];
        // A text whose bytes are none.
        let no_text = [0xa2, 0x01, 0x04, 0x0a, 0x02, 0xff, 0xfe];
        let malformed = vec![
            self.with_plaintext(&padded(&[0xff; 40])),
            self.with_plaintext(&padded(&no_text)),
            self.with_both(|i| i.sequence = 0),
            self.with_both(|i| i.sequence = MOST + 1),
            self.with_both(|i| i.installation_id.truncate(7)),
        ];
        // No roster names the members of a group (D17): anyone could write into it.
        let unsupported = vec![self.with_both(|i| i.group_id = vec![7; 16])];
        let strange = vec![
            self.with_both(|i| i.payload = None),
            self.with_both(|i| i.payload = Some(of_a_case())),
        ];
        let (long, no_reference) = ("a".repeat(16_385), wire::MessageRef::default());
        let unruly = vec![
            self.with_both(|i| i.payload = Some(said("", None))),
            self.with_both(|i| i.payload = Some(said(&long, None))),
            self.with_both(|i| i.payload = Some(said("re", Some(no_reference)))),
            self.with_both(|i| i.payload = Some(Payload::Receipt(wire::Receipt::default()))),
            self.with_both(|i| i.payload = Some(edit(None))),
            self.with_both(|i| i.payload = Some(edit(Some(text("not its author"))))),
        ];
        [
            all("cannot_open", closed),
            all("bad_padding", self.badly_padded()),
            all("malformed_inner", malformed),
            all(
                "unsupported_version",
                vec![self.with_inside(|i| i.version = 2)],
            ),
            all("binding_mismatch", self.unbound()),
            all("unsupported_envelope", unsupported),
            all("unsupported_payload", strange),
            all("malformed_payload", unruly),
        ]
        .concat()
    }

    fn badly_padded(&self) -> Vec<wire::Envelope> {
        let padded = padded(&codec::encode(&self.text("other")));
        let mark = padded.iter().rposition(|byte| *byte == 0x80);
        let mark = mark.expect("padding begins with a mark");
        let (mut unmarked, mut filled) = (padded.clone(), padded.clone());
        unmarked[mark] = 0;
        filled[511] = 1;
        vec![
            self.with_plaintext(b""),
            self.with_plaintext(&[0; 512]),
            self.with_plaintext(&padded[..=mark]),
            self.with_plaintext(&unmarked),
            self.with_plaintext(&filled),
        ]
    }

    /// What is inside belongs to another envelope (D7).
    fn unbound(&self) -> Vec<wire::Envelope> {
        vec![
            self.with_inside(|i| i.message_id[0] ^= 1),
            self.with_inside(|i| i.timestamp_ms += 1),
            self.with_inside(|i| i.sender_id = "bob".into()),
            self.with_inside(|i| i.recipient_id = "bob".into()),
            self.with_inside(|i| i.sender_box_key[0] ^= 1),
            self.with_inside(|i| i.recipient_box_key[0] ^= 1),
            self.with_inside(|i| i.group_id = vec![7; 16]),
            self.with_inside(|i| i.case_id = vec![7; 16]),
            self.with_inside(|i| i.case_epoch = 1),
            self.with_outside(|e| e.timestamp_ms -= 1),
            self.with_outside(|e| e.group_id = vec![7; 16]),
        ]
    }

    /// Of users whose keys are no longer good.
    pub fn bad_keys(&self) -> Result<Vec<Case>> {
        let now_ms = self.world.now_ms();
        let month_ms = 31 * 24 * 3_600_000;
        let mut envelopes = Vec::new();
        for (name, state, changed_ms, reason) in [
            (
                "stolen",
                wire::KeyState::KeyCompromised,
                now_ms,
                "compromised_key",
            ),
            (
                "gone",
                wire::KeyState::KeyRevoked,
                now_ms - month_ms,
                "retired_key_expired",
            ),
        ] {
            let sender = Mallory::new(name.parse()?);
            self.relay.publishes(sender.entry(state, changed_ms));
            let inner = sender.text(&self.to, "from a bad key", now_ms);
            envelopes.push((reason, sender.sealed(&self.to, &inner)));
        }
        Ok(envelopes)
    }
}

/// The same reason for all of them.
fn all(reason: &'static str, envelopes: Vec<wire::Envelope>) -> Vec<Case> {
    let with_reason = |envelope| (reason, envelope);
    envelopes.into_iter().map(with_reason).collect()
}

fn padded(content: &[u8]) -> Vec<u8> {
    pad(content).expect("it is short").to_vec()
}

fn of_a_case() -> Payload {
    Payload::CaseField(wire::CaseField::default())
}

/// A word on a message that somebody else wrote.
fn edit(text: Option<wire::Text>) -> Payload {
    Payload::Edit(wire::Edit {
        target: Some(wire::MessageRef {
            sender_id: "alice".into(),
            message_id: vec![1; 16],
            timestamp_ms: 1,
        }),
        text,
    })
}

fn text(body: &str) -> wire::Text {
    wire::Text {
        body: body.to_owned(),
        reply_to: None,
    }
}

pub fn said(body: &str, reply_to: Option<wire::MessageRef>) -> Payload {
    Payload::Text(wire::Text {
        reply_to,
        ..text(body)
    })
}
