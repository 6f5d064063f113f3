//! What a 204 promises of a chunk: it is there after a kill, a restart, a full disk; and nothing else is left to lie.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::support::film::{self, Film, files, objects};
use crate::support::process::{Running, ask, code, output};
use crate::support::{User, World, client, nonce};
use connect_proto::{codec, routes};
use connect_relay::limits::Limits;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore as _, SeedableRng as _};
use reqwest::Method;
use sqlx::Connection as _;
use tokio::task::JoinSet;

const KILLS: usize = 8;
const FULL_CHUNKS: usize = 10;

/// One chunk until it is accepted, by whichever relay runs.
async fn put_until_accepted(
    http: reqwest::Client,
    relay: tokio::sync::watch::Receiver<u16>,
    alice: std::sync::Arc<User>,
    film: std::sync::Arc<Film>,
    index: usize,
) {
    let path = film.path(index);
    loop {
        let port = *relay.borrow();
        let call = (Method::PUT, path.as_str());
        let chunk = &film.chunks[index - 1];
        match ask(&http, port, &alice, call, chunk, nonce()).await {
            Ok((204, _)) => return,
            Ok((status, _)) => assert!([429, 503].contains(&status), "{status}"),
            Err(_) => {}
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_is_killed_under_uploads_keeps_every_chunk_it_accepted_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let init = output(dir.path(), &["init", "--host", "relay.test"]);
    assert!(init.status.success());
    let mut running = Running::start(dir.path());
    let http = client(&dir, &[b"http/1.1"]);
    let mut alice = User::new("alice", 1);
    alice.code = code(dir.path(), "alice");
    let enrollment = alice.enrollment();
    let (status, _) = running
        .call(&http, &alice, routes::ENROLL, &enrollment, nonce())
        .await;
    assert_eq!(status, 200);
    let alice = std::sync::Arc::new(alice);
    let mut rng = ChaCha20Rng::seed_from_u64(5);
    let mut films = Vec::new();
    for kill in 0..KILLS {
        let number = u8::try_from(kill).unwrap() + 1;
        let film = std::sync::Arc::new(Film::new(number, FULL_CHUNKS, 9, &[]));
        let create = codec::encode(&film.announcement());
        let (status, _) = running
            .call(&http, &alice, routes::ATTACHMENTS, &create, nonce())
            .await;
        assert_eq!(status, 204);
        let (port, relay) = tokio::sync::watch::channel(running.port);
        let mut puts = JoinSet::new();
        for index in 1..=film.chunks.len() {
            let (alice, film) = (alice.clone(), film.clone());
            let put = put_until_accepted(http.clone(), relay.clone(), alice, film, index);
            puts.spawn(async move {
                put.await;
                index
            });
        }
        // Killed after some were accepted, in the midst of the others.
        let mut accepted = Vec::new();
        for _ in 0..rng.next_u32() % 6 {
            accepted.push(puts.join_next().await.unwrap().unwrap());
        }
        running.kill();
        running = Running::start(dir.path());
        for index in accepted {
            let path = film.path(index);
            let call = (Method::GET, path.as_str());
            let (status, body) = ask(&http, running.port, &alice, call, b"", nonce())
                .await
                .unwrap();
            assert!(status == 200 && body == film.chunks[index - 1], "{index}");
        }
        port.send(running.port).unwrap();
        while let Some(put) = puts.join_next().await {
            put.unwrap();
        }
        films.push(film);
    }
    running.kill();

    // One that starts after all that finds what the others left behind.
    let world = World::on(dir, Limits::default()).await;
    world.relay.remove_orphans().await.unwrap();
    for film in &films {
        assert!(film.is_read_by(&world, &alice).await);
    }
    assert_eq!(objects(&world).len(), KILLS * (FULL_CHUNKS + 1));
}

fn write(path: &Path) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, b"left behind").unwrap();
}

