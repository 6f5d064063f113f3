//! Calls find their answers, are bounded, and are never repeated behind the caller's back.

use std::time::Duration;

use crate::peer::Peer;
use connect_client::api::conversation::Conversation;
use connect_client::api::errors::ErrorCode;
use connect_client::api::page::Nothing;
use connect_client::api::rpc::{Discover, Document};
use connect_client::client::Client;
use connect_client::endpoint::{ConnectError, Endpoint};
use connect_client::error::CallError;
use serde_json::json;

fn discover(client: &Client) -> tokio::task::JoinHandle<Result<Document, CallError>> {
    let client = client.clone();
    tokio::spawn(async move { client.call::<Discover>(Nothing {}).await })
}

fn text(client: &Client, text: &str) -> tokio::task::JoinHandle<Result<String, CallError>> {
    let (client, text) = (client.clone(), text.to_owned());
    tokio::spawn(async move {
        let sent = client
            .send_text(Conversation::User("bo".into()), text, Some("ref".into()))
            .await?;
        Ok(sent.message_id)
    })
}

#[tokio::test]
async fn answers_in_another_order_find_their_callers() {
    let peer = Peer::start().await;
    let client = Client::connect(peer.endpoint.clone()).await.unwrap();
    let mut daemon = peer.accept().await;
    let calls = [text(&client, "a"), text(&client, "b"), text(&client, "c")];
    let mut requests = Vec::new();
    for _ in 0..3 {
        requests.push(daemon.expect("messages.send").await);
    }
    for request in requests.iter().rev() {
        assert_eq!(request["params"]["client_ref"], "ref");
        let id = format!("id of {}", request["params"]["text"].as_str().unwrap());
        daemon
            .answer(request, json!({"message_id": id, "state": "queued"}))
            .await;
    }
    for (call, expected) in calls.into_iter().zip(["id of a", "id of b", "id of c"]) {
        assert_eq!(call.await.unwrap().unwrap(), expected);
    }
}

#[tokio::test]
async fn no_more_calls_are_in_flight_than_allowed_even_when_callers_give_up() {
    let peer = Peer::start().await;
    let client = Client::builder()
        .endpoint(peer.endpoint.clone())
        .in_flight(2)
        .connect()
        .await
        .unwrap();
    let mut daemon = peer.accept().await;
    let (first, second) = (discover(&client), discover(&client));
    let one = daemon.expect("rpc.discover").await;
    daemon.expect("rpc.discover").await;
    first.abort();
    second.abort();
    let third = discover(&client);
    // The daemon is still at both, so the third is not sent before one of them ends.
    tokio::select! {
        biased;
        request = daemon.request() => panic!("too many: {request:?}"),
        () = tokio::task::yield_now() => {}
    }
    daemon.answer(&one, json!({})).await;
    let three = daemon.expect("rpc.discover").await;
    daemon.answer(&three, json!({"openrpc": "1"})).await;
    assert_eq!(third.await.unwrap().unwrap().to_value()["openrpc"], "1");
}

#[tokio::test]
async fn a_lost_connection_ends_calls_and_the_next_call_connects_again_without_repeating() {
    let peer = Peer::start().await;
    let client = Client::connect(peer.endpoint.clone()).await.unwrap();
    let mut daemon = peer.accept().await;
    let lost = text(&client, "lost");
    daemon.expect("messages.send").await;
    drop(daemon);
    assert!(matches!(lost.await.unwrap(), Err(CallError::Disconnected)));

    let next = discover(&client);
    let mut daemon = peer.accept().await;
    let request = daemon.expect("rpc.discover").await;
    daemon.answer(&request, json!({})).await;
    next.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_daemon_that_is_away_is_unreachable_and_found_again() {
    let mut peer = Peer::start().await;
    let client = Client::builder().endpoint(peer.endpoint.clone()).lazy();
    peer.stop();
    for _ in 0..3 {
        let error = client.call::<Discover>(Nothing {}).await.unwrap_err();
        assert!(
            matches!(error, CallError::Unreachable(ConnectError::NotRunning)),
            "{error:?}"
        );
    }
    peer.restart().await;
    let call = discover(&client);
    let mut daemon = peer.accept().await;
    let request = daemon.expect("rpc.discover").await;
    daemon.answer(&request, json!({})).await;
    call.await.unwrap().unwrap();
}

#[tokio::test]
async fn the_first_endpoint_where_a_daemon_answers_is_taken() {
    let peer = Peer::start().await;
    let nowhere = Endpoint::new(peer.endpoint.path().with_extension("nowhere"));
    let client = Client::builder()
        .endpoint(nowhere)
        .endpoint(peer.endpoint.clone())
        .connect()
        .await;
    assert!(client.is_ok());
}

#[tokio::test]
async fn the_daemon_s_refusal_comes_with_its_data() {
    let peer = Peer::start().await;
    let client = Client::connect(peer.endpoint.clone()).await.unwrap();
    let mut daemon = peer.accept().await;
    let call = discover(&client);
    let request = daemon.expect("rpc.discover").await;
    daemon.refuse(&request, -32001, "locked").await;
    let Err(CallError::Daemon { code, data }) = call.await.unwrap() else {
        panic!("not refused");
    };
    assert_eq!((code, data.r#ref.as_str()), (ErrorCode::Locked, "r-1"));
}

#[tokio::test]
async fn an_error_without_an_id_belongs_to_the_only_call() {
    let peer = Peer::start().await;
    let client = Client::connect(peer.endpoint.clone()).await.unwrap();
    let mut daemon = peer.accept().await;
    let call = discover(&client);
    daemon.expect("rpc.discover").await;
    daemon
        .refuse(&json!({"id": null}), -32010, "frame_too_large")
        .await;
    assert_eq!(
        call.await.unwrap().unwrap_err().code(),
        Some(ErrorCode::FrameTooLarge)
    );
}

#[tokio::test]
async fn nonsense_ends_the_connection_and_is_told_as_such() {
    let peer = Peer::start().await;
    let client = Client::connect(peer.endpoint.clone()).await.unwrap();
    let mut daemon = peer.accept().await;
    let call = discover(&client);
    daemon.expect("rpc.discover").await;
    daemon.write("HTTP/1.1 400 Bad Request").await;
    assert!(matches!(call.await.unwrap(), Err(CallError::Protocol)));
    assert_eq!(daemon.request().await, None);
}

#[tokio::test]
async fn an_answer_of_another_shape_is_told_without_its_content() {
    let peer = Peer::start().await;
    let client = Client::connect(peer.endpoint.clone()).await.unwrap();
    let mut daemon = peer.accept().await;
    let call = text(&client, "hello");
    let request = daemon.expect("messages.send").await;
    daemon
        .answer(&request, json!({"patient": "Erika Mustermann"}))
        .await;
    let error = call.await.unwrap().unwrap_err();
    assert!(matches!(error, CallError::Protocol));
    assert!(!format!("{error} {error:?}").contains("Erika"));
}

#[tokio::test]
async fn a_call_that_is_not_answered_times_out() {
    let peer = Peer::start().await;
    let client = Client::builder()
        .endpoint(peer.endpoint.clone())
        .timeout(Duration::from_millis(20))
        .connect()
        .await
        .unwrap();
    let error = client.health().await.unwrap_err();
    assert!(matches!(error, CallError::Timeout));
}
