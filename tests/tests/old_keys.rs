//! Messages under keys that are in use no more: which are shown, and which lie in quarantine for whom (§5.3, D24).

use anyhow::{Context as _, Result};
use connect_api::contacts::KeyState;
use connect_api::errors::ErrorCode;
use connect_api::events::EventBody;
use connect_api::messages::{Auth, Get, MessageParams};
use connect_api::page::ListParams;
use connect_api::quarantine;
use connect_api::scope::Scope;
use connect_proto::wire;
use connect_tests::fake_relay::Reply;
use connect_tests::keys::{changes, story};
use connect_tests::mallory::statement;
use connect_tests::raw::Raw;
use connect_tests::world::refusal;
use serde_json::json;

use wire::KeyState as Published;

const DAY_MS: u64 = 24 * 3600 * 1000;

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_message_under_a_compromised_key_is_shown_to_who_decides_about_keys_alone()
-> Result<()> {
    let story = story().await?;
    let compromised = story
        .mallory
        .entry(Published::KeyCompromised, story.world.now_ms());
    story.relay.publishes(compromised.clone());
    let forged = story.honest("Give the double dose");
    let id = hex::encode(&forged.message_id);
    // In one page, the statement first: what is behind it is judged by it.
    let said = statement(&compromised, 1, Published::KeyCompromised, 1)?;
    story.relay.replies(Reply::Page(vec![said, forged]));
    let aside = |body: &EventBody| matches!(body, EventBody::MessageQuarantined { reason, .. } if reason == "compromised_key");
    story.alice.sees(aside).await?;
    let message_id = id.clone();
    let get = story.alice.client.call::<Get>(MessageParams { message_id });
    assert_eq!(refusal(get.await)?, ErrorCode::NotFound);

    let listed = story
        .alice
        .client
        .call::<quarantine::List>(ListParams::default());
    let listed = listed.await?.items;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].message_id, Some(id));
    let quarantine_id = listed[0].quarantine_id.clone();
    let of = || quarantine::QuarantineParams {
        quarantine_id: quarantine_id.clone(),
    };
    let kept = story.alice.client.call::<quarantine::Get>(of()).await?;
    let unproven = kept.unproven.context("it opens")?;
    assert_eq!(unproven.text.as_deref(), Some("Give the double dose"));
    assert_eq!(unproven.key_state, KeyState::Compromised);
    assert!(!format!("{unproven:?}").contains("dose"));

    // Every scope but the one.
    let mut raw = Raw::connect(story.alice.endpoint.path()).await?;
    for (scopes, expected) in [
        (vec![Scope::TrustDecide], "ok"),
        (
            Scope::ALL
                .into_iter()
                .filter(|scope| *scope != Scope::TrustDecide)
                .collect(),
            "forbidden",
        ),
    ] {
        let app = json!({"name": "app", "scopes": scopes});
        let app = raw.call("apps.create", app).await?["result"].take();
        let mut paired = Raw::connect(story.alice.endpoint.path()).await?;
        paired.call("session.authenticate", app).await?;
        let get = json!({"quarantine_id": quarantine_id});
        assert_eq!(paired.outcome("quarantine.get", get).await?, expected);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_under_a_replaced_key_open_for_thirty_days_and_are_marked() -> Result<()> {
    let story = story().await?;
    let renewed = story.mallory.with_new_keys();
    let now_ms = story.world.now_ms();
    let entry = renewed.entry_after(&story.mallory, Published::KeyReplaced, now_ms);
    changes(&story, &entry).await?;
    let late = story.honest("in flight");
    let id = hex::encode(&late.message_id);
    story.relay.replies(Reply::Page(vec![late]));
    let received = story.alice.receives(&id).await?;
    assert_eq!(
        (received.text.as_str(), received.auth),
        ("in flight", Auth::RetiredKey)
    );
    story.world.advance(30 * DAY_MS + 1);
    let mut too_late = story.text("too late");
    too_late.sequence = 2;
    let too_late = story.mallory.sealed(&story.to, &too_late);
    story.relay.replies(Reply::Page(vec![too_late]));
    let aside = |body: &EventBody| matches!(body, EventBody::MessageQuarantined { reason, .. } if reason == "retired_key_expired");
    story.alice.sees(aside).await?;
    Ok(())
}
