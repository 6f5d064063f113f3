//! Keys that change, and people who are who they say: what Alice is told, and what is sent (§10.5, D25, D26).

use std::time::Duration;

use anyhow::{Context as _, Result};
use connect_api::contacts::{Get as GetContact, KeyDecision, KeyState, Trust, UserParams};
use connect_api::conversation::Conversation;
use connect_api::errors::{ErrorCode, Reason};
use connect_api::events::EventBody;
use connect_api::messages::{Auth, MessageState, StateReason};
use connect_api::page::ListParams;
use connect_api::trust::{Compare, CompareParams, Decision, Fingerprint, ListPending};
use connect_proto::wire;
use connect_tests::fake_relay::Reply;
use connect_tests::keys::{changes, compare, contact, decide, standing, story, verified, writes};
use connect_tests::mallory::{Mallory, statement};
use connect_tests::mischief::Story;
use connect_tests::raw::Raw;
use connect_tests::world::{World, refusal};
use serde_json::json;

use wire::KeyState as Published;
use wire::inner::Payload;

/// The texts that went out to these keys.
async fn read_by(story: &Story, reader: &Mallory, count: usize) -> Vec<String> {
    let sent = story.relay.sends(count).await;
    let opened = sent.iter().filter_map(|one| reader.opens(&story.to, one));
    let texts = opened.filter_map(|inner| match inner.payload? {
        Payload::Text(text) => Some(text.body),
        _ => None,
    });
    texts.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_see_the_same_sixty_digits_and_one_digit_off_is_false() -> Result<()> {
    let world = World::new().await?;
    let (alice, bob) = (world.person("alice").await?, world.person("bob").await?);
    alice.adds(&bob).await?;
    bob.adds(&alice).await?;
    let of = |name: &str| UserParams {
        user_id: name.to_owned(),
    };
    let shown = alice.client.call::<Fingerprint>(of("bob")).await?;
    let by_bob = bob.client.call::<Fingerprint>(of("alice")).await?;
    assert_eq!(shown, by_bob);
    assert_eq!(shown.digits.replace(' ', ""), shown.qr);
    assert_eq!(shown.qr.len(), 60);
    let told = |digits: Option<&str>, qr: Option<&str>| CompareParams {
        user_id: "bob".to_owned(),
        digits: digits.map(str::to_owned),
        qr: qr.map(str::to_owned),
    };
    for place in [0, 31, 59] {
        let mut off = shown.qr.clone().into_bytes();
        off[place] = b'0' + (off[place] - b'0' + 1) % 10;
        let off = String::from_utf8(off)?;
        let compared = alice.client.call::<Compare>(told(Some(&off), None)).await?;
        assert!(!compared.verified, "digit {place}");
    }
    for bad in [
        told(None, None),
        told(Some(&shown.digits), Some(&shown.qr)),
        told(Some(&shown.digits[1..]), None),
    ] {
        let refused = refusal(alice.client.call::<Compare>(bad).await)?;
        assert_eq!(refused, ErrorCode::Invalid);
    }
    let before = alice.client.call::<GetContact>(of("bob")).await?;
    assert_eq!(before.trust, Trust::Seen);
    let compared = alice.client.call::<Compare>(told(None, Some(&by_bob.qr)));
    assert!(compared.await?.verified);
    let after = alice.client.call::<GetContact>(of("bob")).await?;
    assert_eq!(after.trust, Trust::Verified);
    assert_eq!(after.keys[0].decision, Some(KeyDecision::Compared));
    // A comparison that failed is in the log as that.
    let mut raw = Raw::connect(alice.endpoint.path()).await?;
    let log = raw.call("audit.list", json!({"limit": 500})).await?;
    let entries = log["result"]["items"].as_array().context("entries")?;
    let outcomes: Vec<_> = entries
        .iter()
        .filter(|entry| entry["method"] == "trust.compare" && entry["outcome"] != "invalid")
        .map(|entry| entry["outcome"].as_str().unwrap_or_default())
        .collect();
    assert_eq!(outcomes, ["mismatch", "mismatch", "mismatch", "ok"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_key_of_somebody_merely_seen_warns_and_holds_nothing() -> Result<()> {
    let story = story().await?;
    let renewed = story.mallory.with_new_keys();
    let entry = renewed.entry_after(&story.mallory, Published::KeyReplaced, 1);
    let told = changes(&story, &entry).await?;
    let expected = EventBody::KeyChanged {
        user_id: "mallory".to_owned(),
        trust: Some(Trust::Seen),
        countersigned: Some(false),
        key_revision: Some(2),
    };
    assert_eq!(told, expected);
    let id = writes(&story, "goes out").await?;
    story.alice.sees_state(&id, MessageState::Sent).await?;
    assert_eq!(read_by(&story, &renewed, 1).await, ["goes out"]);
    Ok(())
}

/// Alice verified Bob, and he got another key, signed by the old one or not: both wait, and what is shown tells them apart.
#[tokio::test(flavor = "multi_thread")]
async fn a_changed_key_of_somebody_verified_holds_what_is_sent_with_and_without_the_old_key()
-> Result<()> {
    for countersigned in [true, false] {
        let story = verified().await?;
        let renewed = story.mallory.with_new_keys();
        let entry = if countersigned {
            renewed.entry_signed_by(&story.mallory, 1)?
        } else {
            renewed.entry_after(&story.mallory, Published::KeyReplaced, 1)
        };
        let told = changes(&story, &entry).await?;
        let expected = EventBody::KeyChanged {
            user_id: "mallory".to_owned(),
            trust: Some(Trust::Changed),
            countersigned: Some(countersigned),
            key_revision: Some(2),
        };
        assert_eq!(told, expected);
        let holds = |body: &EventBody| matches!(body, EventBody::KeyChangeHold { .. });
        story.alice.sees(holds).await?;
        let shown = contact(&story).await?;
        assert_eq!(shown.keys[0].countersigned, countersigned);
        let held = (MessageState::Held, Some(StateReason::KeyChanged));
        let id = writes(&story, "for Bob alone").await?;
        assert_eq!(standing(&story, &id).await?, held);
        let pending = story
            .alice
            .client
            .call::<ListPending>(ListParams::default());
        let pending = pending.await?.items;
        assert_eq!((pending.len(), pending[0].held), (1, 1));
        assert_eq!(story.alice.client.health().await?.trust.undecided, 1);
        // The old digits are no longer the right ones.
        assert!(!compare(&story, &story.mallory.digits(&story.to)).await?);
        assert_eq!(standing(&story, &id).await?, held);
        // With a comparison in the one story, without in the other.
        if countersigned {
            assert!(compare(&story, &renewed.digits(&story.to)).await?);
            assert_eq!(contact(&story).await?.trust, Trust::Verified);
        } else {
            let seen = decide(&story, Decision::Accept, shown.key).await?;
            assert_eq!(seen.trust, Trust::Seen);
        }
        story.alice.sees_state(&id, MessageState::Sent).await?;
        assert_eq!(read_by(&story, &renewed, 1).await, ["for Bob alone"]);
        assert_eq!(story.alice.client.health().await?.trust.undecided, 0);
    }
    Ok(())
}

/// The relay puts a key of its own making into Bob's place: first it has his revoked, so that none is left to compare with.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_the_relay_s_own_making_is_told_and_nothing_is_sent_to_it() -> Result<()> {
    let story = verified().await?;
    let known = story.mallory.entry(Published::KeyRevoked, 1);
    story.relay.publishes(known.clone());
    let said = statement(&known, 1, Published::KeyRevoked, 1)?;
    story.relay.replies(Reply::Page(vec![said]));
    let revoked = |body: &EventBody| matches!(body, EventBody::KeyRevoked { state, .. } if *state == KeyState::Revoked);
    story.alice.sees(revoked).await?;
    let id = writes(&story, "for Bob alone").await?;
    let forged = story.mallory.with_new_keys();
    let entry = forged.entry_after(&story.mallory, Published::KeyRevoked, 1);
    let told = changes(&story, &entry).await?;
    assert!(
        matches!(
            told,
            EventBody::KeyChanged {
                trust: Some(Trust::Changed),
                ..
            }
        ),
        "{told:?}"
    );
    let held = (MessageState::Held, Some(StateReason::KeyChanged));
    assert_eq!(standing(&story, &id).await?, held);
    // Whatever was on its way by then would be there before what goes to somebody else.
    let carol = Mallory::new("carol".parse()?);
    story.relay.publishes(carol.entry(Published::KeyActive, 0));
    let mut raw = Raw::connect(story.alice.endpoint.path()).await?;
    raw.call("contacts.add", json!({"user_id": "carol"}))
        .await?;
    let to = Conversation::User("carol".to_owned());
    let other = story.alice.client.send_text(to, "hello", None).await?;
    story
        .alice
        .sees_state(&other.message_id, MessageState::Sent)
        .await?;
    let sent = story.relay.sends(1).await;
    assert_eq!(sent.len(), 1);
    assert!(
        sent.iter()
            .all(|one| forged.opens(&story.to, one).is_none())
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_rejected_key_fails_and_what_comes_under_it_is_put_aside() -> Result<()> {
    let story = verified().await?;
    let forged = story.mallory.with_new_keys();
    let entry = forged.entry_after(&story.mallory, Published::KeyReplaced, story.world.now_ms());
    changes(&story, &entry).await?;
    let waiting = writes(&story, "waits").await?;
    let shown = contact(&story).await?.key;
    // Somebody else looked at the key from before.
    let old = contact(&story).await?.keys[1].key.clone();
    let refused = refusal(decide(&story, Decision::Reject, Some(old)).await)?;
    assert_eq!(refused, ErrorCode::RevisionConflict);
    decide(&story, Decision::Reject, shown).await?;
    let rejected = Some(StateReason::KeyRejected);
    assert_eq!(
        standing(&story, &waiting).await?,
        (MessageState::Failed, rejected)
    );
    let later = writes(&story, "later").await?;
    assert_eq!(
        standing(&story, &later).await?,
        (MessageState::Held, rejected)
    );
    let inner = forged.text(&story.to, "forged", story.world.now_ms());
    let forged_id = hex::encode(&inner.message_id);
    story
        .relay
        .replies(Reply::Page(vec![forged.sealed(&story.to, &inner)]));
    let aside = |body: &EventBody| matches!(body, EventBody::MessageQuarantined { reason, .. } if reason == "rejected_key");
    story.alice.sees(aside).await?;
    // An older key of the same person's says what it said before.
    let honest = story.honest("from before");
    let id = hex::encode(&honest.message_id);
    story.relay.replies(Reply::Page(vec![honest]));
    assert_eq!(story.alice.receives(&id).await?.auth, Auth::RetiredKey);
    // Whoever finds out that it was right after all compares, and what waits goes out.
    assert!(compare(&story, &forged.digits(&story.to)).await?);
    story.alice.sees_state(&later, MessageState::Sent).await?;
    assert_eq!(
        read_by(&story, &forged, 1)
            .await
            .first()
            .map(String::as_str),
        Some("later")
    );
    assert_eq!(standing(&story, &waiting).await?.0, MessageState::Failed);
    // What came under it meanwhile comes in too: nothing else would bring it.
    story.alice.receives(&forged_id).await?;
    assert_eq!(story.alice.client.health().await?.inbox.quarantined, 0);
    Ok(())
}

/// They are more than one transaction takes in, and none comes in by a decision about another key.
#[tokio::test(flavor = "multi_thread")]
async fn what_came_under_a_rejected_key_stays_aside_when_the_next_one_is_accepted() -> Result<()> {
    const MANY: usize = 450;
    let story = story().await?;
    decide(&story, Decision::Reject, None).await?;
    let forged: Vec<_> = (0..MANY).map(|_| story.honest("forged")).collect();
    for page in forged.chunks(100) {
        story.relay.replies(Reply::Page(page.to_vec()));
    }
    story.relay.acknowledged(MANY).await;
    let renewed = story.mallory.with_new_keys();
    let entry = renewed.entry_after(&story.mallory, Published::KeyReplaced, story.world.now_ms());
    changes(&story, &entry).await?;
    decide(&story, Decision::Reject, None).await?;
    let before = story.alice.client.health().await?.events.last_event_id;
    let accepted = decide(&story, Decision::Accept, None);
    tokio::time::timeout(Duration::from_mins(1), accepted)
        .await
        .context("it does not end")??;
    let health = story.alice.client.health().await?;
    assert_eq!(health.inbox.quarantined, MANY as u64);
    let told = health.events.last_event_id - before;
    assert!(told < 10, "nobody is told of them once more: {told}");
    Ok(())
}

/// After a rejection, a third key waits for a decision of its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_after_a_rejected_one_waits_for_a_decision_of_its_own() -> Result<()> {
    let story = story().await?;
    decide(&story, Decision::Reject, None).await?;
    let renewed = story.mallory.with_new_keys();
    let entry = renewed.entry_after(&story.mallory, Published::KeyReplaced, 1);
    changes(&story, &entry).await?;
    let id = writes(&story, "waits").await?;
    let held = (MessageState::Held, Some(StateReason::KeyChanged));
    assert_eq!(standing(&story, &id).await?, held);
    decide(&story, Decision::Accept, None).await?;
    story.alice.sees_state(&id, MessageState::Sent).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn decisions_need_a_key_a_contact_and_the_scope() -> Result<()> {
    let story = story().await?;
    let mut raw = Raw::connect(story.alice.endpoint.path()).await?;
    for (params, expected) in [
        (
            json!({"user_id": "nobody", "decision": "accept"}),
            "not_found",
        ),
        (
            json!({"user_id": "mallory", "decision": "perhaps"}),
            "invalid_params",
        ),
        (
            json!({"user_id": "mallory", "decision": "accept", "key": "12"}),
            "invalid",
        ),
        (json!({"user_id": "mallory", "decision": "accept"}), "ok"),
        // It says no more than was said before.
        (json!({"user_id": "mallory", "decision": "accept"}), "ok"),
    ] {
        assert_eq!(
            raw.outcome("trust.decide", params.clone()).await?,
            expected,
            "{params}"
        );
    }
    let revoked = story.mallory.entry(Published::KeyRevoked, 1);
    story.relay.publishes(revoked);
    raw.call("contacts.add", json!({"user_id": "mallory"}))
        .await?;
    for (method, params) in [
        (
            "trust.decide",
            json!({"user_id": "mallory", "decision": "accept"}),
        ),
        ("trust.fingerprint", json!({"user_id": "mallory"})),
        (
            "trust.compare",
            json!({"user_id": "mallory", "qr": "0".repeat(60)}),
        ),
    ] {
        assert_eq!(
            raw.outcome(method, params).await?,
            "key_revoked",
            "{method}"
        );
    }
    let malformed = raw
        .call("trust.compare", json!({"user_id": "mallory", "qr": 7}))
        .await?;
    assert_eq!(
        malformed["error"]["data"]["reason"],
        json!(Reason::WrongType)
    );
    Ok(())
}
