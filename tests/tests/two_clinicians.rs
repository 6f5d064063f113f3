//! Two clinicians exchange messages over a real relay: the whole path, from socket to socket.

use anyhow::Result;
use connect_api::conversations;
use connect_api::events::EventBody;
use connect_api::messages::{MarkRead, MarkReadParams, MessageState};
use connect_api::page::ListParams;
use connect_api::system::State;
use connect_tests::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_message_goes_from_socket_to_socket_and_back() -> Result<()> {
    let world = World::new().await?;
    let alice = world.person("alice").await?;
    let bob = world.person("bob").await?;
    assert_eq!(alice.client.hello().await?.state, State::Unlocked);
    let contact = alice.adds(&bob).await?;
    assert_eq!(contact.display_name, "Dr. bob");

    let question = alice
        .writes(&bob, "Potassium 6.1, bed 4. Please call.")
        .await?;
    let received = bob.receives(&question).await?;
    assert_eq!(received.text, "Potassium 6.1, bed 4. Please call.");
    assert_eq!(received.author, "alice");
    assert_eq!(received.state, MessageState::Received);
    alice.sees_state(&question, MessageState::Sent).await?;

    // Bob never added Alice: her message made her known.
    let answer = bob.writes(&alice, "On my way.").await?;
    assert_eq!(alice.receives(&answer).await?.text, "On my way.");

    let texts = |messages: Vec<connect_api::messages::Message>| -> Vec<String> {
        messages.into_iter().map(|message| message.text).collect()
    };
    let both = ["Potassium 6.1, bed 4. Please call.", "On my way."];
    assert_eq!(texts(alice.reads(&bob).await?), both);
    assert_eq!(texts(bob.reads(&alice).await?), both);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_unread_is_counted_until_it_is_marked_as_read() -> Result<()> {
    let world = World::new().await?;
    let alice = world.person("alice").await?;
    let bob = world.person("bob").await?;
    alice.adds(&bob).await?;
    alice.writes(&bob, "one").await?;
    let last = alice.writes(&bob, "two").await?;
    bob.receives(&last).await?;
    let listed = bob
        .client
        .call::<conversations::List>(ListParams::default())
        .await?;
    assert_eq!(listed.items.len(), 1);
    assert_eq!(listed.items[0].title, "Dr. alice");
    assert_eq!(listed.items[0].unread, 2);
    let params = MarkReadParams {
        conversation: alice.conversation(),
        up_to: last,
    };
    assert_eq!(bob.client.call::<MarkRead>(params).await?.unread, 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_there_after_all_three_were_restarted() -> Result<()> {
    let mut world = World::new().await?;
    let mut alice = world.person("alice").await?;
    let mut bob = world.person("bob").await?;
    alice.adds(&bob).await?;
    let first = alice.writes(&bob, "before").await?;
    bob.receives(&first).await?;

    bob.stop().await;
    let waiting = alice.writes(&bob, "while you were away").await?;
    alice.sees_state(&waiting, MessageState::Sent).await?;
    alice.stop().await;
    world.stop_relay().await;
    world.start_relay().await?;
    alice.start().await?;
    alice.unlock().await?;
    bob.start().await?;
    bob.unlock().await?;

    assert_eq!(bob.receives(&waiting).await?.text, "while you were away");
    let answer = bob.writes(&alice, "after").await?;
    alice.receives(&answer).await?;
    for messages in [alice.reads(&bob).await?, bob.reads(&alice).await?] {
        let texts: Vec<_> = messages.into_iter().map(|message| message.text).collect();
        assert_eq!(texts, ["before", "while you were away", "after"]);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_send_while_the_relay_is_down_is_answered_at_once_and_arrives_later() -> Result<()> {
    let mut world = World::new().await?;
    let alice = world.person("alice").await?;
    let mut bob = world.person("bob").await?;
    alice.adds(&bob).await?;
    world.stop_relay().await;
    alice
        .sees(|body| matches!(body, EventBody::RelayUnreachable {}))
        .await?;
    let id = alice.writes(&bob, "queued").await?;
    let health = alice.client.health().await?;
    assert_eq!(health.outbox.queued, 1);
    assert!(!health.relay.reachable);
    world.start_relay().await?;
    alice.sees_state(&id, MessageState::Sent).await?;
    bob.restart().await?;
    assert_eq!(bob.receives(&id).await?.text, "queued");
    assert_eq!(alice.client.health().await?.outbox.queued, 0);
    Ok(())
}
