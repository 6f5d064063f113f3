//! Whoever joins a patient case later reads it from its start, each entry with its author and a signature that verifies (D16).

use anyhow::{Context as _, Result};
use connect_api::account::{Delete as DeleteAccount, DeleteParams};
use connect_api::cases::{Create, CreateParams};
use connect_api::contacts::{Add, Get, UserParams};
use connect_api::events::EventBody;
use connect_api::messages::{Delete, MessageParams};
use connect_api::session::Pin;
use connect_api::trust::{Decide, DecideParams, Decision};
use connect_proto::wire;
use connect_store::cases::{self, entries};
use connect_tests::case_plot::PATIENCE;
use connect_tests::cases::{three, value};
use connect_tests::mallory::Mallory;
use connect_tests::mischief::Story;
use connect_tests::world::{PIN, Person, World};
use tokio::time::timeout;

const ENTRIES: usize = 50;

/// Waits until everything that was written before is here.
async fn has_the_history(person: &Person, case: &str, texts: usize) -> Result<()> {
    let looking = async {
        let mut events = person.events();
        loop {
            if let Ok(found) = person.case(case).await
                && !found.awaits_history
                && person.reads_case(case).await?.len() >= texts
            {
                return Ok(());
            }
            events.next().await;
        }
    };
    timeout(PATIENCE, looking).await.context("no history")?
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fourth_who_joins_after_fifty_entries_reads_all_fifty() -> Result<()> {
    let world = World::new().await?;
    let alice = world.person("alice").await?;
    let bob = world.person("bob").await?;
    let carol = world.person("carol").await?;
    let dora = world.person("dora").await?;
    for other in [&bob, &carol, &dora] {
        alice.adds(other).await?;
    }
    let fields = [("allergies", "none known")];
    let case = alice.begins_case("Bed 4", &[&bob, &carol], &fields).await?;
    let id = case.case.as_str();
    for person in [&bob, &carol] {
        person
            .sees_case_with(id, |case| !case.fields.is_empty())
            .await?;
    }
    let mut written = Vec::new();
    let authors = [&alice, &bob, &carol];
    for n in 0..ENTRIES {
        let author = authors[n % authors.len()];
        let text = format!("entry {n}");
        let said = author.says(id, &text).await?;
        // In the order in which they stand at Alice, who is to share them.
        if author.name != "alice" {
            alice.receives(&said).await?;
        }
        written.push((author.name.clone(), text));
    }
    bob.sets(id, ("allergies", "penicillin"), 1).await?;
    alice
        .sees_case_with(id, |case| value(case, "allergies") == Some("penicillin"))
        .await?;

    // Dora knows none of the others.
    alice.adds_to_case(id, &dora).await?;
    has_the_history(&dora, id, ENTRIES).await?;
    let read = dora.reads_case(id).await?;
    let read: Vec<_> = read.into_iter().map(|it| (it.author, it.text)).collect();
    assert_eq!(read, written);
    let seen = dora.case(id).await?;
    assert_eq!((seen.title.as_str(), seen.participants.len()), ("Bed 4", 4));
    assert_eq!(value(&seen, "allergies"), Some("penicillin"));
    assert_eq!(seen.fields[0].newest.author, "bob");
    // Those who wrote are known to her now, with the keys that their signatures were held against.
    let user_id = "carol".to_owned();
    let carol_there = dora.client.call::<Get>(UserParams { user_id }).await?;
    assert!(carol_there.key.is_some());
    let inbox = dora.client.health().await?.inbox;
    assert_eq!((inbox.quarantined, inbox.missing), (0, 0));

    // It is read already, and what comes from now on is news.
    let news = carol.says(id, "welcome").await?;
    assert_eq!(dora.receives(&news).await?.author, "carol");
    let answer = dora.says(id, "thank you").await?;
    for person in [&alice, &bob, &carol] {
        assert_eq!(person.receives(&answer).await?.author, "dora");
    }
    let last = dora.reads_case(id).await?.pop().map(|it| it.text);
    assert_eq!(last.as_deref(), Some("thank you"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_joins_later_shares_the_whole_history_with_the_next_one() -> Result<()> {
    let world = World::new().await?;
    let alice = world.person("alice").await?;
    let bob = world.person("bob").await?;
    let carol = world.person("carol").await?;
    alice.adds(&bob).await?;
    bob.adds(&carol).await?;
    let case = alice
        .begins_case("Bed 4", &[], &[("weight", "71 kg")])
        .await?;
    let id = case.case.as_str();
    for text in ["one", "two"] {
        alice.says(id, text).await?;
    }
    alice.adds_to_case(id, &bob).await?;
    has_the_history(&bob, id, 2).await?;
    let three = bob.says(id, "three").await?;
    alice.receives(&three).await?;
    bob.adds_to_case(id, &carol).await?;
    has_the_history(&carol, id, 3).await?;
    let read = carol.reads_case(id).await?;
    let read: Vec<_> = read.into_iter().map(|it| (it.author, it.text)).collect();
    let expected = [("alice", "one"), ("alice", "two"), ("bob", "three")];
    assert_eq!(
        read,
        expected.map(|(author, text)| (author.to_owned(), text.to_owned()))
    );
    assert_eq!(value(&carol.case(id).await?, "weight"), Some("71 kg"));
    alice
        .sees(|body| matches!(body, EventBody::CaseChanged { author, revision: 3, .. } if author == "bob"))
        .await?;
    Ok(())
}

/// The keys of the installation before are one's own as well.
#[tokio::test(flavor = "multi_thread")]
async fn who_reinstalls_and_is_added_anew_has_what_they_wrote_before() -> Result<()> {
    let world = World::new().await?;
    let [alice, bob, carol] = three(&world).await?;
    let case = alice.begins_case("Bed 4", &[&bob, &carol], &[]).await?.case;
    bob.sees_case(&case, 1).await?;
    let said = bob.says(&case, "potassium 6.1").await?;
    alice.receives(&said).await?;
    drop(bob);
    let bob = world.reinstalled("bob").await?;
    alice.sees_case(&case, 2).await?;
    alice.removes_from_case(&case, &bob).await?;
    alice.adds_to_case(&case, &bob).await?;
    has_the_history(&bob, &case, 1).await?;
    let read = bob.reads_case(&case).await?;
    let [read] = <[_; 1]>::try_from(read).ok().context("one text")?;
    assert_eq!(
        (read.author.as_str(), read.text.as_str()),
        ("bob", "potassium 6.1")
    );
    Ok(())
}

/// A colleague who is gone by now signed the case's beginning.
#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_wrote_whose_account_was_deleted_is_in_the_history() -> Result<()> {
    let world = World::new().await?;
    let [mut alice, bob, carol] = three(&world).await?;
    let dora = world.person("dora").await?;
    bob.adds(&dora).await?;
    let case = alice.begins_case("Bed 4", &[&bob, &carol], &[]).await?.case;
    let said = alice.says(&case, "potassium 6.1").await?;
    bob.receives(&said).await?;
    let deletion = DeleteParams {
        pin: Pin::new(PIN.to_owned()),
        erase: false,
    };
    alice.client.call::<DeleteAccount>(deletion).await?;
    alice.stop().await;
    bob.adds_to_case(&case, &dora).await?;
    has_the_history(&dora, &case, 1).await?;
    let read = dora.reads_case(&case).await?;
    assert_eq!(read[0].author, "alice");
    Ok(())
}

/// Everybody in it had to wait, and it was taken back before it went out: whoever joins later is not to read it.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_back_before_it_went_out_is_in_no_history() -> Result<()> {
    let mut story = Story::new().await?;
    let nina = Mallory::new("nina".parse()?);
    let entry = nina.entry(wire::KeyState::KeyActive, 0);
    story.relay.publishes(entry);
    let alice = &story.alice;
    let user_id = "nina".to_owned();
    alice.client.call::<Add>(UserParams { user_id }).await?;
    let params = CreateParams {
        title: "Bed 4".to_owned(),
        patient_reference: None,
        participants: vec!["nina".to_owned()],
        fields: std::iter::once(("weight".to_owned(), "71 kg".to_owned())).collect(),
    };
    let case = alice.client.call::<Create>(params).await?;
    let decision = DecideParams {
        user_id: "nina".to_owned(),
        decision: Decision::Reject,
        key: None,
    };
    alice.client.call::<Decide>(decision).await?;
    let message_id = alice.says(&case.case, "for nobody").await?;
    alice
        .client
        .call::<Delete>(MessageParams { message_id })
        .await?;
    story.alice.stop().await;
    let database = story.alice.database().await?;
    let id = case.case.parse()?;
    let kept = cases::find(&database, id).await?.context("the case")?;
    // How it began, and its field.
    let count = entries::count(&database, kept.row).await?;
    database.close().await;
    assert_eq!(count, 2);
    Ok(())
}
