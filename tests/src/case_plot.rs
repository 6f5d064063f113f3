//! A patient case of which a story writes every entry: by whom, under which key and in which order it wants.

use std::cmp::{Ordering, Reverse};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Context as _, Result};
use connect_api::cases::{AddParticipant, Case, CaseState, ParticipantParams};
use connect_api::contacts::{Add, UserParams};
use connect_api::events::EventBody;
use connect_core::attachment::{seal_chunk, sealed_size};
use connect_core::message::Payload as Read;
use connect_core::secret::{AttachmentKey, CaseKey};
use connect_core::signed::open::{Opened, Signer, decrypt, read_outside};
use connect_core::standing::Standing;
use connect_proto::hash::sha256;
use connect_proto::ids::AttachmentId;
use connect_proto::{codec, wire};
use tokio::time::timeout;
use wire::inner::Payload;

use crate::bad_cases::{digest_of, member};
use crate::fake_relay::Reply;
use crate::mallory::Mallory;
use crate::mischief::Story;

/// With what does not come.
pub const PATIENCE: Duration = Duration::from_mins(1);
/// Envelopes in one page.
const PAGE: usize = 100;

pub fn key(seed: u8) -> CaseKey {
    CaseKey::from_bytes(&[seed; 32])
}

/// A case's first revision.
pub fn first(roster: &[(&str, wire::Role)]) -> wire::CaseControl {
    wire::CaseControl {
        revision: 1,
        title: "Bed 4".to_owned(),
        roster: people(roster),
        epoch: 1,
        ..Default::default()
    }
}

/// By user id, as a roster has to be.
pub fn people(roster: &[(&str, wire::Role)]) -> Vec<wire::Member> {
    let mut people: Vec<_> = roster
        .iter()
        .map(|(user, role)| member(user, *role))
        .collect();
    people.sort_by(|one, other| one.user_id.cmp(&other.user_id));
    people
}

/// One of these that every participant takes before the other, or after it: they differ in their patient's identifier.
pub fn beside(
    one: &wire::CaseControl,
    other: &wire::CaseControl,
    wanted: Ordering,
) -> Result<wire::CaseControl> {
    let tried = (0..1000).map(|number| wire::CaseControl {
        patient_reference: format!("MRN {number}"),
        ..one.clone()
    });
    let place = |control: &wire::CaseControl| (control.revision, Reverse(digest_of(control)));
    let mut fitting = tried.filter(|tried| place(tried).cmp(&place(other)) == wanted);
    fitting.next().context("one that fits")
}

pub fn control(control: &wire::CaseControl) -> Payload {
    Payload::CaseControl(control.clone())
}

/// The case, and how far it has come.
#[derive(Debug)]
pub struct Plot<'s> {
    pub story: &'s Story,
    id: [u8; 16],
    brought: AtomicUsize,
    sequence: AtomicU64,
}

impl<'s> Plot<'s> {
    pub fn new(story: &'s Story) -> Self {
        Self {
            story,
            id: [6; 16],
            brought: AtomicUsize::new(0),
            sequence: AtomicU64::new(0),
        }
    }

    pub fn case(&self) -> String {
        hex::encode(self.id)
    }

    /// Somebody whom the relay's directory knows.
    pub fn person(&self, name: &str) -> Result<Mallory> {
        let person = Mallory::new(name.parse()?);
        let entry = person.entry(wire::KeyState::KeyActive, 0);
        self.story.relay.publishes(entry);
        Ok(person)
    }

    /// Alice adds somebody, who has no daemon.
    pub async fn adds(&self, person: &Mallory) -> Result<()> {
        let (alice, user_id) = (&self.story.alice.client, person.user_id.to_string());
        let contact = UserParams {
            user_id: user_id.clone(),
        };
        alice.call::<Add>(contact).await?;
        let case = self.case();
        let added = ParticipantParams { case, user_id };
        alice.call::<AddParticipant>(added).await?;
        Ok(())
    }

