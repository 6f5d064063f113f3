//! The search for people (§10.4): what finds whom, and that nobody reads the directory by it.

use crate::support::{User, World};
use connect_proto::{routes, wire};
use connect_relay::limits::Limits;

async fn with_profile(world: &mut World, name: &str, fields: [&str; 3]) -> User {
    let user = world.user(name).await;
    let [display_name, profession, organisation] = fields.map(str::to_owned);
    let profile = wire::Profile {
        display_name,
        profession,
        organisation,
    };
    assert_eq!(user.set_profile(world, &profile).await.status, 200);
    user
}

async fn found(world: &World, by: &User, query: &str) -> Vec<String> {
    let entries = by.search(world, query, 0).await.entries();
    entries.into_iter().map(|entry| entry.user_id).collect()
}

#[tokio::test]
async fn people_are_found_by_every_field_by_beginnings_and_without_accents() {
    let mut world = World::new().await;
    let alice = with_profile(&mut world, "alice", ["Alice Ng", "Nurse", "Ward 3"]).await;
    with_profile(
        &mut world,
        "dr.mueller",
        ["Jörg Müller", "Kardiologe", "St. Marien"],
    )
    .await;
    with_profile(
        &mut world,
        "k.mull",
        ["Karin Mull", "Chirurgin", "St. Marien"],
    )
    .await;
    for (query, expected) in [
        ("muller", &["dr.mueller"][..]),
        ("MÜLLER jörg", &["dr.mueller"]),
        ("mul", &["dr.mueller", "k.mull"]),
        ("kardio", &["dr.mueller"]),
        ("marien", &["dr.mueller", "k.mull"]),
        ("marien chir", &["k.mull"]),
        ("dr.mueller", &["dr.mueller"]),
        ("mueller", &["dr.mueller"]),
        ("alice ng", &["alice"]),
        ("alice n", &[]),
        ("ardiologe", &[]),
        ("\"mul\" OR alice*", &[]),
    ] {
        assert_eq!(found(&world, &alice, query).await, expected, "{query}");
    }
    let one = alice.search(&world, "marien", 1).await.entries();
    assert_eq!(one.len(), 1);
    assert_eq!(one, alice.look_up(&world, &[&one[0].user_id]).await);
}

#[tokio::test]
async fn an_exact_user_id_comes_first() {
    let mut world = World::new().await;
    let alice = world.user("alice").await;
    with_profile(&mut world, "a", ["Noor", "", ""]).await;
    with_profile(&mut world, "noor", ["Zoe", "", ""]).await;
    assert_eq!(found(&world, &alice, "noor").await, ["noor", "a"]);
}

#[tokio::test]
async fn what_was_is_not_found_any_more() {
    let mut world = World::new().await;
    let alice = world.user("alice").await;
    let bob = with_profile(&mut world, "bob", ["Bob Before", "", ""]).await;
    let later = wire::Profile {
        display_name: "Bob Later".to_owned(),
        ..Default::default()
    };
    bob.set_profile(&world, &later).await;
    assert!(found(&world, &alice, "before").await.is_empty());
    assert_eq!(found(&world, &alice, "later").await, ["bob"]);
    let world = world.restarted().await;
    bob.delete(&world).await;
    for query in ["later", "bob"] {
        assert!(found(&world, &alice, query).await.is_empty(), "{query}");
    }
}

#[tokio::test]
async fn short_queries_are_refused() {
    let mut world = World::new().await;
    let alice = world.user("alice").await;
    for query in ["", "al", "*", "a%_", &"x".repeat(200)] {
        let answer = alice.search(&world, query, 0).await;
        assert!(answer.is(400, "wrong_query"), "{query}: {}", answer.word());
    }
    let garbage = world.call(&alice, routes::SEARCH, &[0xff]).await;
    assert!(garbage.is(400, "malformed"));
}

#[tokio::test]
async fn searches_are_limited_for_each_user_by_minute_and_by_day() {
    for by_day in [false, true] {
        let (few, many) = (3.try_into().unwrap(), 1_000.try_into().unwrap());
        let mut world = World::with(Limits {
            searches_per_minute: if by_day { many } else { few },
            searches_per_day: if by_day { few } else { many },
            ..Limits::default()
        })
        .await;
        let alice = world.user("alice").await;
        let bob = world.user("bob").await;
        let mallory = User::new("alice", 7);
        for _ in 0..5 {
            let refused = mallory.search(&world, "bob", 0).await;
            assert_eq!(refused.status, 401, "takes nothing from alice");
        }
        for _ in 0..3 {
            assert_eq!(alice.search(&world, "bob", 0).await.status, 200);
        }
        let refused = alice.search(&world, "bob", 0).await;
        assert!(refused.is(429, "slow_down"), "{}", refused.word());
        assert!(refused.retry_after.is_some());
        assert_eq!(bob.search(&world, "alice", 0).await.status, 200);
        let other = alice.receive(&world, &wire::Ack::default()).await;
        assert_eq!(other.status, 200, "only searches are refused");
    }
}

#[tokio::test]
async fn one_search_gives_fifty_people_at_most() {
    let mut world = World::new().await;
    let alice = world.user("alice").await;
    for n in 0..60 {
        world.user(&format!("nurse{n}")).await;
    }
    assert_eq!(
        alice.search(&world, "nurse", 1_000).await.entries().len(),
        50
    );
}
