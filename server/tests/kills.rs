//! A relay that is killed again and again under load: what it accepted is delivered once, under one number.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::support::process::{Running, call, code, output};
use crate::support::{User, client, entries, nonce};
use connect_proto::{codec, routes, wire};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore as _, SeedableRng as _};
use tokio::sync::watch;

const SENDERS: u64 = 6;
const READERS: [&str; 2] = ["reader-0", "reader-1"];
/// Between two kills at most.
const ACCEPTED: u64 = 25;

fn kills() -> u64 {
    let set = std::env::var("CONNECT_KILLS").ok();
    set.map_or(12, |kills| kills.parse().unwrap())
}

/// Which relay it is by now, and its port.
type Life = (u64, u16);

/// Someone who calls whichever relay runs now.
struct Caller {
    user: User,
    http: reqwest::Client,
    relay: watch::Receiver<Life>,
}

impl Caller {
    /// Again and again, until a relay lives long enough to answer.
    async fn call(&mut self, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
        loop {
            let life = *self.relay.borrow_and_update();
            match call(&self.http, life.1, &self.user, path, body, nonce()).await {
                Ok(answer) => return answer,
                Err(_) => self.relay.wait_for(|now| *now != life).await.unwrap(),
            };
        }
    }

    /// Each message until it is accepted: where the answer was lost, it is the same bytes again.
    async fn send_all(mut self, messages: u64, accepted: Arc<watch::Sender<u64>>) {
        for message in 0..messages {
            let envelope = wire::Envelope {
                message_id: u128::from(message).to_be_bytes().to_vec(),
                ..self.user.envelope(1, &READERS)
            };
            let (status, _) = self.call(routes::SEND, &codec::encode(&envelope)).await;
            assert_eq!(status, 204);
            accepted.send_modify(|accepted| *accepted += 1);
        }
    }

    /// Until so many were seen and nothing is left; now and then a page is forgotten and comes again.
    async fn receive_all(mut self, expected: u64, mut rng: ChaCha20Rng) {
        let mut seen: BTreeMap<u64, wire::Envelope> = BTreeMap::new();
        let mut ack = wire::Ack::default();
        loop {
            ack.wait_ms = if seen.len() as u64 == expected {
                0
            } else {
                5_000
            };
            ack.limit = rng.next_u32() % 20 + 1;
            let (status, body) = self.call(routes::RECEIVE, &codec::encode(&ack)).await;
            assert_eq!(status, 200);
            let list: wire::EnvelopeList = codec::decode(&body).unwrap();
            if list.envelopes.is_empty() && seen.len() as u64 == expected {
                break;
            }
            ack.entries = entries(&list.envelopes);
            if rng.next_u32().is_multiple_of(4) {
                ack.entries.clear();
            }
            for envelope in list.envelopes {
                let before = seen.insert(envelope.queue_seq, envelope.clone());
                assert!(
                    before.is_none_or(|before| before == envelope),
                    "a number was given twice"
                );
            }
        }
        let mut messages: Vec<_> = seen
            .values()
            .map(|envelope| (&envelope.sender_id, &envelope.message_id))
            .collect();
        messages.sort();
        messages.dedup();
        assert_eq!(messages.len() as u64, expected, "a message has two numbers");
    }
}

#[tokio::test]
async fn a_relay_that_is_killed_under_load_loses_and_doubles_nothing() {
    let dir = tempfile::tempdir().unwrap();
    assert!(
        output(dir.path(), &["init", "--host", "relay.test"])
            .status
            .success()
    );
    let mut running = Running::start(dir.path());
    let (lives, relay) = watch::channel((0, running.port));
    let mut rng = ChaCha20Rng::seed_from_u64(22);
    let caller = async |name: &str, alpn: &[u8]| {
        let mut user = User::new(name, 1);
        user.code = code(dir.path(), name);
        let mut caller = Caller {
            user,
            http: client(&dir, &[alpn]),
            relay: relay.clone(),
        };
        let enrollment = caller.user.enrollment();
        assert_eq!(caller.call(routes::ENROLL, &enrollment).await.0, 200);
        caller
    };
    let messages = kills() * ACCEPTED / SENDERS;
    let accepted = Arc::new(watch::Sender::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for (n, name) in (1..).zip(READERS) {
        let reader = caller(name, b"http/1.1").await;
        tasks.spawn(reader.receive_all(SENDERS * messages, ChaCha20Rng::seed_from_u64(n)));
    }
    for n in 0..SENDERS {
        let alpn: &[u8] = if n % 2 == 0 { b"h2" } else { b"http/1.1" };
        let sender = caller(&format!("sender-{n}"), alpn).await;
        tasks.spawn(sender.send_all(messages, Arc::clone(&accepted)));
    }

    let mut due = 0;
    let mut counted = accepted.subscribe();
    loop {
        due += rng.next_u64() % (2 * ACCEPTED) + 1;
        if due >= SENDERS * messages {
            break;
        }
        counted.wait_for(|accepted| *accepted >= due).await.unwrap();
        running.kill();
        running = Running::start(dir.path());
        lives.send_modify(|(life, port)| (*life, *port) = (*life + 1, running.port));
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    running.kill();
}
