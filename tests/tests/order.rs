//! The order of what comes in: what is missing is told, asked for and put in its place (D13).

use anyhow::{Context as _, Result};
use connect_api::events::EventBody;
use connect_api::messages::{List, ListParams, MessageState};
use connect_proto::wire;
use connect_tests::fake_relay::Reply;
use connect_tests::mischief::Story;
use connect_tests::world::World;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, SqliteConnection};
use wire::inner::Payload;

fn numbered(story: &Story, sequence: u64) -> wire::Inner {
    let mut inner = story.text(&format!("number {sequence}"));
    inner.sequence = sequence;
    inner
}

fn page(story: &Story, inners: &[&wire::Inner]) -> Reply {
    let seal = |inner: &&wire::Inner| story.mallory.sealed(&story.to, inner);
    Reply::Page(inners.iter().map(seal).collect())
}

async fn texts(story: &Story) -> Result<Vec<String>> {
    let params = ListParams {
        conversation: connect_api::conversation::Conversation::User("mallory".to_owned()),
        before: None,
        after: None,
        limit: None,
    };
    let page = story.alice.client.call::<List>(params).await?;
    Ok(page
        .items
        .into_iter()
        .rev()
        .map(|message| message.text)
        .collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_told_at_once_asked_for_after_a_minute_and_put_in_its_place()
-> Result<()> {
    let story = Story::new().await?;
    let inners: Vec<_> = (1..=5).map(|n| numbered(&story, n)).collect();
    story.relay.replies(page(&story, &[&inners[0], &inners[4]]));
    let event = story
        .alice
        .sees(|body| matches!(body, EventBody::MessageMissing { .. }))
        .await?;
    let EventBody::MessageMissing {
        author,
        first_sequence,
        last_sequence,
        ..
    } = event.body
    else {
        unreachable!("it was looked for");
    };
    assert_eq!(
        (author.as_str(), first_sequence, last_sequence),
        ("mallory", 2, 4)
    );
    // Nothing waits for it.
    assert_eq!(texts(&story).await?, ["number 1", "number 5"]);
    assert_eq!(story.alice.client.health().await?.inbox.missing, 3);

    // One comes by itself; the rest is asked for once a minute is over, by what stands on either side.
    story.relay.replies(page(&story, &[&inners[2]]));
    story
        .alice
        .receives(&hex::encode(&inners[2].message_id))
        .await?;
    assert_eq!(story.alice.client.health().await?.inbox.missing, 2);
    story.world.advance(61_000);
    story.relay.replies(page(&story, &[&inners[0]]));
    for (from, to) in [(0, 2), (2, 4)] {
        let asked = story
            .relay
            .sent_one(
                |envelope| match story.mallory.opens(&story.to, envelope)?.payload? {
                    Payload::ResendRequest(request) => {
                        let ids: Vec<_> = request
                            .messages
                            .iter()
                            .map(|asked| asked.message_id.clone())
                            .collect();
                        (ids[0] == inners[from].message_id).then_some(ids)
                    }
                    _ => None,
                },
            )
            .await;
        assert_eq!(
            asked,
            [
                inners[from].message_id.clone(),
                inners[to].message_id.clone()
            ]
        );
    }
    story.relay.replies(page(&story, &[&inners[3], &inners[1]]));
    story
        .alice
        .receives(&hex::encode(&inners[1].message_id))
        .await?;
    let expected: Vec<_> = (1..=5).map(|n| format!("number {n}")).collect();
    assert_eq!(texts(&story).await?, expected);
    assert_eq!(story.alice.client.health().await?.inbox.missing, 0);
    Ok(())
}

/// As the answer to a resend request brings them: several in one page, before one that is there.
#[tokio::test(flavor = "multi_thread")]
async fn several_that_come_late_in_one_page_stand_in_their_order() -> Result<()> {
    let story = Story::new().await?;
    let inners: Vec<_> = (1..=8).map(|n| numbered(&story, n)).collect();
    story.relay.replies(page(&story, &[&inners[0], &inners[4]]));
    story
        .relay
        .replies(page(&story, &[&inners[1], &inners[2], &inners[3]]));
    // A page that is in disorder in itself.
    story
        .relay
        .replies(page(&story, &[&inners[7], &inners[5], &inners[6]]));
    story
        .alice
        .receives(&hex::encode(&inners[6].message_id))
        .await?;
    let expected: Vec<_> = (1..=8).map(|n| format!("number {n}")).collect();
    assert_eq!(texts(&story).await?, expected);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_is_sent_once_more_under_its_own_id() -> Result<()> {
    let story = Story::new().await?;
    let first = story.text("first");
    story.relay.replies(page(&story, &[&first]));
    story
        .alice
        .receives(&hex::encode(&first.message_id))
        .await?;
    let conversation = connect_api::conversation::Conversation::User("mallory".to_owned());
    let mut ids = Vec::new();
    for n in 1..=3 {
        let text = format!("answer {n}");
        let sent = story
            .alice
            .client
            .send_text(conversation.clone(), &text, None)
            .await?;
        ids.push(hex::decode(sent.message_id)?);
    }
    // A receipt and three answers.
    let before = story.relay.sends(4).await.len();
    // What is on its way still is not sent once more.
    while story.alice.client.health().await?.outbox.queued > 0 {
        tokio::task::yield_now().await;
    }
    let mut request = numbered(&story, 2);
    let reference = |id: &Vec<u8>| wire::MessageRef {
        sender_id: "alice".to_owned(),
        message_id: id.clone(),
        timestamp_ms: 1,
    };
    request.payload = Some(Payload::ResendRequest(wire::ResendRequest {
        messages: vec![reference(&ids[0]), reference(&ids[2])],
    }));
    story.relay.replies(page(&story, &[&request]));
    let sent = story.relay.sends(before + 3).await;
    for (n, (again, id)) in sent[before..].iter().zip(&ids).enumerate() {
        assert_eq!(&again.message_id, id);
        let inner = story.mallory.opens(&story.to, again).context("it opens")?;
        let Some(Payload::Text(text)) = inner.payload else {
            anyhow::bail!("no text");
        };
        assert_eq!(text.body, format!("answer {}", n + 1));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_before_its_message_waits_for_it_and_nobody_edits_what_somebody_else_wrote()
-> Result<()> {
    let story = Story::new().await?;
    let first = story.text("first");
    let mut edit = numbered(&story, 2);
    edit.payload = Some(Payload::Edit(wire::Edit {
        target: Some(wire::MessageRef {
            sender_id: "mallory".to_owned(),
            message_id: first.message_id.clone(),
            timestamp_ms: first.timestamp_ms,
        }),
        text: Some(wire::Text {
            body: "second".to_owned(),
            reply_to: None,
        }),
    }));
    story.relay.replies(page(&story, &[&edit, &first]));
    let received = story
        .alice
        .receives(&hex::encode(&first.message_id))
        .await?;
    assert_eq!(received.text, "second");
    assert!(received.edited_ms.is_some());
    Ok(())
}

/// What was delivered, or lost after it was accepted, may come again: sealed anew, under its own id.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_the_relay_lost_comes_all_the_same() -> Result<()> {
    let mut world = World::new().await?;
    let alice = world.person("alice").await?;
    let mut bob = world.person("bob").await?;
    alice.adds(&bob).await?;
    bob.stop().await;
    let mut ids = Vec::new();
    for text in ["one", "two", "three"] {
        ids.push(alice.writes(&bob, text).await?);
    }
    alice.sees_state(&ids[2], MessageState::Sent).await?;
    world.stop_relay().await;
    let database = SqliteConnectOptions::new().filename(world.relay_dir().join("relay.db"));
    let mut database = SqliteConnection::connect_with(&database).await?;
    let lost = sqlx::query("DELETE FROM mailbox WHERE message_id = ?")
        .bind(hex::decode(&ids[1])?)
        .execute(&mut database)
        .await?;
    assert_eq!(lost.rows_affected(), 1);
    database.close().await?;
    world.start_relay().await?;
    bob.start().await?;
    bob.unlock().await?;
    bob.receives(&ids[2]).await?;
    assert_eq!(bob.client.health().await?.inbox.missing, 1);

    world.advance(61_000);
    ids.push(alice.writes(&bob, "four").await?);
    assert_eq!(bob.receives(&ids[1]).await?.text, "two");
    bob.receives(&ids[3]).await?;
    let read = bob.reads(&alice).await?;
    let read: Vec<_> = read.into_iter().map(|message| message.text).collect();
    assert_eq!(read, ["one", "two", "three", "four"]);
    Ok(())
}
