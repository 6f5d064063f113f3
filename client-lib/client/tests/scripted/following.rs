//! Events come in order and once, through restarts, locks and slow consumers.

use crate::peer::{Connected, Peer};
use connect_client::api::errors::ErrorCode;
use connect_client::api::events::EventBody;
use connect_client::client::Client;
use connect_client::endpoint::ConnectError;
use connect_client::error::CallError;
use connect_client::events::EventStream;
use connect_client::follow::Follow;
use serde_json::{Value, json};

fn client(peer: &Peer) -> Client {
    Client::builder().endpoint(peer.endpoint.clone()).lazy()
}

fn event(id: u64) -> Value {
    json!({"event_id": id, "at_ms": 1, "type": "relay_reachable"})
}

/// Takes the subscription, which must start after the given event.
async fn subscribed(peer: &Peer, after: u64) -> Connected {
    let mut daemon = peer.accept().await;
    let request = daemon.expect("events.subscribe").await;
    assert_eq!(request["params"], json!({"after": after}));
    daemon.answer(&request, json!("sub")).await;
    daemon
}

async fn next_id(events: &mut EventStream) -> u64 {
    events.next().await.unwrap().unwrap().event_id
}

fn health(state: &str, last: u64) -> Value {
    json!({
        "state": state,
        "relay": {"reachable": true, "last_sync_ms": null, "clock_offset_ms": 0},
        "outbox": {"queued": 0, "held": 0},
        "inbox": {"missing": 0, "quarantined": 0},
        "events": {"last_event_id": last},
        "host": {"core_dumps": false, "swap": false, "traceable": false},
    })
}

#[tokio::test]
async fn after_a_restart_it_goes_on_behind_the_last_event_without_doubles() {
    let mut peer = Peer::start().await;
    let mut events = client(&peer).events(Some(4));
    let mut daemon = subscribed(&peer, 4).await;
    daemon.notify(event(5)).await;
    daemon.notify(event(6)).await;
    assert_eq!(next_id(&mut events).await, 5);
    assert_eq!(next_id(&mut events).await, 6);
    drop(daemon);
    peer.restart().await;
    let mut daemon = subscribed(&peer, 6).await;
    for id in [5, 6, 7] {
        daemon.notify(event(id)).await;
    }
    assert_eq!(next_id(&mut events).await, 7);
}

#[tokio::test]
async fn from_now_on_is_made_a_number_so_that_a_reconnect_leaves_no_hole() {
    let peer = Peer::start().await;
    let mut events = client(&peer).events(None);
    let mut daemon = peer.accept().await;
    let request = daemon.expect("system.health").await;
    daemon.answer(&request, health("unlocked", 41)).await;
    let request = daemon.expect("events.subscribe").await;
    assert_eq!(request["params"], json!({"after": 41}));
    daemon.answer(&request, json!(17)).await;
    // It ends once that is read, which the next subscription shows; no event was seen before.
    drop(daemon);
    let mut daemon = subscribed(&peer, 41).await;
    daemon.notify(event(42)).await;
    assert_eq!(next_id(&mut events).await, 42);
}

#[tokio::test]
async fn events_before_the_subscription_s_answer_count_too() {
    let peer = Peer::start().await;
    let mut events = client(&peer).events(Some(0));
    let mut daemon = peer.accept().await;
    let request = daemon.expect("events.subscribe").await;
    daemon.notify(event(1)).await;
    daemon.answer(&request, json!("sub")).await;
    daemon.notify(event(2)).await;
    assert_eq!(next_id(&mut events).await, 1);
    assert_eq!(next_id(&mut events).await, 2);
}

#[tokio::test]
async fn it_waits_for_an_unlock_and_for_a_daemon() {
    let mut peer = Peer::start().await;
    peer.stop();
    let mut events = client(&peer).events(Some(0));
    peer.restart().await;
    let mut daemon = peer.accept().await;
    let request = daemon.expect("events.subscribe").await;
    daemon.refuse(&request, -32001, "locked").await;
    let mut daemon = subscribed(&peer, 0).await;
    daemon.notify(event(1)).await;
    assert_eq!(next_id(&mut events).await, 1);
}

