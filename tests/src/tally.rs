//! Between daemons and a relay that is a process of its own: writes down every chunk that is sent, stops all of them at a
//! chosen place so that a kill meets them on their way, and cuts every connection.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use connect_proto::hash::{Digest, sha256};
use connect_proto::routes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_util::task::AbortOnDropHandle;

use crate::tls;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// To the relay.
    Up,
    /// From it.
    Down,
}

/// One chunk on its way once: written down when it is asked for or begins, so that none is left out.
#[derive(Debug, Clone)]
pub struct Passage {
    pub way: Way,
    pub index: u32,
    /// How many cuts there were before.
    pub epoch: usize,
    /// Of what passed, where all of it did.
    pub digest: Option<Digest>,
    /// Who sent or asked has been told.
    pub is_answered: bool,
    is_held: bool,
}

#[derive(Debug, Default)]
pub struct Ledger {
    pub passages: Vec<Passage>,
    pub epoch: usize,
    /// Nothing of this way passes any more once so many chunks did.
    hold: Option<(Way, usize)>,
    relay: Option<SocketAddr>,
}

impl Ledger {
    fn of(&self, way: Way) -> impl Iterator<Item = &Passage> {
        self.passages
            .iter()
            .filter(move |passage| passage.way == way)
    }

    /// Chunks that passed, each counted once.
    pub fn passed(&self, way: Way) -> usize {
        let answered = self.of(way).filter(|passage| passage.is_answered);
        answered
            .map(|passage| passage.index)
            .collect::<BTreeSet<_>>()
            .len()
    }

    /// How often each chunk was sent.
    pub fn times(&self, way: Way) -> BTreeMap<u32, usize> {
        let mut times = BTreeMap::new();
        for passage in self.of(way) {
            *times.entry(passage.index).or_default() += 1;
        }
        times
    }

    /// Whether some chunk was sent twice with no cut in between.
    pub fn has_repeated_within_an_epoch(&self, way: Way) -> bool {
        let mut seen = BTreeSet::new();
        self.of(way)
            .any(|passage| !seen.insert((passage.epoch, passage.index)))
    }

    fn held(&self) -> usize {
        self.passages
            .iter()
            .filter(|passage| passage.is_held && passage.epoch == self.epoch)
            .count()
    }

    /// The place is reached, and whatever the cut before had lost has passed: no chunk is lost twice.
    fn holds(&self, way: Way) -> bool {
        let Some((held_way, place)) = self.hold else {
            return false;
        };
        held_way == way
            && (self.held() > 0 || (self.passed(way) >= place && self.lost_before().is_empty()))
    }

    fn lost_before(&self) -> BTreeSet<u32> {
        let mut lost = BTreeSet::new();
        for passage in &self.passages {
            if passage.is_answered {
                lost.remove(&passage.index);
            } else if passage.epoch < self.epoch {
                lost.insert(passage.index);
            }
        }
        lost
    }
}

struct Shared {
    ledger: watch::Sender<Ledger>,
    connector: TlsConnector,
}

/// Serves in the relay's place, under the relay's key.
pub struct Tally {
    shared: Arc<Shared>,
    cuts: mpsc::Sender<oneshot::Sender<()>>,
    _task: AbortOnDropHandle<()>,
}

impl std::fmt::Debug for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tally(..)")
    }
}

impl Tally {
    pub async fn start(listen: SocketAddr, relay_dir: &Path) -> Result<Self> {
        let ca = std::fs::read_to_string(relay_dir.join("ca.pem"))?;
        let shared = Arc::new(Shared {
            ledger: watch::Sender::default(),
            connector: TlsConnector::from(Arc::new(tls::client_config(&ca)?)),
        });
        let listener = TcpListener::bind(listen).await?;
        let acceptor = TlsAcceptor::from(Arc::new(tls::server(relay_dir)?));
        let (cuts, cut) = mpsc::channel(1);
        let task = tokio::spawn(accept(listener, acceptor, Arc::clone(&shared), cut));
        Ok(Self {
            shared,
            cuts,
            _task: AbortOnDropHandle::new(task),
        })
    }

    /// Where the relay listens from now on.
    pub fn leads_to(&self, relay: SocketAddr) {
        self.shared
            .ledger
            .send_modify(|ledger| ledger.relay = Some(relay));
    }

    /// From the moment on when so many chunks have passed this way, none does: whoever waits for one goes on waiting.
    pub fn holds_at(&self, way: Way, place: usize) {
        self.shared
            .ledger
            .send_modify(|ledger| ledger.hold = Some((way, place)));
    }

    /// Waits until so many chunks are held.
    pub async fn has_held(&self, count: usize) -> Result<()> {
        let mut ledger = self.shared.ledger.subscribe();
        ledger.wait_for(|ledger| ledger.held() == count).await?;
        Ok(())
    }

