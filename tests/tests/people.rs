//! Looking for people, taking them off the list, and blocking them: nothing is lost, and nothing is told.

use anyhow::{Result, ensure};
use connect_api::contacts::{
    Block, BlockParams, Contact, Get, List, Remove, Search, SearchParams, UserParams,
};
use connect_api::errors::ErrorCode;
use connect_api::events::EventBody;
use connect_api::messages::MessageState;
use connect_api::page::ListParams;
use connect_tests::world::{Person, World, refusal};

fn user(person: &Person) -> UserParams {
    UserParams {
        user_id: person.name.clone(),
    }
}

async fn blocks(alice: &Person, other: &Person, blocked: bool) -> Result<Contact> {
    let user_id = other.name.clone();
    let params = BlockParams { user_id, blocked };
    Ok(alice.client.call::<Block>(params).await?)
}

async fn listed(alice: &Person) -> Result<Vec<String>> {
    let page = alice.client.call::<List>(ListParams::default()).await?;
    Ok(page.items.into_iter().map(|it| it.user_id).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_blocked_contact_writes_waits_until_it_is_unblocked() -> Result<()> {
    let world = World::new().await?;
    let mut alice = world.person("alice").await?;
    let bob = world.person("bob").await?;
    alice.adds(&bob).await?;
    bob.adds(&alice).await?;
    assert!(blocks(&alice, &bob, true).await?.blocked);
    let refused = alice.client.send_text(bob.conversation(), "no", None).await;
    assert_eq!(refusal(refused)?, ErrorCode::Invalid);

    let mut written = Vec::new();
    for text in ["one", "two", "three"] {
        let id = bob.writes(&alice, text).await?;
        alice
            .sees(|body| {
                matches!(body, EventBody::MessageQuarantined { message_id: Some(it), reason, .. }
                    if *it == id && reason == "blocked")
            })
            .await?;
        written.push(id);
    }
    ensure!(alice.reads(&bob).await?.is_empty());
    for message in bob.reads(&alice).await? {
        assert_eq!(message.state, MessageState::Sent, "no receipt");
    }
    alice.restart().await?;
    assert_eq!(alice.client.health().await?.inbox.quarantined, 3);

    assert!(!blocks(&alice, &bob, false).await?.blocked);
    let read = alice.reads(&bob).await?;
    let ids: Vec<_> = read.iter().map(|it| it.message_id.clone()).collect();
    assert_eq!(ids, written);
    for id in &written {
        bob.sees_state(id, MessageState::Delivered).await?;
    }
    let inbox = alice.client.health().await?.inbox;
    assert_eq!((inbox.missing, inbox.quarantined), (0, 0));
    let answer = alice.writes(&bob, "welcome").await?;
    bob.receives(&answer).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_was_taken_off_the_list_is_back_with_their_next_message() -> Result<()> {
    let world = World::new().await?;
    let alice = world.person("alice").await?;
    let bob = world.person("bob").await?;
    let first_seen = alice.adds(&bob).await?;
    let id = alice.writes(&bob, "hello").await?;
    bob.receives(&id).await?;
    alice.client.call::<Remove>(user(&bob)).await?;
    ensure!(listed(&alice).await?.is_empty());
    for refused in [
        alice.client.call::<Get>(user(&bob)).await,
        alice.client.call::<Remove>(user(&bob)).await,
    ] {
        assert_eq!(refusal(refused)?, ErrorCode::NotFound);
    }
    let refused = alice.client.send_text(bob.conversation(), "a", None).await;
    assert_eq!(refusal(refused)?, ErrorCode::UnknownContact);
    assert_eq!(alice.reads(&bob).await?.len(), 1, "the history stays");

    let back = bob.writes(&alice, "still there?").await?;
    alice.receives(&back).await?;
    assert_eq!(listed(&alice).await?, ["bob"]);
    let again = alice.client.call::<Get>(user(&bob)).await?;
    assert_eq!(
        again.added_ms, first_seen.added_ms,
        "the first key seen counts"
    );
    alice.client.call::<Remove>(user(&bob)).await?;
    alice.adds(&bob).await?;
    assert_eq!(listed(&alice).await?, ["bob"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_finds_colleagues_and_makes_no_contacts() -> Result<()> {
    let world = World::new().await?;
    let alice = world.person("alice").await?;
    let bob = world.person("bobkessler").await?;
    let search = async |query: &str, limit| {
        let query = query.to_owned();
        let params = SearchParams { query, limit };
        alice.client.call::<Search>(params).await
    };
    let found = search("bobkess", None).await?;
    assert_eq!(found.items.len(), 1);
    let it = &found.items[0];
    assert_eq!(
        (it.user_id.as_str(), it.is_contact, it.attested),
        ("bobkessler", false, false)
    );
    assert_eq!(it.organisation, "Ward 3");
    ensure!(listed(&alice).await?.is_empty());
    alice.adds(&bob).await?;
    ensure!(search("bobkess", None).await?.items[0].is_contact);
    ensure!(search("nobodyofthatname", None).await?.items.is_empty());
    for refused in [
        search("  ", None).await,
        search("bob", Some(0)).await,
        search("bob", Some(51)).await,
        search(&"b".repeat(257), None).await,
    ] {
        assert_eq!(refusal(refused)?, ErrorCode::Invalid);
    }
    Ok(())
}
