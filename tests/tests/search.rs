//! Messages are found by their words, whether or not they are indexed yet, and nothing else is.

use anyhow::{Context as _, Result};
use connect_api::errors::{ErrorCode, Reason};
use connect_api::search::{Hit, Search, SearchParams};
use connect_client::error::CallError;
use connect_tests::world::{Person, World};

fn params(query: &str) -> SearchParams {
    SearchParams {
        query: query.to_owned(),
        conversation: None,
        after: None,
        limit: Some(2),
    }
}

/// Page by page.
async fn all(person: &Person, wanted: SearchParams) -> Result<Vec<Hit>> {
    let mut hits = Vec::new();
    let mut wanted = wanted;
    loop {
        let page = person.client.call::<Search>(wanted.clone()).await?;
        hits.extend(page.items);
        match page.next {
            Some(next) => wanted.after = Some(next),
            None => return Ok(hits),
        }
    }
}

async fn found(person: &Person, query: &str) -> Result<Vec<String>> {
    let hits = all(person, params(query)).await?;
    Ok(hits.into_iter().map(|hit| hit.snippet).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_found_at_once_and_after_a_restart_on_both_sides() -> Result<()> {
    let world = World::new().await?;
    let alice = world.person("alice").await?;
    let mut bob = world.person("bob").await?;
    alice.adds(&bob).await?;
    let texts = [
        "Müller: potassium 6.1",
        "Potassium 4.2 again",
        "MULLER, bed 4",
    ];
    for text in texts {
        let id = alice.writes(&bob, text).await?;
        bob.receives(&id).await?;
    }
    for person in [&alice, &bob] {
        assert_eq!(found(person, "pota*").await?, [texts[1], texts[0]]);
        assert_eq!(found(person, "muller").await?, [texts[2], texts[0]]);
    }
    // What was stored before an unlock is indexed right after it.
    bob.restart().await?;
    let last = alice.writes(&bob, "potassium and potatoes").await?;
    bob.receives(&last).await?;
    for person in [&alice, &bob] {
        let expected = ["potassium and potatoes", texts[1], texts[0]];
        assert_eq!(found(person, "pota*").await?, expected);
        assert_eq!(found(person, "\"6 1\"").await?, [texts[0]]);
        assert_eq!(found(person, "müller bed").await?, [texts[2]]);
        assert!(found(person, "\"6 1 again\"").await?.is_empty());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hit_tells_of_its_message_and_where_to_highlight() -> Result<()> {
    let world = World::new().await?;
    let alice = world.person("alice").await?;
    let bob = world.person("bob").await?;
    alice.adds(&bob).await?;
    let text = format!(
        "{} Übelkeit nach 5 mg, {}",
        "vorher ".repeat(50),
        "nachher ".repeat(50)
    );
    let id = alice.writes(&bob, &text).await?;
    let hits = all(&alice, params("ubel* mg")).await?;
    let hit = hits.first().context("a hit")?;
    assert_eq!(
        (hit.message_id.as_str(), hit.author.as_str()),
        (id.as_str(), "alice")
    );
    assert_eq!(hit.conversation, bob.conversation());
    assert!(hit.snippet.chars().count() <= 160);
    let letters: Vec<char> = hit.snippet.chars().collect();
    let marked: Vec<String> = hit
        .matches
        .iter()
        .map(|at| letters[at.start as usize..at.end as usize].iter().collect())
        .collect();
    assert_eq!(marked, ["Übelkeit", "mg"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_conversation_can_be_searched_alone() -> Result<()> {
    let world = World::new().await?;
    let alice = world.person("alice").await?;
    let (bob, carol) = (world.person("bob").await?, world.person("carol").await?);
    for other in [&bob, &carol] {
        alice.adds(other).await?;
        alice
            .writes(other, &format!("hello {}", other.name))
            .await?;
    }
    let mut only = params("hello");
    for (other, expected) in [
        (&bob, vec!["hello bob"]),
        (&carol, vec!["hello carol"]),
        (&alice, vec![]),
    ] {
        only.conversation = Some(other.conversation());
        let hits = all(&alice, only.clone()).await?;
        let texts: Vec<&str> = hits.iter().map(|hit| hit.snippet.as_str()).collect();
        assert_eq!(texts, expected);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_makes_no_sense_is_invalid() -> Result<()> {
    let world = World::new().await?;
    let alice = world.person("alice").await?;
    for (query, reason) in [
        ("", Reason::Empty),
        ("\"*\" …", Reason::Empty),
        ("\"open", Reason::Malformed),
        (&"a ".repeat(40), Reason::TooLong),
    ] {
        let Err(CallError::Daemon { code, data }) =
            alice.client.call::<Search>(params(query)).await
        else {
            anyhow::bail!("{query:?} was answered");
        };
        assert_eq!(code, ErrorCode::Invalid, "{query:?}");
        assert_eq!(
            (data.field.as_deref(), data.reason),
            (Some("query"), Some(reason))
        );
    }
    let place = SearchParams {
        after: Some("nowhere".to_owned()),
        ..params("a")
    };
    let refused = connect_tests::world::refusal(alice.client.call::<Search>(place).await)?;
    assert_eq!(refused, ErrorCode::Invalid);
    Ok(())
}
