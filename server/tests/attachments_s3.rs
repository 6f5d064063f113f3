//! Chunks in a bucket instead of a directory. It takes a store that speaks S3, such as `moto_server`: `CONNECT_S3` is its URL.

use crate::support::World;
use crate::support::film::{self, Film, metrics};

const CREDENTIALS: &str = "access_key_id = \"relay\"\nsecret_access_key = \"canary-of-a-key\"\n";

/// A relay whose chunks lie in that bucket.
async fn world(endpoint: &str, bucket: &str) -> World {
    let outside = tempfile::tempdir().unwrap();
    let credentials = outside.path().join("s3.toml");
    std::fs::write(&credentials, CREDENTIALS).unwrap();
    World::configured(&format!(
        "[attachments.s3]\nendpoint = \"{endpoint}\"\nbucket = \"{bucket}\"\ncredentials = \"{}\"",
        credentials.display()
    ))
    .await
}

#[tokio::test]
#[ignore = "needs a store that speaks S3 (CONNECT_S3)"]
async fn a_bucket_serves_as_a_directory_does() {
    let endpoint = std::env::var("CONNECT_S3").unwrap();
    let mut world = world(&endpoint, "films").await;
    let http = world.http.clone();
    let made = http.put(format!("{endpoint}/films")).send().await.unwrap();
    assert!(made.status().is_success());
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let mallory = world.user("mallory").await;
    let film = Film::new(1, 2, 9, &["bob"]);
    for _ in 0..2 {
        film.upload(&world, &alice).await;
    }
    assert!(film.is_read_by(&world, &bob).await);
    assert!(!film.is_read_by(&world, &mallory).await);
    let mut other = film.chunks[2].clone();
    other[0] ^= 1;
    let answer = film::put(&world, &alice, &film.path(3), &other).await;
    assert!(answer.is(409, "chunk_conflict"));
    assert_eq!(world.relay.remove_orphans().await.unwrap(), 0);
    assert!(!world.dir.path().join("attachments").exists());

    // An object without a row is an orphan here too; what is not ours is left alone.
    for object in ["4d/77/3-00112233445566cc", "4d/77/README"] {
        let url = format!("{endpoint}/films/{object}");
        let put = http.put(url).body("left behind").send().await.unwrap();
        assert!(put.status().is_success());
    }
    assert_eq!(world.relay.remove_orphans().await.unwrap(), 1);
    assert_eq!(world.relay.remove_orphans().await.unwrap(), 0);
    assert!(film.is_read_by(&world, &bob).await);

    assert_eq!(film.delete(&world, &alice).await.status, 204);
    world.relay.sweep().await.unwrap();
    let listed = http.get(format!("{endpoint}/films")).send().await.unwrap();
    let listed = listed.text().await.unwrap();
    assert!(
        listed.contains("README") && !listed.contains("<Key>01/"),
        "{listed}"
    );
    assert!(
        metrics(&world)
            .await
            .contains("connect_relay_chunk_bytes 0\n")
    );
}

#[tokio::test]
async fn a_store_that_is_away_is_told_as_such_and_messages_go_on() {
    // Nobody listens there any more.
    let port = {
        let tcp = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        tcp.local_addr().unwrap().port()
    };
    let mut world = world(&format!("http://127.0.0.1:{port}"), "films").await;
    let alice = world.user("alice").await;
    let film = Film::new(1, 0, 9, &[]);
    assert_eq!(film.create(&world, &alice).await.status, 204);
    let refused = film.put(&world, &alice, 1).await;
    assert!(refused.is(503, "unavailable"), "{}", refused.status);
    assert_eq!(refused.retry_after.as_deref(), Some("1"));
    assert!(film.get(&world, &alice, 1).await.is(404, "not_found"));
    let envelope = alice.envelope(1, &["alice"]);
    assert_eq!(alice.send(&world, &envelope).await.status, 204);
}
