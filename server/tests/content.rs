//! Bodies that are refused: malformed, oversized, or with something wrong in them.

use crate::support::World;
use connect_proto::{codec, routes, wire};

#[tokio::test]
async fn wrong_content_is_refused_with_its_word() {
    let mut world = World::new().await;
    let alice = world.user("alice").await;
    let good = || alice.envelope(1, &["alice"]);
    let table = [
        (
            wire::Envelope {
                sender_id: "bob".to_owned(),
                ..good()
            },
            "wrong_sender",
        ),
        (
            wire::Envelope {
                message_id: vec![1; 17],
                ..good()
            },
            "wrong_message_id",
        ),
        (
            wire::Envelope {
                queue_seq: 9,
                ..good()
            },
            "relay_only_field",
        ),
        (
            wire::Envelope {
                sealed: Vec::new(),
                ..good()
            },
            "no_recipient",
        ),
        (
            alice.envelope(1, &["alice", "alice"]),
            "duplicate_recipient",
        ),
    ];
    for (envelope, word) in table {
        let answer = alice.send(&world, &envelope).await;
        assert!(answer.is(400, word), "{word}: {}", answer.word());
    }
    for path in [routes::SEND, routes::RECEIVE, routes::LOOKUP] {
        assert!(
            world
                .call(&alice, path, &[0xff, 0xff])
                .await
                .is(400, "malformed"),
            "{path}"
        );
    }
    let many = wire::LookupRequest {
        user_ids: vec!["bob".to_owned(); 201],
    };
    assert!(
        world
            .call(&alice, routes::LOOKUP, &codec::encode(&many))
            .await
            .is(400, "too_many_entries")
    );
    let odd = wire::LookupRequest {
        user_ids: vec!["b b".to_owned()],
    };
    assert!(
        world
            .call(&alice, routes::LOOKUP, &codec::encode(&odd))
            .await
            .is(400, "wrong_user_id")
    );
    assert!(alice.waiting(&world).await.is_empty());
}

#[tokio::test]
async fn oversized_bodies_are_refused() {
    let mut world = World::new().await;
    let alice = world.user("alice").await;
    assert!(
        world
            .call(
                &alice,
                routes::RECEIVE,
                &vec![0; routes::MAX_CALL_BYTES + 1]
            )
            .await
            .is(413, "too_large")
    );
    assert!(
        world
            .call(&alice, routes::SEND, &vec![0; routes::MAX_SEND_BYTES + 1])
            .await
            .is(413, "too_large")
    );
    let largest = world
        .call(&alice, routes::SEND, &vec![0xff; routes::MAX_SEND_BYTES])
        .await;
    assert!(largest.is(400, "malformed"));
}