#[tokio::test]
async fn what_a_crash_left_behind_is_removed_and_what_is_not_the_relay_s_own_stays() {
    let mut world = World::new().await;
    let alice = world.user("alice").await;
    let film = Film::new(1, 1, 9, &[]);
    film.upload(&world, &alice).await;
    let chunk = objects(&world)[0].clone();
    let directory = world.dir.path().join("attachments");
    let unfinished = chunk.with_file_name("1-00112233445566aa#1");
    let without_row = chunk.with_file_name("1-00112233445566bb");
    let without_attachment = directory.join("4d/77/3-00112233445566cc");
    let foreign = directory.join("4d/77/README");
    for path in [&unfinished, &without_row, &without_attachment, &foreign] {
        write(path);
    }
    assert_eq!(world.relay.remove_orphans().await.unwrap(), 3);
    for path in [&unfinished, &without_row, &without_attachment] {
        assert!(!path.exists(), "{}", path.display());
    }
    assert!(foreign.exists());
    assert!(film.is_read_by(&world, &alice).await);
}

#[tokio::test]
async fn a_chunk_that_was_lost_is_missed_and_may_be_put_again() {
    let mut world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let film = Film::new(1, 0, 9, &["bob"]);
    film.upload(&world, &alice).await;
    std::fs::remove_file(&objects(&world)[0]).unwrap();
    assert!(!film.is_read_by(&world, &bob).await);
    let mut other = film.chunks[0].clone();
    other[0] ^= 1;
    let answer = film::put(&world, &alice, &film.path(1), &other).await;
    assert!(answer.is(409, "chunk_conflict"));
    for _ in 0..2 {
        assert_eq!(film.put(&world, &alice, 1).await.status, 204);
        assert!(film.is_read_by(&world, &bob).await);
    }
    assert_eq!(objects(&world).len(), 1);
    let figures = film::metrics(&world).await;
    assert!(
        figures.contains("connect_relay_chunk_bytes 25\n"),
        "{figures}"
    );
    assert!(!figures.contains("connect_relay_chunks_missing_total 0\n"));
}

#[tokio::test]
async fn chunks_lie_where_the_settings_say_and_are_the_relay_s_own() {
    let elsewhere = tempfile::tempdir().unwrap();
    let directory = elsewhere.path().join("films");
    let line = format!("[attachments]\ndirectory = \"{}\"", directory.display());
    let mut world = World::configured(&line).await;
    let alice = world.user("alice").await;
    let film = Film::new(0xc7, 1, 9, &[]);
    film.upload(&world, &alice).await;
    let found = files(&directory);
    assert_eq!(found.len(), 2);
    assert!(!world.dir.path().join("attachments").exists());
    let mode = std::fs::metadata(&directory).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    for path in found {
        let name = path.display().to_string();
        assert!(!name.contains("alice") && !name.contains(&film.id.to_string()));
    }
    assert!(
        world
            .restarted()
            .await
            .relay
            .remove_orphans()
            .await
            .unwrap()
            == 0
    );
}

#[tokio::test]
async fn what_was_deleted_before_a_kill_is_removed_after_it() {
    let mut world = World::new().await;
    let alice = world.user("alice").await;
    let film = Film::new(1, 2, 9, &[]);
    film.upload(&world, &alice).await;
    // As a relay leaves it that ends between the two phases.
    let database = format!("sqlite://{}", world.dir.path().join("relay.db").display());
    let mut database = sqlx::SqliteConnection::connect(&database).await.unwrap();
    sqlx::query("UPDATE attachments SET attachment_id = NULL")
        .execute(&mut database)
        .await
        .unwrap();
    database.close().await.unwrap();
    let world = world.restarted().await;
    world.relay.sweep().await.unwrap();
    assert!(objects(&world).is_empty());
    let figures = film::metrics(&world).await;
    assert!(
        figures.contains("connect_relay_chunk_bytes 0\n"),
        "{figures}"
    );
    film.upload(&world, &alice).await;
    assert!(film.is_read_by(&world, &alice).await);
}

/// A disk that was full, or a crash of the host, may leave less than was written.
#[tokio::test]
async fn a_chunk_of_another_length_is_as_good_as_lost_until_it_is_put_again() {
    let mut world = World::new().await;
    let alice = world.user("alice").await;
    let film = Film::new(1, 0, 9, &[]);
    film.upload(&world, &alice).await;
    for damage in [&b"short"[..], &[7; 1000]] {
        let [object] = <[_; 1]>::try_from(objects(&world)).unwrap();
        std::fs::write(&object, damage).unwrap();
        assert!(film.get(&world, &alice, 1).await.is(404, "not_found"));
        assert_eq!(film.put(&world, &alice, 1).await.status, 204);
        assert!(film.is_read_by(&world, &alice).await);
        world.relay.remove_orphans().await.unwrap();
    }
}
