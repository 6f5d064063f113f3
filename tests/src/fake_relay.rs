//! A relay that says whatever a test wants, under the TLS key of the real one, and remembers what it was told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use connect_proto::bundle::{self, Bundle};
use connect_proto::sign::SignSecretKey;
use connect_proto::{codec, routes, wire};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::tls;
use crate::world::World;

/// What a long poll is answered with.
#[derive(Debug)]
pub enum Reply {
    /// Numbered on its way, as a relay would.
    Page(Vec<wire::Envelope>),
    /// The whole HTTP answer, whatever it is.
    Raw(Vec<u8>),
    /// A body that goes on for ever.
    Endless,
}

impl Reply {
    /// An answer of this status, with this body.
    pub fn status(status: u16, headers: &str, body: &[u8]) -> Self {
        let length = body.len();
        let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n{headers}\r\n");
        Self::Raw([head.as_bytes(), body].concat())
    }
}

#[derive(Debug, Default)]
struct State {
    replies: VecDeque<Reply>,
    directory: Vec<wire::DirectoryEntry>,
    /// Of whoever enrolled last.
    enrolled: Option<wire::SignedKeyBundle>,
    sent: Vec<wire::Envelope>,
    /// What sends are answered with, one after the other; then they are accepted.
    send_replies: VecDeque<Reply>,
    /// Lookups that are going to fail.
    failing_lookups: usize,
    /// Long polls so far.
    polls: usize,
    /// What is never answered.
    silent: Vec<&'static str>,
    /// What was asked and not answered.
    waiting: usize,
    last_seq: u64,
    acknowledged: Vec<u64>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Counts what changed.
    changed: watch::Sender<u64>,
}

impl Shared {
    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.send_modify(|count| *count += 1);
        changed
    }

    /// Waits until there is one.
    async fn until<T>(&self, mut look: impl FnMut(&mut State) -> Option<T>) -> T {
        let mut changed = self.changed.subscribe();
        loop {
            changed.mark_unchanged();
            let found = look(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
            if let Some(found) = found {
                return found;
            }
            changed.changed().await.ok();
        }
    }
}

#[derive(Debug)]
pub struct FakeRelay {
    shared: Arc<Shared>,
    serving: JoinSet<()>,
}

/// What the relay signs its contact updates with.
pub fn operations_key() -> SignSecretKey {
    SignSecretKey::from_seed(&[5; 32])
}

impl FakeRelay {
    /// Stops the world's relay and answers in its stead.
    pub async fn in_place_of(world: &mut World) -> Result<Self> {
        world.stop_relay().await;
        let acceptor = TlsAcceptor::from(Arc::new(tls::server(&world.relay_dir())?));
        let address = world.relay_url().replace("https://", "");
        let listener = TcpListener::bind(address).await?;
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            changed: watch::Sender::default(),
        });
        let mut serving = JoinSet::new();
        serving.spawn(accept(listener, acceptor, Arc::clone(&shared)));
        Ok(Self { shared, serving })
    }

    /// Leaves its place to the world's own relay.
    pub async fn stop(mut self) {
        self.serving.shutdown().await;
    }

    /// What the next long poll is answered with, after those that were queued before.
    pub fn replies(&self, reply: Reply) {
        self.shared.with(|state| state.replies.push_back(reply));
    }

    /// What the next send is answered with, after those that were queued before.
    pub fn replies_to_a_send(&self, reply: Reply) {
        self.shared
            .with(|state| state.send_replies.push_back(reply));
    }

    /// In place of what it said of the same user before.
    pub fn publishes(&self, entry: wire::DirectoryEntry) {
        self.shared.with(|state| {
            state
                .directory
                .retain(|known| known.user_id != entry.user_id);
            state.directory.push(entry);
        });
    }

    pub fn fails_lookups(&self, count: usize) {
        self.shared.with(|state| state.failing_lookups = count);
    }

    pub fn polls(&self) -> usize {
        self.shared.with(|state| state.polls)
    }

    /// Waits until so many sends came, and returns them all.
    pub async fn sends(&self, count: usize) -> Vec<wire::Envelope> {
        let enough = |state: &mut State| (state.sent.len() >= count).then(|| state.sent.clone());
        self.shared.until(enough).await
    }

    /// Waits until a send is as wanted.
    pub async fn sent_one<T>(&self, wanted: impl Fn(&wire::Envelope) -> Option<T>) -> T {
        let find = |state: &mut State| state.sent.iter().find_map(&wanted);
        self.shared.until(find).await
    }

    /// Never answers a call again.
    pub fn keeps_silent_on(&self, path: &'static str) {
        self.shared.with(|state| state.silent.push(path));
    }

    /// Waits until a call came that is not going to be answered.
    pub async fn left_somebody_waiting(&self) {
        let waiting = |state: &mut State| (state.waiting > 0).then_some(());
        self.shared.until(waiting).await;
    }

    /// The keys of whoever enrolled last.
    pub fn enrolled(&self) -> Result<Bundle> {
        let signed = self.shared.with(|state| state.enrolled.clone());
        Ok(bundle::open(&signed.context("nobody enrolled")?)?)
    }

    /// The first envelope that was sent here.
    pub async fn sent(&self) -> wire::Envelope {
        self.shared.until(|state| state.sent.first().cloned()).await
    }

    pub fn acknowledged_so_far(&self) -> usize {
        self.shared.with(|state| state.acknowledged.len())
    }

    /// Waits until so many envelopes are acknowledged, and returns their numbers.
    pub async fn acknowledged(&self, count: usize) -> Vec<u64> {
        let enough = |state: &mut State| {
            (state.acknowledged.len() >= count).then(|| state.acknowledged.clone())
        };
        self.shared.until(enough).await
    }
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, shared) = (acceptor.clone(), Arc::clone(&shared));
        connections.spawn(async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                serve(stream, &shared).await.ok();
            }
        });
    }
}

