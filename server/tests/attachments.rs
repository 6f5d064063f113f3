//! Attachments as their owner and their readers see them: created, put and got, and nobody else's.

use crate::support::World;
use crate::support::film::{self, Film, objects};
use connect_proto::routes::CHUNK_CIPHERTEXT;

#[tokio::test]
async fn what_was_put_is_got_by_its_owner_and_the_readers_it_named_and_by_nobody_else() {
    let mut world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let mallory = world.user("mallory").await;
    for film in [
        Film::new(1, 2, 5, &["bob"]),
        Film::new(2, 0, 0, &["bob"]),
        Film::new(3, 0, CHUNK_CIPHERTEXT - 16, &["bob"]),
    ] {
        film.upload(&world, &alice).await;
        assert!(film.is_read_by(&world, &bob).await);
        assert!(film.is_read_by(&world, &alice).await);
        assert!(!film.is_read_by(&world, &mallory).await);
        for index in [0, film.chunks.len() + 1] {
            assert!(film.get(&world, &bob, index).await.is(404, "not_found"));
        }
    }
    let world = world.restarted().await;
    assert!(Film::new(1, 2, 5, &[]).is_read_by(&world, &bob).await);
}

#[tokio::test]
async fn the_same_again_is_the_same_and_anything_else_a_conflict() {
    let mut world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let _carol = world.user("carol").await;
    let film = Film::new(1, 1, 9, &["bob", "carol"]);
    for _ in 0..2 {
        film.upload(&world, &alice).await;
    }
    let turned = Film::new(1, 1, 9, &["carol", "bob"]);
    assert_eq!(turned.create(&world, &alice).await.status, 204);
    for other in [
        Film::new(1, 1, 9, &["bob"]),
        Film::new(1, 1, 8, &["bob", "carol"]),
        Film::new(1, 0, 9, &["bob", "carol"]),
    ] {
        let answer = other.create(&world, &alice).await;
        assert!(answer.is(409, "attachment_conflict"));
    }
    assert!(
        film.create(&world, &bob)
            .await
            .is(409, "attachment_conflict")
    );
    let mut other = film.chunks[1].clone();
    other[0] ^= 1;
    let answer = film::put(&world, &alice, &film.path(2), &other).await;
    assert!(answer.is(409, "chunk_conflict"));
    assert!(film.is_read_by(&world, &bob).await);
    assert_eq!(objects(&world).len(), 2, "what did not count is not kept");
}

#[tokio::test]
async fn chunks_come_in_any_order_and_at_once_and_one_of_two_that_differ_wins() {
    let mut world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let film = Film::new(1, 4, 100, &["bob"]);
    assert_eq!(film.create(&world, &alice).await.status, 204);
    assert!(film.get(&world, &bob, 3).await.is(404, "not_found"));
    let (world, alice, film) = (&world, &alice, &film);
    // Each twice, and the last one also with other bytes.
    let puts = (1..=5)
        .rev()
        .chain(1..=5)
        .map(|index| film.put(world, alice, index));
    let (last, other) = (film.path(5), vec![99; film.chunks[4].len()]);
    let (answers, odd) = tokio::join!(
        futures_util::future::join_all(puts),
        film::put(world, alice, &last, &other),
    );
    let refused = answers.iter().filter(|answer| answer.status == 409).count();
    assert!(
        answers
            .iter()
            .all(|answer| answer.status == 204 || answer.status == 409)
    );
    assert!(
        (refused == 0 && odd.status == 409) || (refused == 2 && odd.status == 204),
        "{refused} {}",
        odd.status
    );
    let last = film.get(world, &bob, 5).await;
    assert_eq!(last.body == other, odd.status == 204);
    assert_eq!(objects(world).len(), 5, "one object for each chunk");
}

#[tokio::test]
async fn only_its_owner_puts_into_it() {
    let mut world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let film = Film::new(1, 0, 9, &["bob"]);
    assert!(film.put(&world, &alice, 1).await.is(404, "not_found"));
    assert_eq!(film.create(&world, &alice).await.status, 204);
    assert!(film.put(&world, &bob, 1).await.is(404, "not_found"));
    for index in [0, 2] {
        let answer = film::put(&world, &alice, &film.path(index), &film.chunks[0]).await;
        assert!(answer.is(404, "not_found"), "{index}");
    }
    for len in [0, 24, 26, CHUNK_CIPHERTEXT, CHUNK_CIPHERTEXT + 1] {
        let answer = film::put(&world, &alice, &film.path(1), &vec![1; len]).await;
        assert!(answer.is(422, "wrong_length"), "{len}: {}", answer.status);
    }
    assert!(objects(&world).is_empty());
    assert_eq!(film.put(&world, &alice, 1).await.status, 204);
}

#[tokio::test]
async fn an_unknown_reader_keeps_nobody_else_from_reading() {
    let mut world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let film = Film::new(1, 0, 9, &["bob", "carol"]);
    for _ in 0..2 {
        film.upload(&world, &alice).await;
    }
    assert!(film.is_read_by(&world, &bob).await);
    // Whoever enrolls under that name later is not the one who was named.
    let carol = world.user("carol").await;
    assert!(!film.is_read_by(&world, &carol).await);
    assert_eq!(film.create(&world, &alice).await.status, 204);
}