    /// What Alice shares with somebody, once it is as wanted.
    pub async fn shares_with(
        &self,
        person: &Mallory,
        wanted: impl Fn(&wire::CaseKeyShare) -> bool,
    ) -> Result<wire::CaseKeyShare> {
        let shared = self.story.relay.sent_one(|envelope| {
            match person.opens(&self.story.to, envelope)?.payload? {
                Payload::CaseKeyShare(share) => wanted(&share).then_some(share),
                _ => None,
            }
        });
        timeout(PATIENCE, shared).await.context("nothing shared")
    }

    /// What is said under the id of an entry that was said before.
    pub fn again(
        &self,
        by: &Mallory,
        key: &CaseKey,
        under: &wire::CaseControl,
        (first, sequence, payload): (Option<&wire::Envelope>, u64, Payload),
    ) -> wire::Envelope {
        let roster = digest_of(under);
        let now_ms = self.story.world.now_ms();
        let of = (under.epoch, roster.as_slice());
        let mut inner = by.case_inner(self.id, of, sequence, payload, now_ms);
        if let Some(first) = first {
            inner.message_id.clone_from(&first.message_id);
        }
        by.case_entry(key, &inner, "alice")
    }

    /// An entry under a revision; under none where it is the first revision itself.
    pub fn entry(
        &self,
        by: &Mallory,
        key: &CaseKey,
        under: Option<&wire::CaseControl>,
        payload: Payload,
    ) -> wire::Envelope {
        let (epoch, roster) =
            under.map_or((1, Vec::new()), |under| (under.epoch, digest_of(under)));
        let sequence = self.sequence.fetch_add(1, Relaxed) + 1;
        let now_ms = self.story.world.now_ms();
        let inner = by.case_inner(self.id, (epoch, &roster), sequence, payload, now_ms);
        by.case_entry(key, &inner, "alice")
    }

    pub fn says(
        &self,
        by: &Mallory,
        key: &CaseKey,
        under: &wire::CaseControl,
        text: &str,
    ) -> wire::Envelope {
        let text = Payload::Text(wire::Text {
            body: text.to_owned(),
            reply_to: None,
        });
        self.entry(by, key, Some(under), text)
    }

    pub fn share(
        &self,
        by: &Mallory,
        with: &wire::CaseControl,
        keys: &[(u32, &CaseKey)],
        history: Option<wire::Attachment>,
    ) -> wire::Envelope {
        let keys = keys.iter().map(|(epoch, key)| wire::EpochKey {
            epoch: *epoch,
            key: key.expose().to_vec(),
        });
        let mut inner = by.text(&self.story.to, "", self.story.world.now_ms());
        inner.payload = Some(Payload::CaseKeyShare(wire::CaseKeyShare {
            case_id: self.id.to_vec(),
            keys: keys.collect(),
            control_digest: digest_of(with),
            history,
            copies: Vec::new(),
        }));
        by.sealed(&self.story.to, &inner)
    }

    /// A log of these entries, which can be fetched.
    pub fn history(&self, seed: u8, entries: &[&wire::Envelope]) -> wire::Attachment {
        let entries = entries.iter().filter_map(|one| one.case_sealed.clone());
        let log = codec::encode(&wire::CaseLog {
            entries: entries.collect(),
        });
        let key = AttachmentKey::from_bytes(&[seed; 32]);
        let id = AttachmentId::from_bytes([seed; 16]);
        let sealed = seal_chunk(&key, 1, &log);
        let said = wire::Attachment {
            attachment_id: id.to_vec(),
            key: key.expose().to_vec(),
            chunk_size: 2_097_152,
            chunk_count: 1,
            plaintext_size: log.len() as u64,
            ciphertext_sha256: sha256(&sealed).to_vec(),
            media_type: "application/octet-stream".to_owned(),
            filename: "history".to_owned(),
            ..Default::default()
        };
        debug_assert_eq!(sealed_size(log.len() as u64, 1), sealed.len() as u64);
        self.story.relay.gives_chunk(&id, 1, sealed);
        said
    }

    /// Alice has all of it, one way or the other.
    pub async fn brings(&self, page: Vec<wire::Envelope>) -> Result<()> {
        let count = self.brought.fetch_add(page.len(), Relaxed) + page.len();
        for some in page.chunks(PAGE) {
            self.story.relay.replies(Reply::Page(some.to_vec()));
        }
        let acknowledged = self.story.relay.acknowledged(count);
        timeout(PATIENCE, acknowledged).await.context("no answer")?;
        Ok(())
    }