async fn serve(mut stream: TlsStream<TcpStream>, shared: &Shared) -> Result<()> {
    loop {
        let (path, body) = read_request(&mut stream).await?;
        let is_silent = shared.with(|state| {
            let is_silent = state.silent.contains(&path.as_str());
            state.waiting += usize::from(is_silent);
            is_silent
        });
        if is_silent {
            std::future::pending::<()>().await;
        }
        let reply = match path.as_str() {
            routes::RECEIVE => tokio::select! {
                reply = receive(shared, &body) => reply?,
                // Whoever asked is gone: what comes next is for whoever asks then.
                _ = stream.read_u8() => return Ok(()),
            },
            path => answer(shared, path, &body)?,
        };
        match reply {
            Reply::Raw(bytes) => stream.write_all(&bytes).await?,
            Reply::Page(page) => stream.write_all(&encoded(shared, page)).await?,
            Reply::Endless => {
                let head = b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n";
                stream.write_all(head).await?;
                let chunk = [b"1000\r\n".as_slice(), &[7; 0x1000], b"\r\n"].concat();
                loop {
                    stream.write_all(&chunk).await?;
                }
            }
        }
        stream.flush().await?;
    }
}

async fn receive(shared: &Shared, body: &[u8]) -> Result<Reply> {
    let ack: wire::Ack = codec::decode(body)?;
    let numbers = ack.entries.iter().map(|entry| entry.queue_seq);
    shared.with(|state| {
        state.acknowledged.extend(numbers);
        state.polls += 1;
    });
    if ack.wait_ms == 0 {
        let next = shared.with(|state| state.replies.pop_front());
        return Ok(next.unwrap_or(Reply::Page(Vec::new())));
    }
    Ok(shared.until(|state| state.replies.pop_front()).await)
}

fn answer(shared: &Shared, path: &str, body: &[u8]) -> Result<Reply> {
    Ok(match path {
        routes::ENROLL => {
            let request: wire::EnrollRequest = codec::decode(body)?;
            shared.with(|state| state.enrolled = request.bundle);
            let response = wire::EnrollResponse {
                entry: None,
                operations_public_key: operations_key().public_key().to_vec(),
            };
            Reply::status(200, "", &codec::encode(&response))
        }
        routes::LOOKUP => {
            let asked: wire::LookupRequest = codec::decode(body)?;
            let is_failing = shared.with(|state| {
                let is_failing = state.failing_lookups > 0;
                state.failing_lookups -= usize::from(is_failing);
                is_failing
            });
            if is_failing {
                return Ok(Reply::status(500, "", b""));
            }
            let entries = shared.with(|state| {
                let is_asked =
                    |entry: &&wire::DirectoryEntry| asked.user_ids.contains(&entry.user_id);
                state.directory.iter().filter(is_asked).cloned().collect()
            });
            let entries = codec::encode(&wire::DirectoryEntries { entries });
            Reply::status(200, "", &entries)
        }
        routes::SEND => {
            let envelope = codec::decode(body)?;
            let reply = shared.with(|state| {
                state.sent.push(envelope);
                state.send_replies.pop_front()
            });
            reply.unwrap_or_else(|| Reply::status(204, "", b""))
        }
        _ => Reply::status(404, "", b""),
    })
}

fn encoded(shared: &Shared, mut page: Vec<wire::Envelope>) -> Vec<u8> {
    shared.with(|state| {
        for envelope in &mut page {
            state.last_seq += 1;
            envelope.queue_seq = state.last_seq;
        }
    });
    let list = codec::encode(&wire::EnvelopeList {
        envelopes: page,
        more: false,
    });
    let head = format!("HTTP/1.1 200 X\r\ncontent-length: {}\r\n\r\n", list.len());
    [head.as_bytes(), &list].concat()
}

async fn read_request(stream: &mut TlsStream<TcpStream>) -> Result<(String, Vec<u8>)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8(head)?.to_ascii_lowercase();
    let path = head.split(' ').nth(1).context("a path")?.to_owned();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.unwrap_or("0").trim().parse()?];
    stream.read_exact(&mut body).await?;
    Ok((path, body))
}
