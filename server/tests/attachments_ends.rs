//! How attachments end, and what they may take until then: deletion, expiry, quotas.

use crate::support::film::{self, Film, objects};
use crate::support::{DAY_MS, World};
use connect_relay::limits::Limits;

#[tokio::test]
async fn a_deleted_attachment_is_gone_for_all_at_once_and_its_chunks_soon() {
    let mut world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let film = Film::new(1, 1, 9, &["bob"]);
    film.upload(&world, &alice).await;
    // Somebody else's, unknown, and gone already: nobody learns which.
    assert_eq!(film.delete(&world, &bob).await.status, 204);
    assert!(film.is_read_by(&world, &bob).await);
    for _ in 0..2 {
        assert_eq!(film.delete(&world, &alice).await.status, 204);
        for user in [&alice, &bob] {
            assert!(!film.is_read_by(&world, user).await);
        }
        assert!(film.put(&world, &alice, 1).await.is(404, "not_found"));
    }
    // The id is free, and what is removed is not what comes after.
    film.upload(&world, &alice).await;
    world.relay.sweep().await.unwrap();
    assert_eq!(objects(&world).len(), 2);
    assert!(film.is_read_by(&world, &bob).await);
    assert_eq!(film.delete(&world, &alice).await.status, 204);
    world.relay.sweep().await.unwrap();
    assert!(objects(&world).is_empty());
}

#[tokio::test]
async fn an_attachment_expires_after_thirty_days_and_not_by_a_leap_of_the_clock() {
    let mut world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    world.relay.sweep().await.unwrap();
    let old = Film::new(1, 0, 9, &["bob"]);
    old.upload(&world, &alice).await;
    world.live(29).await;
    let young = Film::new(2, 0, 9, &["bob"]);
    young.upload(&world, &alice).await;
    world.time.advance(DAY_MS - 1);
    world.relay.sweep().await.unwrap();
    assert!(old.is_read_by(&world, &bob).await);
    world.time.advance(1);
    world.relay.sweep().await.unwrap();
    assert!(!old.is_read_by(&world, &bob).await);
    assert!(young.is_read_by(&world, &bob).await);
    assert_eq!(objects(&world).len(), 1);

    world.time.advance(400 * DAY_MS);
    world.relay.sweep().await.unwrap();
    assert!(young.is_read_by(&world, &bob).await, "nothing for a day");
    world.time.set(world.clock.now_ms() - 400 * DAY_MS);
    world.live(28).await;
    assert!(young.is_read_by(&world, &bob).await);
    world.live(2).await;
    assert!(!young.is_read_by(&world, &bob).await);
    assert!(objects(&world).is_empty());
}

#[tokio::test]
async fn who_is_deleted_owns_nothing_and_reads_nothing_also_under_the_same_name_again() {
    let mut world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let (hers, his) = (Film::new(1, 0, 9, &["bob"]), Film::new(2, 0, 9, &["alice"]));
    hers.upload(&world, &alice).await;
    his.upload(&world, &bob).await;
    assert!(hers.is_read_by(&world, &bob).await && his.is_read_by(&world, &alice).await);
    assert_eq!(alice.delete(&world).await.status, 204);
    assert!(!hers.is_read_by(&world, &bob).await);
    his.get(&world, &alice, 1).await.ended(&world);
    world.relay.sweep().await.unwrap();
    assert_eq!(objects(&world).len(), 1);

    let again = world.reinstalled(&alice, 9).await;
    assert!(!his.is_read_by(&world, &again).await);
    assert!(!hers.is_read_by(&world, &again).await);
    assert!(his.is_read_by(&world, &bob).await);
}

#[tokio::test]
async fn a_new_installation_reads_what_its_user_was_named_for() {
    let mut world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let film = Film::new(1, 0, 9, &["bob"]);
    film.upload(&world, &alice).await;
    let bob_again = world.reinstalled(&bob, 9).await;
    assert!(film.is_read_by(&world, &bob_again).await);
    film.get(&world, &bob, 1).await.ended(&world);
}

#[tokio::test]
async fn an_owner_has_a_quota_in_number_and_in_bytes() {
    let mut world = World::with(Limits {
        owner_attachments: 3,
        owner_attachment_bytes: 1_000,
        attachment_bytes: 900,
        ..Limits::default()
    })
    .await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let film = |number: u8, last: usize| Film::new(number, 0, last, &["bob"]);
    assert!(
        film(1, 885)
            .create(&world, &alice)
            .await
            .is(413, "too_large")
    );
    assert_eq!(film(1, 884).create(&world, &alice).await.status, 204);
    let full = film(2, 85).create(&world, &alice).await;
    assert!(full.is(507, "quota_full") && full.retry_after.is_none());
    assert_eq!(
        film(1, 884).create(&world, &alice).await.status,
        204,
        "a repeat"
    );
    assert_eq!(film(3, 84).create(&world, &alice).await.status, 204);
    assert_eq!(
        film(4, 0).create(&world, &bob).await.status,
        204,
        "another's"
    );
    assert_eq!(film(1, 884).delete(&world, &alice).await.status, 204);
    for number in 5..=6 {
        assert_eq!(film(number, 0).create(&world, &alice).await.status, 204);
    }
    assert!(
        film(7, 0)
            .create(&world, &alice)
            .await
            .is(507, "quota_full")
    );
}

#[tokio::test]
async fn the_store_has_a_size_and_what_is_removed_is_free_again() {
    let mut world = World::with(Limits {
        store_bytes: 100,
        ..Limits::default()
    })
    .await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let (one, two) = (Film::new(1, 0, 44, &[]), Film::new(2, 0, 44, &[]));
    one.upload(&world, &alice).await;
    assert_eq!(two.create(&world, &bob).await.status, 204);
    let full = two.put(&world, &bob, 1).await;
    assert!(full.is(507, "store_full"));
    assert_eq!(full.retry_after.as_deref(), Some("30"));
    assert_eq!(one.put(&world, &alice, 1).await.status, 204, "a repeat");
    assert_eq!(objects(&world).len(), 1, "what is refused is not kept");
    assert_eq!(one.delete(&world, &alice).await.status, 204);
    world.relay.sweep().await.unwrap();
    assert_eq!(two.put(&world, &bob, 1).await.status, 204);
    let figures = film::metrics(&world).await;
    assert!(
        figures.contains("connect_relay_chunk_bytes 60\n"),
        "{figures}"
    );
    assert!(figures.contains("connect_relay_attachments 1\n"));
    assert!(figures.contains("connect_relay_attachments_to_remove 0\n"));
    assert!(figures.contains("connect_relay_chunk_transfers 0\n"));
    assert!(!figures.contains(&one.id.to_string()));
}

#[tokio::test]
async fn who_announces_too_often_is_told_when_to_go_on() {
    let mut world = World::with(Limits {
        attachments_per_minute: 2.try_into().unwrap(),
        ..Limits::default()
    })
    .await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    for number in 1..=2 {
        let film = Film::new(number, 0, 0, &[]);
        assert_eq!(film.create(&world, &alice).await.status, 204);
    }
    let film = Film::new(3, 0, 0, &[]);
    let refused = film.create(&world, &alice).await;
    assert!(refused.is(429, "slow_down") && refused.retry_after.is_some());
    assert_eq!(film.create(&world, &bob).await.status, 204);
}
