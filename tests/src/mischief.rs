//! Every envelope that no honest sender makes, each with the reason for which it is put aside.

use anyhow::{Result, ensure};
use connect_api::account::Enroll;
use connect_core::padding::pad;
use connect_proto::bundle::Bundle;
use connect_proto::hash::sha256;
use connect_proto::{codec, wire};
use serde_json::json;
use wire::inner::Payload;

use crate::fake_relay::FakeRelay;
use crate::mallory::Mallory;
use crate::raw::Raw;
use crate::world::{Person, World};

const MOST: u64 = 1 << 53;
/// Groups, by what their ids are made of: Alice is not in it any more, is in it, and never was.
const GONE: u8 = 7;
const HERE: u8 = 8;
const NOWHERE: u8 = 9;

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

    /// Of somebody whose key Alice decided against.
    pub async fn rejected(&self) -> Result<wire::Envelope> {
        let sender = Mallory::new("stubborn".parse()?);
        self.relay
            .publishes(sender.entry(wire::KeyState::KeyActive, 0));
        let mut raw = Raw::connect(self.alice.endpoint.path()).await?;
        let added = raw.outcome("contacts.add", json!({"user_id": "stubborn"}));
        ensure!(added.await? == "ok", "the contact was not added");
        let params = json!({"user_id": "stubborn", "decision": "reject"});
        ensure!(raw.outcome("trust.decide", params).await? == "ok");
        let inner = sender.text(&self.to, "all the same", self.world.now_ms());
        Ok(sender.sealed(&self.to, &inner))
    }

    /// Groups that Alice is in, or was: nothing in here is refused.
    pub fn groups(&self) -> Vec<wire::Envelope> {
        let without = wire::GroupControl {
            revision: 2,
            previous_digest: sha256(&codec::encode(&roster(1))).to_vec(),
            roster: roster(1).roster.split_off(1),
            ..roster(1)
        };
        vec![
            self.rostered(GONE, roster(1)),
            self.rostered(GONE, without),
            self.rostered(HERE, roster(1)),
        ]
    }

    /// What the rosters of these groups do not allow.
    pub fn bad_groups(&self) -> Vec<Case> {
        let mut plain = roster(1);
        plain.roster.iter_mut().for_each(|member| member.role ^= 1);
        let mut ahead = roster(3);
        ahead.previous_digest = vec![1; 32];
        vec![
            (
                "unknown_group",
                self.with_both(|i| i.group_id = vec![NOWHERE; 16]),
            ),
            (
                "not_a_member",
                self.with_both(|i| i.group_id = vec![GONE; 16]),
            ),
            ("not_an_admin", self.rostered(NOWHERE, plain)),
            ("roster_out_of_chain", self.rostered(HERE, ahead)),
            (
                "misplaced_roster",
                self.with_both(|i| i.payload = Some(Payload::GroupControl(roster(1)))),
            ),
        ]
    }

    fn rostered(&self, group: u8, control: wire::GroupControl) -> wire::Envelope {
        self.with_both(|inner| {
            inner.group_id = vec![group; 16];
            inner.sequence = 0;
            inner.payload = Some(Payload::GroupControl(control));
        })
    }

    /// Envelopes whose outside alone is enough to refuse them.
    pub fn bad_outside(&self) -> Vec<Case> {
        let case = Some(wire::CaseSealed::default());
        let bounce = Some(wire::Bounce::default());
        let update = Some(wire::ContactUpdate::default());
        let malformed = vec![
            self.with_outside(|e| e.case_sealed = case),
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
            all("unsupported_payload", strange),
            all("malformed_payload", unruly),
            self.lying_attachments(),
        ]
        .concat()
    }

    /// What is said of an attachment and cannot be.
    fn lying_attachments(&self) -> Vec<Case> {
        type Lie = (&'static str, fn(&mut wire::Attachment));
        let lies: [Lie; 8] = [
            ("malformed_attachment", |said| said.key.truncate(31)),
            ("malformed_attachment", |said| {
                said.ciphertext_sha256.clear();
            }),
            ("malformed_attachment", |said| said.chunk_size = 1),
            ("attachment_too_large", |said| {
                said.plaintext_size = 10_u64.pow(18);
                said.chunk_count = u32::MAX;
            }),
            ("attachment_sizes_disagree", |said| said.chunk_count = 2),
            ("attachment_sizes_disagree", |said| {
                said.plaintext_size = 1 << 30;
            }),
            ("thumbnail_too_large", |said| {
                said.thumbnail = vec![0; 20_000];
            }),
            ("attachment_name_too_long", |said| {
                said.filename = "../".repeat(500);
            }),
        ];
        let envelope = |(reason, lie): Lie| {
            let mut said = wire::Attachment {
                attachment_id: vec![5; 16],
                key: vec![6; 32],
                chunk_size: 2_097_152,
                chunk_count: 1,
                plaintext_size: 4,
                ciphertext_sha256: vec![7; 32],
                ..wire::Attachment::default()
            };
            lie(&mut said);
            let payload = Payload::Attachment(said);
            (reason, self.with_both(|i| i.payload = Some(payload)))
        };
        lies.into_iter().map(envelope).collect()
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
            (
                "left",
                wire::KeyState::KeyRevoked,
                now_ms - 3_600_000,
                "revoked_key",
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

/// Mallory leads it, and Alice is in it.
fn roster(revision: u64) -> wire::GroupControl {
    let member = |user_id: &str, role: wire::Role| wire::Member {
        user_id: user_id.to_owned(),
        role: role.into(),
    };
    wire::GroupControl {
        revision,
        name: "Ward".to_owned(),
        roster: vec![
            member("alice", wire::Role::Member),
            member("mallory", wire::Role::Admin),
        ],
        ..Default::default()
    }
}

pub fn said(body: &str, reply_to: Option<wire::MessageRef>) -> Payload {
    Payload::Text(wire::Text {
        reply_to,
        ..text(body)
    })
}