#[tokio::test]
async fn without_waiting_the_first_failure_ends_it() {
    let mut peer = Peer::start().await;
    let follow = Follow {
        after: Some(0),
        wait: false,
    };
    let mut events = client(&peer).follow(follow);
    let mut daemon = peer.accept().await;
    let request = daemon.expect("events.subscribe").await;
    daemon.refuse(&request, -32001, "locked").await;
    let error = events.next().await.unwrap().unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::Locked));
    assert!(events.next().await.is_none());

    peer.stop();
    let mut events = client(&peer).follow(follow);
    let error = events.next().await.unwrap().unwrap_err();
    assert!(matches!(
        error,
        CallError::Unreachable(ConnectError::NotRunning)
    ));
}

#[tokio::test]
async fn what_waiting_does_not_help_ends_it() {
    let peer = Peer::start().await;
    let mut events = client(&peer).events(Some(0));
    let mut daemon = peer.accept().await;
    let request = daemon.expect("events.subscribe").await;
    daemon.refuse(&request, -32004, "forbidden").await;
    assert_eq!(
        events.next().await.unwrap().unwrap_err().code(),
        Some(ErrorCode::Forbidden)
    );
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn a_lock_is_passed_on_and_the_subscription_made_again() {
    let peer = Peer::start().await;
    let mut events = client(&peer).events(Some(0));
    let mut daemon = subscribed(&peer, 0).await;
    daemon
        .notify(json!({"event_id": 1, "at_ms": 1, "type": "session_locked"}))
        .await;
    assert_eq!(next_id(&mut events).await, 1);
    let mut daemon = subscribed(&peer, 1).await;
    daemon.notify(event(2)).await;
    assert_eq!(next_id(&mut events).await, 2);
}

#[tokio::test]
async fn a_subscription_that_the_daemon_ends_is_made_again() {
    let peer = Peer::start().await;
    let mut events = client(&peer).events(Some(8));
    let mut daemon = subscribed(&peer, 8).await;
    daemon
        .write(r#"{"jsonrpc":"2.0","method":"events.event","params":{"subscription":"sub","error":"closed"}}"#)
        .await;
    let mut daemon = subscribed(&peer, 8).await;
    daemon.notify(event(9)).await;
    assert_eq!(next_id(&mut events).await, 9);
}

#[tokio::test]
async fn an_event_of_a_newer_contract_is_left_out_and_counts_as_seen() {
    let peer = Peer::start().await;
    let mut events = client(&peer).events(Some(0));
    let mut daemon = subscribed(&peer, 0).await;
    daemon
        .notify(json!({"event_id": 1, "at_ms": 1, "type": "not_yet_invented"}))
        .await;
    drop(daemon);
    let mut daemon = subscribed(&peer, 1).await;
    daemon.notify(event(2)).await;
    assert_eq!(next_id(&mut events).await, 2);
}

#[tokio::test]
async fn expired_events_are_told_once() {
    let peer = Peer::start().await;
    let mut events = client(&peer).events(Some(0));
    let mut daemon = subscribed(&peer, 0).await;
    daemon
        .notify(json!({"event_id": 0, "at_ms": 1, "type": "events_expired", "from": 1, "to": 9}))
        .await;
    let told = events.next().await.unwrap().unwrap();
    assert!(matches!(
        told.body,
        EventBody::EventsExpired { from: 1, to: 9 }
    ));
    drop(daemon);
    let mut daemon = subscribed(&peer, 9).await;
    daemon.notify(event(10)).await;
    assert_eq!(next_id(&mut events).await, 10);
}

#[tokio::test]
async fn a_slow_consumer_stops_the_reading_and_loses_nothing() {
    const EVENTS: u64 = 20_000;
    let peer = Peer::start().await;
    let mut events = client(&peer).events(Some(0));
    let mut daemon = subscribed(&peer, 0).await;
    let written = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let counter = written.clone();
    let writer = tokio::spawn(async move {
        for id in 1..=EVENTS {
            daemon.notify(event(id)).await;
            counter.store(id, std::sync::atomic::Ordering::Relaxed);
        }
        daemon
    });
    // Nobody consumes: the writer gets as far as the socket and the bound allow, and no further.
    let mut before = u64::MAX;
    loop {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        let now = written.load(std::sync::atomic::Ordering::Relaxed);
        if now == before && now > 0 {
            break;
        }
        before = now;
    }
    assert!(before < EVENTS, "all {before} events were taken in");
    for id in 1..=EVENTS {
        assert_eq!(next_id(&mut events).await, id);
    }
    writer.await.unwrap();
}
