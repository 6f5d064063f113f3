//! The long poll: it waits, it wakes, and it gives way.

use crate::support::World;
use connect_proto::wire;

fn patient() -> wire::Ack {
    wire::Ack {
        wait_ms: 30_000,
        ..Default::default()
    }
}

/// Until so many polls wait.
async fn until_waiting(world: &World, polls: usize) {
    while world.relay.waiting() != polls {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_waiting_poll_wakes_on_a_message() {
    let mut world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let ack = patient();
    let poll = bob.receive(&world, &ack);
    let send = async {
        until_waiting(&world, 1).await;
        alice.send(&world, &alice.envelope(1, &["bob"])).await
    };
    let (received, accepted) = tokio::join!(poll, send);
    assert_eq!(accepted.status, 204);
    assert_eq!(received.envelopes().envelopes.len(), 1);
    assert_eq!(world.relay.waiting(), 0);
}

#[tokio::test]
async fn what_waits_already_is_answered_at_once() {
    let mut world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    alice.send(&world, &alice.envelope(1, &["bob"])).await;
    assert_eq!(
        bob.receive(&world, &patient())
            .await
            .envelopes()
            .envelopes
            .len(),
        1
    );
}

#[tokio::test]
async fn a_newer_poll_of_the_same_user_ends_the_older_one() {
    let mut world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let ack = patient();
    let newer = async {
        until_waiting(&world, 1).await;
        bob.receive(&world, &ack).await
    };
    let mut newer = std::pin::pin!(newer);
    let older = tokio::select! {
        older = bob.receive(&world, &ack) => older,
        _ = newer.as_mut() => panic!("the newer poll ended first"),
    };
    assert!(older.envelopes().envelopes.is_empty());
    let envelope = alice.envelope(1, &["bob"]);
    let (received, _) = tokio::join!(newer, alice.send(&world, &envelope));
    assert_eq!(received.envelopes().envelopes.len(), 1);
}

#[tokio::test]
async fn a_poll_that_its_client_gave_up_is_forgotten() {
    let mut world = World::new().await;
    let bob = world.user("bob").await;
    let ack = patient();
    tokio::select! {
        _ = bob.receive(&world, &ack) => panic!("nothing is there to receive"),
        () = until_waiting(&world, 1) => {}
    }
    until_waiting(&world, 0).await;
}

#[tokio::test]
async fn a_short_wait_ends_with_an_empty_list() {
    let mut world = World::new().await;
    let bob = world.user("bob").await;
    let answer = bob
        .receive(
            &world,
            &wire::Ack {
                wait_ms: 1,
                ..Default::default()
            },
        )
        .await;
    let list = answer.envelopes();
    assert!(list.envelopes.is_empty() && !list.more);
}

#[tokio::test]
async fn a_shutdown_answers_the_polls_at_once() {
    let mut world = World::new().await;
    let bob = world.user("bob").await;
    let signed = world.signed(
        &bob,
        connect_proto::routes::RECEIVE,
        &connect_proto::codec::encode(&patient()),
    );
    let request = world
        .http
        .post(format!("https://{}{}", world.authority(), signed.path))
        .header(connect_proto::routes::HEADER_USER, signed.user)
        .header(connect_proto::routes::HEADER_SIGNATURE, signed.signature)
        .body(signed.body);
    let poll = tokio::spawn(request.send());
    until_waiting(&world, 1).await;
    world.relay.shutdown().await;
    let answer = poll.await.unwrap().unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    assert!(answer.bytes().await.unwrap().is_empty());
}
