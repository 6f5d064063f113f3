//! The socket's file: its mode, whom it replaces, and who it says the peer is.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use connect_ipc::endpoint::Endpoint;
use connect_ipc::frames::{FrameReader, write_frame};
use connect_ipc::socket::{Audience, ConnectError, ListenError, connect, listen, own_uid};
use tempfile::TempDir;

fn endpoint(folder: &TempDir) -> Endpoint {
    Endpoint::new(folder.path().join("run").join("connectd.sock"))
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// As a daemon that was killed leaves it.
fn leave_stale_socket(endpoint: &Endpoint) {
    fs::create_dir_all(endpoint.path().parent().unwrap()).unwrap();
    drop(std::os::unix::net::UnixListener::bind(endpoint.path()).unwrap());
    assert!(endpoint.path().exists());
}

#[tokio::test]
async fn directory_and_socket_have_the_audience_s_modes() {
    for (audience, directory, socket) in [
        (Audience::User, 0o700, 0o600),
        (Audience::Group, 0o750, 0o660),
    ] {
        let folder = TempDir::new().unwrap();
        let endpoint = endpoint(&folder);
        let _listener = listen(&endpoint, audience).await.unwrap();
        assert_eq!(mode(endpoint.path().parent().unwrap()), directory);
        assert_eq!(mode(endpoint.path()), socket);
    }
}

#[tokio::test]
async fn the_mode_of_a_directory_that_was_there_stays() {
    let folder = TempDir::new().unwrap();
    let endpoint = endpoint(&folder);
    let directory = endpoint.path().parent().unwrap();
    fs::create_dir(directory).unwrap();
    fs::set_permissions(directory, fs::Permissions::from_mode(0o711)).unwrap();
    let _listener = listen(&endpoint, Audience::User).await.unwrap();
    assert_eq!(mode(directory), 0o711);
}

#[tokio::test]
async fn a_stale_socket_is_replaced() {
    let folder = TempDir::new().unwrap();
    let endpoint = endpoint(&folder);
    leave_stale_socket(&endpoint);
    assert!(matches!(
        connect(&endpoint).await,
        Err(ConnectError::NotRunning)
    ));
    let listener = listen(&endpoint, Audience::User).await.unwrap();
    let (connected, accepted) = tokio::join!(connect(&endpoint), listener.accept());
    connected.unwrap();
    accepted.unwrap();
}

#[tokio::test]
async fn a_live_socket_is_not_replaced() {
    let folder = TempDir::new().unwrap();
    let endpoint = endpoint(&folder);
    let listener = listen(&endpoint, Audience::User).await.unwrap();
    assert!(matches!(
        listen(&endpoint, Audience::User).await,
        Err(ListenError::InUse)
    ));
    // The probe is a connection too; the one after it is ours.
    listener.accept().await.unwrap();
    let (connected, accepted) = tokio::join!(connect(&endpoint), listener.accept());
    connected.unwrap();
    accepted.unwrap();
}

#[tokio::test]
async fn of_many_that_start_at_once_over_a_stale_socket_one_listens() {
    let folder = TempDir::new().unwrap();
    let endpoint = endpoint(&folder);
    leave_stale_socket(&endpoint);
    let attempts: Vec<_> = (0..8)
        .map(|_| {
            let endpoint = endpoint.clone();
            tokio::spawn(async move { listen(&endpoint, Audience::User).await })
        })
        .collect();
    let mut listening = Vec::new();
    for attempt in attempts {
        match attempt.await.unwrap() {
            Ok(listener) => listening.push(listener),
            Err(error) => assert!(matches!(error, ListenError::InUse), "{error}"),
        }
    }
    assert_eq!(listening.len(), 1);
    assert!(connect(&endpoint).await.is_ok());
}

#[tokio::test]
async fn what_is_not_a_socket_is_never_removed() {
    let folder = TempDir::new().unwrap();
    let endpoint = endpoint(&folder);
    fs::create_dir(endpoint.path().parent().unwrap()).unwrap();
    fs::write(endpoint.path(), "keep").unwrap();
    assert!(matches!(
        listen(&endpoint, Audience::User).await,
        Err(ListenError::NotASocket)
    ));
    assert_eq!(fs::read_to_string(endpoint.path()).unwrap(), "keep");

    // A link to a stale socket is not a socket either.
    let linked = Endpoint::new(folder.path().join("linked.sock"));
    let stale = folder.path().join("stale.sock");
    leave_stale_socket(&Endpoint::new(&stale));
    std::os::unix::fs::symlink(&stale, linked.path()).unwrap();
    assert!(matches!(
        listen(&linked, Audience::User).await,
        Err(ListenError::NotASocket)
    ));
    assert!(stale.exists());
}

#[tokio::test]
async fn the_file_goes_with_the_listener_unless_it_is_another_s_by_then() {
    let folder = TempDir::new().unwrap();
    let endpoint = endpoint(&folder);
    let first = listen(&endpoint, Audience::User).await.unwrap();
    drop(first);
    assert!(!endpoint.path().exists());

    let first = listen(&endpoint, Audience::User).await.unwrap();
    fs::rename(endpoint.path(), folder.path().join("moved.sock")).unwrap();
    let second = listen(&endpoint, Audience::User).await.unwrap();
    drop(first);
    assert!(endpoint.path().exists());
    let (connected, _) = tokio::join!(connect(&endpoint), second.accept());
    connected.unwrap();
}

#[tokio::test]
async fn the_peer_is_this_process() {
    let folder = TempDir::new().unwrap();
    let endpoint = endpoint(&folder);
    let listener = listen(&endpoint, Audience::User).await.unwrap();
    let (connected, accepted) = tokio::join!(connect(&endpoint), listener.accept());
    let (_stream, peer) = accepted.unwrap();
    assert_eq!(peer.uid, own_uid());
    assert_eq!(peer.pid, Some(std::process::id()));
    assert_eq!(connected.unwrap().peer().unwrap().uid, own_uid());
}

#[tokio::test]
async fn halves_carry_lines_both_ways_and_a_dropped_write_half_is_the_end() {
    let folder = TempDir::new().unwrap();
    let endpoint = endpoint(&folder);
    let listener = listen(&endpoint, Audience::User).await.unwrap();
    let (connected, accepted) = tokio::join!(connect(&endpoint), listener.accept());
    let (near_read, mut near_write) = connected.unwrap().split();
    let (far_read, mut far_write) = accepted.unwrap().0.split();
    let (mut near, mut far) = (
        FrameReader::new(near_read, 100),
        FrameReader::new(far_read, 100),
    );

    write_frame(&mut near_write, "there").await.unwrap();
    assert_eq!(far.next().await.unwrap(), Some("there"));
    write_frame(&mut far_write, "and back").await.unwrap();
    assert_eq!(near.next().await.unwrap(), Some("and back"));
    drop(near_write);
    assert_eq!(far.next().await.unwrap(), None);
}

#[tokio::test]
async fn nothing_there_is_not_running() {
    let folder = TempDir::new().unwrap();
    assert!(matches!(
        connect(&endpoint(&folder)).await,
        Err(ConnectError::NotRunning)
    ));
}
