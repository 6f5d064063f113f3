//! A relay that says whatever a test wants, under the TLS key of the real one, and remembers what it was told.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use connect_proto::bundle::{self, Bundle};
use connect_proto::hash::{Digest, sha256};
use connect_proto::sign::{Purpose, SignSecretKey};
use connect_proto::{codec, routes, wire};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::tls;
use crate::world::World;

mod attachments;

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
    /// What else comes is not taken for now.
    takes_no_sends: bool,
    /// What has become of the keys of a rotation whose answer was lost.
    /// The number of a `KeyState`.
    ended_rotation: Option<i32>,
    /// Rotations that were posted meanwhile.
    posted_rotations: usize,
    /// Lookups that are going to fail.
    failing_lookups: usize,
    /// For how many users each lookup asked.
    lookups: Vec<usize>,
    /// The answer to the next call of this path is made, and kept back.
    holds: Option<String>,
    /// Chunks with these bytes.
    holds_bytes: Option<Digest>,
    is_holding: bool,
    /// Long polls so far.
    polls: usize,
    /// What is never answered.
    silent: Vec<&'static str>,
    /// What was asked and not answered.
    waiting: usize,
    last_seq: u64,
    acknowledged: Vec<u64>,
    /// What is got from a chunk's path, whatever was put there.
    chunks: BTreeMap<String, Vec<u8>>,
    /// What is answered to whoever gets these.
    failing: BTreeMap<String, u16>,
    /// Attachments that it was to forget, and creations that were answered, in order.
    about_attachments: Vec<String>,
    /// Where chunks were put, and the digest of what, in order.
    put: Vec<(String, Digest)>,
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

    /// Whether sends that have no other reply are put off.
    pub fn takes_no_sends(&self, so: bool) {
        self.shared.with(|state| state.takes_no_sends = so);
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

    /// In place of all that it said before.
    pub fn publishes_all(&self, entries: Vec<wire::DirectoryEntry>) {
        self.shared.with(|state| state.directory = entries);
    }

    pub fn fails_lookups(&self, count: usize) {
        self.shared.with(|state| state.failing_lookups = count);
    }

    /// Whatever the next lookup is answered with is said only once `lets_go` is called.
    pub fn holds_a_lookup(&self) {
        self.holds(routes::LOOKUP);
    }

    /// Whatever the next call of this path is answered with is said only once `lets_go` is called.
    pub fn holds(&self, path: &str) {
        self.shared
            .with(|state| state.holds = Some(path.to_owned()));
    }

    /// Waits until an answer is kept back.
    pub async fn is_holding(&self) {
        let holding = |state: &mut State| state.is_holding.then_some(());
        self.shared.until(holding).await;
    }

    pub fn lets_go(&self) {
        self.shared.with(|state| state.is_holding = false);
    }

    /// Waits until so many lookups came, and tells for how many users each asked.
    pub async fn lookups(&self, count: usize) -> Vec<usize> {
        let enough =
            |state: &mut State| (state.lookups.len() >= count).then(|| state.lookups.clone());
        self.shared.until(enough).await
    }

    pub fn lookups_so_far(&self) -> usize {
        self.shared.with(|state| state.lookups.len())
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

    /// From now on the relay has taken every rotation already, and its keys have come to such an end: whoever posts under
    /// the old key is told that it is replaced, and whoever posts under the new one, after that, what became of it.
    pub fn has_ended_rotations(&self, state: wire::KeyState) {
        self.shared
            .with(|shared| shared.ended_rotation = Some(state.into()));
    }

    pub fn posted_rotations(&self) -> usize {
        self.shared.with(|state| state.posted_rotations)
    }

    /// The keys of whoever enrolled or rotated last.
    pub fn enrolled(&self) -> Result<Bundle> {
        let signed = self.shared.with(|state| state.enrolled.clone());
        Ok(bundle::open(&signed.context("nobody enrolled")?)?)
    }

    /// What the relay's operator says of those keys.
    pub fn statement(&self, state: wire::KeyState) -> Result<wire::ContactUpdateStatement> {
        let signed = self.shared.with(|state| state.enrolled.clone());
        statement(&signed.context("nobody enrolled")?, state.into())
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
                biased;
                // Whoever asked is gone: what comes next is for whoever asks then.
                _ = stream.read_u8() => return Ok(()),
                reply = receive(shared, &body) => reply?,
            },
            path => answer(shared, path, &body)?,
        };
        let is_held = |state: &mut State| {
            state.holds.take_if(|held| *held == path).is_some()
                || (state.holds_bytes.take_if(|held| *held == sha256(&body))).is_some()
        };
        if shared.with(is_held) {
            shared.with(|state| state.is_holding = true);
            let let_go = |state: &mut State| (!state.is_holding).then_some(());
            shared.until(let_go).await;
        }
        if path == routes::ATTACHMENTS {
            shared.with(|state| state.about_attachments.push(path));
        }
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
        routes::KEYS => {
            let signed: wire::SignedKeyBundle = codec::decode(body)?;
            if let Some(dismissed) = ended_rotation(shared, &signed)? {
                return Ok(dismissed);
            }
            let entry = rotated(&bundle::open(&signed)?, signed.clone());
            shared.with(|state| state.enrolled = Some(signed));
            Reply::status(200, "", &codec::encode(&entry))
        }
        routes::LOOKUP => {
            let asked: wire::LookupRequest = codec::decode(body)?;
            let is_failing = shared.with(|state| {
                state.lookups.push(asked.user_ids.len());
                let is_failing = state.failing_lookups > 0;
                state.failing_lookups -= usize::from(is_failing);
                is_failing
            });
            if is_failing {
                return Ok(Reply::status(500, "", b""));
            }
            let asked: HashSet<String> = asked.user_ids.into_iter().collect();
            let entries = shared.with(|state| {
                let is_asked = |entry: &&wire::DirectoryEntry| asked.contains(&entry.user_id);
                state.directory.iter().filter(is_asked).cloned().collect()
            });
            let entries = codec::encode(&wire::DirectoryEntries { entries });
            Reply::status(200, "", &entries)
        }
        routes::SEND => {
            let envelope = codec::decode(body)?;
            let reply = shared.with(|state| {
                state.sent.push(envelope);
                let put_off = state.takes_no_sends.then(|| Reply::status(503, "", b""));
                state.send_replies.pop_front().or(put_off)
            });
            reply.unwrap_or_else(|| Reply::status(204, "", b""))
        }
        routes::ATTACHMENTS => Reply::status(204, "", b""),
        path if path.starts_with(routes::ATTACHMENTS) => attachments::answer(shared, path, body),
        _ => Reply::status(404, "", b""),
    })
}

