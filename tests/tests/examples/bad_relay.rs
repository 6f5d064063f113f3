//! What a relay or a sender has to be bad for.

use anyhow::Result;
use connect_api::events::EventBody;
use connect_api::examples::sample;
use connect_proto::wire;
use connect_tests::fake_relay::Reply;
use connect_tests::mallory::statement;
use connect_tests::mischief::{Story, said};
use connect_tests::pattern::Meanings;
use connect_tests::raw::Raw;
use serde_json::json;

use super::run::Run;

pub(crate) async fn tell(run: &mut Run) -> Result<()> {
    let story = Story::new().await?;
    run.meanings = Meanings::default();
    run.meanings.mean(sample::BOB, "mallory");
    let numbered = |sequence| {
        let mut inner = story.text("a text");
        inner.sequence = sequence;
        inner
    };
    let (first, fifth) = (numbered(1), numbered(5));
    let mut other = first.clone();
    other.payload = Some(said("another text", None));
    let page: Vec<wire::Envelope> = [&first, &fifth, &other]
        .iter()
        .map(|inner| story.mallory.sealed(&story.to, inner))
        .collect();
    story.relay.replies(Reply::Page(page));
    let mut forged = story.honest("forged");
    if let Some(byte) = forged.sealed[0].r#box.last_mut() {
        *byte ^= 1;
    }
    story.relay.replies(Reply::Page(vec![forged]));
    for name in [
        "Three of Bob's messages did not come",
        "A message came again with other content",
        "A message does not come from whom it says",
    ] {
        run.comes(&story.alice, name).await?;
    }
    compromise(run).await
}

/// The relay has signed that a key is compromised, and its directory goes on as if it were not.
async fn compromise(run: &mut Run) -> Result<()> {
    let story = Story::new().await?;
    run.meanings = Meanings::default();
    run.meanings.mean(sample::BOB, "mallory");
    let mut raw = Raw::connect(story.alice.endpoint.path()).await?;
    raw.call("contacts.add", json!({"user_id": "mallory"}))
        .await?;
    let entry = story.mallory.entry(wire::KeyState::KeyActive, 0);
    let now_ms = story.world.now_ms();
    let said = statement(&entry, 3, wire::KeyState::KeyCompromised, now_ms)?;
    let page = vec![said, story.honest("Give the double dose")];
    story.relay.replies(Reply::Page(page));
    for name in [
        "Bob's key was compromised",
        "The directory has what was revoked in use again",
    ] {
        run.comes(&story.alice, name).await?;
    }
    story
        .alice
        .sees(|body| matches!(body, EventBody::MessageQuarantined { .. }))
        .await?;
    for (method, example) in [
        ("quarantine.list", "A message under a compromised key"),
        (
            "quarantine.get",
            "What whoever has the key would have Alice believe",
        ),
        ("quarantine.get", "It is not there"),
    ] {
        run.goes(&mut raw, method, example).await?;
    }
    Ok(())
}
