//! Entries of patient cases that no honest participant makes, each with the reason for which it is put aside.

use anyhow::Result;
use connect_core::secret::CaseKey;
use connect_proto::hash::sha256;
use connect_proto::{codec, wire};
use wire::inner::Payload;

use crate::mallory::Mallory;
use crate::mischief::{Case, Story, said};

const OPEN: [u8; 16] = [1; 16];
const CLOSED: [u8; 16] = [2; 16];
const WITHOUT_NINA: [u8; 16] = [3; 16];
const LEFT: [u8; 16] = [4; 16];

/// The key of an epoch of all of Mallory's cases.
fn key(epoch: u32) -> CaseKey {
    CaseKey::from_bytes(&sha256(&epoch.to_be_bytes()))
}

/// Two cases of Mallory's with Alice, and what an honest participant sends of them first.
#[derive(Debug)]
pub struct Cases {
    /// In the first epoch, then in the second.
    open: [wire::CaseControl; 2],
    closed: [wire::CaseControl; 2],
    /// Has the keys, and takes no part.
    nina: Mallory,
}

impl Cases {
    pub fn new(story: &Story) -> Result<Self> {
        let first = wire::CaseControl {
            revision: 1,
            title: "Bed 4".to_owned(),
            roster: vec![
                member("alice", wire::Role::Member),
                member("mallory", wire::Role::Admin),
            ],
            epoch: 1,
            ..Default::default()
        };
        let mut second = after(&first);
        second.epoch = 2;
        let mut closed = after(&first);
        closed.closed = true;
        let nina = Mallory::new("nina".parse()?);
        let entry = nina.entry(wire::KeyState::KeyActive, 0);
        story.relay.publishes(entry);
        Ok(Self {
            closed: [first.clone(), closed],
            open: [first, second],
            nina,
        })
    }
}

pub fn member(user_id: &str, role: wire::Role) -> wire::Member {
    wire::Member {
        user_id: user_id.to_owned(),
        role: role.into(),
    }
}

/// What names a revision.
pub fn digest_of(control: &wire::CaseControl) -> Vec<u8> {
    sha256(&codec::encode(control)).to_vec()
}

pub fn after(control: &wire::CaseControl) -> wire::CaseControl {
    wire::CaseControl {
        revision: control.revision + 1,
        previous_digest: digest_of(control),
        ..control.clone()
    }
}

impl Cases {
    /// Both cases as they begin, go on and end. Alice takes all of it.
    pub fn begin(&self, story: &Story) -> Vec<wire::Envelope> {
        let mut page = Vec::new();
        for (case_id, controls) in [(OPEN, self.open.as_slice()), (CLOSED, &self.closed)] {
            page.push(share(story, &story.mallory, case_id, &controls[0]));
            for (place, control) in controls.iter().enumerate() {
                let before = place.checked_sub(1).map(|place| &controls[place]);
                let inner = inner(story, case_id, before, place as u64 + 1, of(control));
                page.push(sealed(&story.mallory, &inner));
            }
        }
        page
    }

    /// A case that Mallory brings Alice into and leaves, while the files of before are on their way: where they lie may still be
    /// told by her, and no key with it that was not known. Alice takes all of it, and then the second.
    pub fn who_left(&self, story: &Story) -> (Vec<wire::Envelope>, wire::Envelope) {
        let mut first = self.open[0].clone();
        first.roster.remove(0);
        let mut second = after(&first);
        second.roster.insert(0, member("alice", wire::Role::Admin));
        let mut third = after(&second);
        third.roster.pop();
        let entry =
            |under, sequence, control| inner(story, LEFT, Some(under), sequence, of(control));
        let tells = |epochs| {
            let copy = wire::AttachmentCopy {
                attachment_id: vec![8; 16],
                copy_id: vec![9; 16],
            };
            share_with(story, &story.mallory, (LEFT, &second), epochs, vec![copy])
        };
        let page = vec![
            share_of(story, &story.mallory, (LEFT, &second), &[1]),
            sealed(&story.mallory, &entry(&first, 1, &second)),
            sealed(&story.mallory, &entry(&second, 2, &third)),
            tells(&[1]),
        ];
        (page, tells(&[1, 2]))
    }

    /// A case from which Mallory takes Nina out, and the revision by which Nina would come in again: it follows on the one
    /// in which she took part, under the key that she has.
    pub fn who_was_taken_out(&self, story: &Story) -> (Vec<wire::Envelope>, wire::Envelope) {
        let mut first = self.open[0].clone();
        first.roster.push(member("nina", wire::Role::Member));
        let mut second = after(&first);
        second.roster.pop();
        second.epoch = 2;
        let mut again = after(&first);
        again.roster.push(member("olga", wire::Role::Member));
        let entry =
            |under, sequence, control| inner(story, WITHOUT_NINA, under, sequence, of(control));
        let page = vec![
            share(story, &story.mallory, WITHOUT_NINA, &first),
            sealed(&story.mallory, &entry(None, 1, &first)),
            sealed(&story.mallory, &entry(Some(&first), 2, &second)),
        ];
        let mut hers = entry(Some(&first), 1, &again);
        hers.sender_id = "nina".to_owned();
        hers.sender_box_key = self.nina.box_key().to_vec();
        (page, sealed(&self.nina, &hers))
    }