fn ended_rotation(shared: &Shared, next: &wire::SignedKeyBundle) -> Result<Option<Reply>> {
    let (ended, number, before) = shared.with(|state| {
        state.posted_rotations += usize::from(state.ended_rotation.is_some());
        let before = state.enrolled.clone();
        (state.ended_rotation, state.posted_rotations, before)
    });
    let Some(ended) = ended else { return Ok(None) };
    let before = before.context("nobody enrolled")?;
    let said = if number % 2 == 1 {
        statement(&before, wire::KeyState::KeyReplaced.into())?
    } else {
        statement(next, ended)?
    };
    Ok(Some(dismissal(&said, &operations_key())))
}

fn statement(signed: &wire::SignedKeyBundle, state: i32) -> Result<wire::ContactUpdateStatement> {
    Ok(wire::ContactUpdateStatement {
        user_id: bundle::open(signed)?.user_id.to_string(),
        revision: 1,
        bundle_digest: bundle::digest(signed).to_vec(),
        state,
        effective_ms: 1,
    })
}

fn rotated(bundle: &Bundle, signed: wire::SignedKeyBundle) -> wire::DirectoryEntry {
    wire::DirectoryEntry {
        user_id: bundle.user_id.to_string(),
        keys: vec![wire::PublishedKey {
            bundle: Some(signed),
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// A refusal of the signature, with what has become of its key.
pub fn dismissal(statement: &wire::ContactUpdateStatement, key: &SignSecretKey) -> Reply {
    let statement = codec::encode(statement);
    let update = wire::ContactUpdate {
        signature: key.sign(Purpose::ContactUpdate, &statement).to_vec(),
        statement,
    };
    let kind = format!("content-type: {}\r\n", routes::CONTENT_TYPE);
    Reply::status(401, &kind, &codec::encode(&update))
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
