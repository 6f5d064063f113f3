//! Every way of a message of ours from one state into another, and every reason, as an app is told of them (D20).

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use connect_api::cases;
use connect_api::contacts::{Add, UserParams};
use connect_api::conversation::Conversation;
use connect_api::events::EventBody;
use connect_api::groups::{Create, CreateParams, Update, UpdateParams};
use connect_api::messages::{Delete, MessageParams, MessageState, StateReason};
use connect_api::trust::{Decide, DecideParams, Decision};
use connect_proto::wire;
use connect_store::codes::{StateReason as Stored, Trust};
use connect_store::contacts;
use connect_store::recipients::TRANSITIONS;
use connect_tests::fake_relay::Reply;
use connect_tests::mallory::update;
use connect_tests::mischief::Story;
use wire::KeyState;
use wire::inner::Payload;
use wire::receipt::Kind;

use MessageState::{Delivered, Failed, Held, Queued, Read, Sent};

/// Longer than a message is ever put off.
const LONG_MS: u64 = 400_000;
const DAY_MS: u64 = 24 * 3600 * 1000;

/// Alice's messages to Mallory.
struct Lives {
    story: Story,
    /// A receipt is a message of its own, in an order of its own.
    receipts: u64,
}

impl Lives {
    async fn new() -> Result<Self> {
        let story = Story::new().await?;
        let user_id = "mallory".to_owned();
        story
            .alice
            .client
            .call::<Add>(UserParams { user_id })
            .await?;
        Ok(Self { story, receipts: 0 })
    }

    async fn writes(&self) -> Result<String> {
        let to = Conversation::User("mallory".to_owned());
        let sent = self.story.alice.client.send_text(to, "a", None).await?;
        Ok(sent.message_id)
    }

    /// Whose send the relay answers so.
    async fn writes_and_gets(&self, status: u16, headers: &str) -> Result<String> {
        let reply = Reply::status(status, headers, b"");
        self.story.relay.replies_to_a_send(reply);
        self.writes().await
    }

    async fn becomes(&self, id: &str, state: MessageState) -> Result<()> {
        self.story.alice.sees_state(id, state).await.map(|_| ())
    }

    /// What was put off goes out, before anything else does.
    async fn goes_on(&self) -> Result<()> {
        self.story.world.advance(LONG_MS);
        let last = self.writes().await?;
        self.becomes(&last, Sent).await
    }

    /// Mallory tells how far a message came, whatever the relay says of it.
    fn tells(&mut self, id: &str, kind: Kind) -> Result<()> {
        let story = &self.story;
        self.receipts += 1;
        let mut inner = story.text("");
        inner.sequence = self.receipts;
        inner.payload = Some(Payload::Receipt(wire::Receipt {
            kind: kind.into(),
            messages: vec![wire::MessageRef {
                sender_id: "alice".to_owned(),
                message_id: hex::decode(id)?,
                ..Default::default()
            }],
            at_ms: story.world.now_ms(),
        }));
        let page = vec![story.mallory.sealed(&story.to, &inner)];
        story.relay.replies(Reply::Page(page));
        Ok(())
    }

    fn bounces(&self, id: &str, reason: wire::bounce::Reason) -> Result<()> {
        let message_id = hex::decode(id)?;
        let bounce = wire::Envelope {
            message_id: message_id.clone(),
            bounce: Some(wire::Bounce {
                message_id,
                recipient_id: "mallory".to_owned(),
                reason: reason.into(),
            }),
            ..Default::default()
        };
        self.story.relay.replies(Reply::Page(vec![bounce]));
        Ok(())
    }

    async fn deletes(&self, id: &str) -> Result<()> {
        let message_id = id.to_owned();
        let client = &self.story.alice.client;
        client.call::<Delete>(MessageParams { message_id }).await?;
        Ok(())
    }

    /// The relay says that Mallory's keys are others, or in another state.
    fn publishes(&self, entry: &wire::DirectoryEntry) -> Result<()> {
        self.story.relay.publishes(entry.clone());
        let page = vec![update(entry)?];
        self.story.relay.replies(Reply::Page(page));
        Ok(())
    }