    /// Alice puts it aside for this reason.
    pub async fn refuses(&self, envelope: wire::Envelope, expected: &str) -> Result<()> {
        let id = hex::encode(&envelope.message_id);
        self.brings(vec![envelope]).await?;
        let aside = self.story.alice.sees(|body| {
            matches!(body, EventBody::MessageQuarantined { message_id: Some(told), .. } if *told == id)
        });
        let event = timeout(PATIENCE, aside).await.context("it came in")??;
        match event.body {
            EventBody::MessageQuarantined { reason, .. } => assert_eq!(reason, expected),
            other => anyhow::bail!("{other:?}"),
        }
        Ok(())
    }

    /// Alice reads a text, which may have waited.
    pub async fn reads(&self, envelope: &wire::Envelope) -> Result<()> {
        let id = hex::encode(&envelope.message_id);
        let received = self.story.alice.receives(&id);
        timeout(PATIENCE, received).await.context("not shown")??;
        Ok(())
    }

    /// The case as Alice sees it once it is at that revision.
    pub async fn is_at(&self, revision: u64) -> Result<Case> {
        let case = self.case();
        let seen = self.story.alice.sees_case(&case, revision);
        timeout(PATIENCE, seen).await.context("no such revision")?
    }

    /// Waits until nothing is aside any more: what is counted follows what is stored.
    pub async fn has_nothing_aside(&self) -> Result<()> {
        let counted = async {
            while self.story.alice.client.health().await?.inbox.quarantined > 0 {
                tokio::task::yield_now().await;
            }
            Ok(())
        };
        timeout(PATIENCE, counted).await.context("still aside")?
    }

    /// Waits until nothing of what was written before is still to come, and so many texts are here.
    pub async fn has_its_past(&self, texts: usize) -> Result<()> {
        let case = self.case();
        let waiting = async {
            let mut events = self.story.alice.events();
            loop {
                if let Ok(found) = self.story.alice.case(&case).await
                    && !found.awaits_history
                    && self.texts().await?.len() >= texts
                {
                    return Ok(());
                }
                events.next().await.context("an event")??;
            }
        };
        timeout(PATIENCE, waiting).await.context("no history")?
    }

    pub async fn state(&self) -> Result<CaseState> {
        Ok(self.story.alice.case(&self.case()).await?.state)
    }

    /// The texts that Alice has of it.
    pub async fn texts(&self) -> Result<Vec<String>> {
        let all = self.story.alice.reads_case(&self.case()).await?;
        Ok(all.into_iter().map(|message| message.text).collect())
    }

    /// What Alice wrote into it, where it is under this key.
    pub fn opened(&self, key: &CaseKey, envelope: &wire::Envelope) -> Option<Opened> {
        let sealed = envelope.case_sealed.as_ref()?;
        let outside = read_outside(sealed).ok()?;
        let alice = &self.story.to;
        let signer = Signer {
            sign_key: &alice.sign_key,
            box_key: &alice.box_key,
            standing: Standing::Active,
        };
        decrypt(&outside, [key]).ok()?.verify(&[signer]).ok()
    }

    /// Waits until Alice sends something into the case that is under this key, and as wanted.
    pub async fn sends(
        &self,
        key: &CaseKey,
        wanted: impl Fn(&wire::Envelope, &Read) -> bool,
    ) -> Result<wire::Envelope> {
        let sent = self.story.relay.sent_one(|envelope| {
            let opened = self.opened(key, envelope)?;
            wanted(envelope, &opened.payload).then(|| envelope.clone())
        });
        timeout(PATIENCE, sent).await.context("not sent")
    }
}

/// Whether it is this text.
pub fn is_text(payload: &Read, text: &str) -> bool {
    matches!(payload, Read::Text(said) if said.body == text)
}

/// Whether it goes to this user alone.
pub fn is_for(envelope: &wire::Envelope, user: &str) -> bool {
    let sealed = envelope.case_sealed.as_ref();
    sealed.is_some_and(|sealed| sealed.recipient_ids == [user])
}