    /// A day after that.
    pub fn bad(&self, story: &Story) -> Vec<Case> {
        let [first, second] = &self.open;
        let mallory = &story.mallory;
        let text = || said("tampered", None);
        let entry = |case_id, control: &wire::CaseControl, payload| {
            sealed(mallory, &inner(story, case_id, Some(control), 9, payload))
        };
        let with = |change: fn(&mut wire::Inner)| {
            let mut inner = inner(story, OPEN, Some(second), 9, text());
            change(&mut inner);
            inner
        };
        // In Mallory's name, with the case's key, by somebody who does not have hers.
        let forged = with(|_| {});
        let forged = self
            .nina
            .forged_case_entry(mallory, &key(second.epoch), &forged, "alice");
        let mut hers = with(|_| {});
        hers.sender_id = "nina".to_owned();
        hers.sender_box_key = self.nina.box_key().to_vec();
        let mut without_alice = after(second);
        without_alice.roster.remove(0);
        let mut unknown = after(second);
        unknown.revision = 9;
        unknown.previous_digest = vec![9; 32];
        let mut endless = after(second);
        endless.revision = 1 << 53;
        let field = Payload::CaseField(wire::CaseField {
            name: "allergies".to_owned(),
            revision: 3,
            previous_digest: vec![9; 32],
            media_type: "text/plain".to_owned(),
            value: b"none".to_vec(),
        });
        let far_ahead = share_of(story, mallory, (OPEN, second), &[1, 4097]);
        vec![
            (
                "unknown_case",
                sealed(mallory, &with(|i| i.case_id = vec![7; 16])),
            ),
            (
                "unknown_epoch",
                sealed(mallory, &with(|i| i.case_epoch = 7)),
            ),
            ("old_epoch", entry(OPEN, first, text())),
            ("bad_signature", forged),
            ("not_a_participant", sealed(&self.nina, &hers)),
            ("not_allowed", entry(OPEN, second, of(&without_alice))),
            ("case_closed", entry(CLOSED, &self.closed[1], text())),
            ("broken_control_chain", entry(OPEN, second, of(&unknown))),
            ("malformed_payload", entry(OPEN, second, of(&endless))),
            ("broken_field_chain", entry(OPEN, second, field)),
            ("bad_key_share", share(story, &self.nina, OPEN, second)),
            ("too_many_epochs", far_ahead),
        ]
    }
}

fn of(control: &wire::CaseControl) -> Payload {
    Payload::CaseControl(control.clone())
}

fn inner(
    story: &Story,
    case_id: [u8; 16],
    under: Option<&wire::CaseControl>,
    sequence: u64,
    payload: Payload,
) -> wire::Inner {
    let (epoch, roster) = under.map_or((1, Vec::new()), |under| (under.epoch, digest_of(under)));
    let now_ms = story.world.now_ms();
    story
        .mallory
        .case_inner(case_id, (epoch, &roster), sequence, payload, now_ms)
}

fn sealed(author: &Mallory, inner: &wire::Inner) -> wire::Envelope {
    author.case_entry(&key(inner.case_epoch), inner, "alice")
}

fn share(
    story: &Story,
    from: &Mallory,
    case_id: [u8; 16],
    control: &wire::CaseControl,
) -> wire::Envelope {
    share_of(story, from, (case_id, control), &[1, 2])
}

fn share_of(
    story: &Story,
    from: &Mallory,
    (case_id, control): ([u8; 16], &wire::CaseControl),
    epochs: &[u32],
) -> wire::Envelope {
    share_with(story, from, (case_id, control), epochs, Vec::new())
}

fn share_with(
    story: &Story,
    from: &Mallory,
    (case_id, control): ([u8; 16], &wire::CaseControl),
    epochs: &[u32],
    copies: Vec<wire::AttachmentCopy>,
) -> wire::Envelope {
    let keys = epochs.iter().map(|epoch| wire::EpochKey {
        epoch: *epoch,
        key: key(*epoch).expose().to_vec(),
    });
    let mut inner = from.text(&story.to, "", story.world.now_ms());
    inner.payload = Some(Payload::CaseKeyShare(wire::CaseKeyShare {
        case_id: case_id.to_vec(),
        keys: keys.collect(),
        control_digest: digest_of(control),
        history: None,
        copies,
    }));
    from.sealed(&story.to, &inner)
}