    /// Every step that was told, message by message.
    async fn told(&self, until: &str) -> Result<Told> {
        let mut told = Told::default();
        let mut states = BTreeMap::new();
        let mut events = self.story.alice.events();
        while let Some(event) = events.next().await {
            let EventBody::MessageState {
                message_id,
                state,
                reason,
                ..
            } = event?.body
            else {
                continue;
            };
            if let Some(before) = states.insert(message_id.clone(), state) {
                told.steps.insert((word(before)?, word(state)?));
            }
            told.reasons
                .extend(reason.map(|reason| format!("{reason:?}")));
            if message_id == until && state == Read {
                break;
            }
        }
        Ok(told)
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    steps: BTreeSet<(String, String)>,
    reasons: BTreeSet<String>,
}

/// As it is spelled on the socket, and in the database.
fn word(state: MessageState) -> Result<String> {
    Ok(serde_json::from_value(serde_json::to_value(state)?)?)
}

/// The relay takes it, and Mallory says so.
async fn that_go_well(lives: &mut Lives) -> Result<()> {
    let id = lives.writes().await?;
    lives.becomes(&id, Sent).await?;
    lives.tells(&id, Kind::Delivered)?;
    lives.becomes(&id, Delivered).await?;
    lives.tells(&id, Kind::Read)?;
    lives.becomes(&id, Read).await?;
    let id = lives.writes().await?;
    lives.becomes(&id, Sent).await?;
    lives.tells(&id, Kind::Read)?;
    lives.becomes(&id, Read).await
}

/// Mallory has it, and the relay's own answer says something else.
async fn whose_receipt_comes_first(lives: &mut Lives) -> Result<()> {
    for (kind, state) in [(Kind::Delivered, Delivered), (Kind::Read, Read)] {
        for (status, before) in [(500, Queued), (507, Held), (400, Failed)] {
            let id = lives.writes_and_gets(status, "").await?;
            lives.becomes(&id, before).await?;
            lives.tells(&id, kind)?;
            lives.becomes(&id, state).await?;
            lives.goes_on().await?;
        }
    }
    Ok(())
}

async fn that_are_refused(lives: &mut Lives) -> Result<()> {
    for status in [400, 404, 409, 413] {
        let id = lives.writes_and_gets(status, "").await?;
        lives.becomes(&id, Failed).await?;
    }
    for reason in [
        wire::bounce::Reason::Expired,
        wire::bounce::Reason::RecipientDeleted,
    ] {
        let id = lives.writes().await?;
        lives.becomes(&id, Sent).await?;
        lives.bounces(&id, reason)?;
        lives.becomes(&id, Failed).await?;
    }
    Ok(())
}

async fn that_wait_for_room(lives: &mut Lives) -> Result<()> {
    let id = lives.writes_and_gets(507, "").await?;
    lives.becomes(&id, Held).await?;
    lives.goes_on().await?;
    lives.becomes(&id, Sent).await
}

/// Keys that were revoked, and those that Alice had verified and that changed.
async fn that_wait_for_keys(lives: &mut Lives) -> Result<()> {
    let revoked = lives.story.mallory.entry(KeyState::KeyCompromised, 1);
    let queued = lives.writes_and_gets(500, "").await?;
    lives.becomes(&queued, Queued).await?;
    lives.publishes(&revoked)?;
    lives.becomes(&queued, Held).await?;
    let withdrawn = lives.writes().await?;
    lives.deletes(&withdrawn).await?;
    lives.becomes(&withdrawn, Failed).await?;

    let renewed = lives.story.mallory.with_new_keys();
    let entry = renewed.entry_after(&lives.story.mallory, KeyState::KeyCompromised, 2);
    lives.publishes(&entry)?;
    lives.becomes(&queued, Sent).await?;
    lives.story.mallory = renewed;

    verify(lives).await?;
    lives.story.alice.restart().await?;
    let held = lives.writes().await?;
    lives.becomes(&held, Held).await?;
    decide(lives, Decision::Reject).await?;
    lives.becomes(&held, Failed).await?;
    // Under a rejected key nothing is heard.
    decide(lives, Decision::Accept).await
}

/// Whoever is taken out of a group gets nothing of what is still on its way there.
async fn that_lose_their_reader(lives: &Lives) -> Result<()> {
    let client = &lives.story.alice.client;
    let made = CreateParams {
        name: "Ward 3".to_owned(),
        members: vec!["mallory".to_owned()],
    };
    let group = client.call::<Create>(made).await?.group;
    while client.health().await?.outbox.queued > 0 {
        tokio::task::yield_now().await;
    }
    // However often it is tried meanwhile.
    lives.story.relay.takes_no_sends(true);
    let to = Conversation::Group(group.clone());
    let sent = client.send_text(to, "a", None).await?;
    let removed = UpdateParams {
        group,
        remove: vec!["mallory".to_owned()],
        ..UpdateParams::default()
    };
    client.call::<Update>(removed).await?;
    lives.becomes(&sent.message_id, Failed).await?;
    lives.story.relay.takes_no_sends(false);
    Ok(())
}

/// A patient case is closed, and a day later there is a decision about the key for which something of it waited.
async fn that_come_too_late(lives: &Lives) -> Result<()> {
    let client = &lives.story.alice.client;
    let made = cases::CreateParams {
        title: "Bed 4".to_owned(),
        patient_reference: None,
        participants: vec!["mallory".to_owned()],
        fields: BTreeMap::new(),
    };
    let case = client.call::<cases::Create>(made).await?.case;
    decide(lives, Decision::Reject).await?;
    let late = lives.story.alice.says(&case, "a").await?;
    lives.becomes(&late, Held).await?;
    client
        .call::<cases::Close>(cases::CaseParams { case })
        .await?;
    lives.story.world.advance(DAY_MS);
    decide(lives, Decision::Accept).await?;
    lives.becomes(&late, Failed).await
}

async fn decide(lives: &Lives, decision: Decision) -> Result<()> {
    let params = DecideParams {
        user_id: lives.story.mallory.user_id.to_string(),
        decision,
        key: None,
    };
    lives.story.alice.client.call::<Decide>(params).await?;
    Ok(())
}

/// As if the two had compared their digits before the keys changed.
async fn verify(lives: &mut Lives) -> Result<()> {
    lives.story.alice.stop().await;
    let store = lives.story.alice.database().await?;
    let mallory = contacts::find(&store, &lives.story.mallory.user_id).await?;
    let mut mallory = mallory.context("a contact")?;
    mallory.trust = Trust::Changed;
    let mut tx = store.begin().await?;
    contacts::put(&mut tx, None, &mallory).await?;
    tx.commit().await?;
    store.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_and_every_reason_is_told() -> Result<()> {
    let mut lives = Lives::new().await?;
    that_go_well(&mut lives).await?;
    whose_receipt_comes_first(&mut lives).await?;
    that_are_refused(&mut lives).await?;
    that_wait_for_room(&mut lives).await?;
    that_wait_for_keys(&mut lives).await?;
    that_lose_their_reader(&lives).await?;
    that_come_too_late(&lives).await?;
    let last = lives.writes().await?;
    lives.tells(&last, Kind::Read)?;
    let told = lives.told(&last).await?;
    let ways = TRANSITIONS.map(|(from, to)| (from.word().to_owned(), to.word().to_owned()));
    assert_eq!(told.steps, ways.into());
    let reasons = Stored::ALL.iter().map(|reason| format!("{reason:?}"));
    assert_eq!(told.reasons, reasons.collect());
    Ok(())
}

/// A word for a state is the same on the socket and in the database.
#[test]
fn the_reasons_of_the_contract_are_those_of_the_database() -> Result<()> {
    for reason in Stored::ALL {
        let told: StateReason = serde_json::from_value(reason.word().into())?;
        assert_eq!(format!("{told:?}"), format!("{reason:?}"));
    }
    Ok(())
}