    /// Ends every connection and lets what comes after it pass. What the dead sent before counts as sent before.
    pub async fn cut(&self) -> Result<()> {
        let (done, is_done) = oneshot::channel();
        self.cuts.send(done).await?;
        Ok(is_done.await?)
    }

    pub fn read<T>(&self, read: impl FnOnce(&Ledger) -> T) -> T {
        read(&self.shared.ledger.borrow())
    }
}

async fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    shared: Arc<Shared>,
    mut cut: mpsc::Receiver<oneshot::Sender<()>>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(serve(stream, acceptor.clone(), Arc::clone(&shared)));
                }
                while connections.try_join_next().is_some() {}
            }
            Some(done) = cut.recv() => {
                connections.shutdown().await;
                shared.ledger.send_modify(|ledger| {
                    ledger.epoch += 1;
                    ledger.hold = None;
                });
                done.send(()).ok();
            }
        }
    }
}

/// One connection to the relay for each to here, and neither outlives the other: no relay, no connection.
async fn serve(stream: TcpStream, acceptor: TlsAcceptor, shared: Arc<Shared>) -> Result<()> {
    let relay = shared.ledger.borrow().relay;
    let relay = relay.context("there is a relay")?;
    let onward = TcpStream::connect(relay).await?;
    let name = ServerName::from(relay.ip());
    let onward = shared.connector.connect(name, onward).await?;
    let (sender, connection) = handshake(TokioIo::new(onward)).await?;
    let sender = Mutex::new(sender);
    let stream = acceptor.accept(stream).await?;
    let service = service_fn(|request| pass(&shared, &sender, request));
    let serving = hyper::server::conn::http1::Builder::new();
    tokio::select! {
        served = serving.serve_connection(TokioIo::new(stream), service) => Ok(served?),
        ended = connection => Ok(ended?),
    }
}

async fn pass(
    shared: &Shared,
    relay: &Mutex<SendRequest<Full<Bytes>>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>> {
    let chunk = chunk_of(request.method(), request.uri().path());
    let number = chunk.map(|(way, index)| shared.begins(way, index));
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    if let (Some((Way::Up, _)), Some(number)) = (chunk, number) {
        let digest = sha256(&body);
        shared.notes(number, |passage| passage.digest = Some(digest));
    }
    // Of those that are held, the relay hears of every other one.
    if let (Some((way, index)), Some(number)) = (chunk, number)
        && index % 2 == 0
    {
        shared.may_hold(way, number).await?;
    }
    let request = Request::from_parts(head, Full::new(body));
    let answer = relay.lock().await.send_request(request).await?;
    let (head, body) = answer.into_parts();
    let body = body.collect().await?.to_bytes();
    if let (Some((way, index)), Some(number)) = (chunk, number) {
        if way == Way::Down && head.status.is_success() {
            let digest = sha256(&body);
            shared.notes(number, |passage| passage.digest = Some(digest));
        }
        if index % 2 == 1 {
            shared.may_hold(way, number).await?;
        }
        shared.notes(number, |passage| {
            passage.is_answered = head.status.is_success();
        });
    }
    Ok(Response::from_parts(head, Full::new(body)))
}

fn chunk_of(method: &Method, path: &str) -> Option<(Way, u32)> {
    let (_, index) = path
        .strip_prefix(routes::ATTACHMENTS)?
        .strip_prefix('/')?
        .split_once('/')?;
    let way = match *method {
        Method::PUT => Way::Up,
        Method::GET => Way::Down,
        _ => return None,
    };
    Some((way, index.parse().ok()?))
}

impl Shared {
    fn begins(&self, way: Way, index: u32) -> usize {
        let mut number = 0;
        self.ledger.send_modify(|ledger| {
            number = ledger.passages.len();
            ledger.passages.push(Passage {
                way,
                index,
                epoch: ledger.epoch,
                digest: None,
                is_answered: false,
                is_held: false,
            });
        });
        number
    }

    fn notes(&self, number: usize, change: impl FnOnce(&mut Passage)) {
        self.ledger.send_modify(|ledger| {
            if let Some(passage) = ledger.passages.get_mut(number) {
                change(passage);
            }
        });
    }

    /// Where the place is reached, until the connection is cut.
    async fn may_hold(&self, way: Way, number: usize) -> Result<()> {
        let mut is_held = false;
        self.ledger.send_modify(|ledger| {
            is_held = ledger.holds(way);
            if let Some(passage) = ledger.passages.get_mut(number) {
                passage.is_held = is_held;
            }
        });
        if is_held {
            std::future::pending::<()>().await;
            bail!("it was cut");
        }
        Ok(())
    }
}
