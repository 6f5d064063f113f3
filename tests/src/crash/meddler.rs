//! Between daemons and relay: answers that come late, twice, out of order or not at all.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, bail};
use bytes::Bytes;
use connect_proto::{codec, routes, wire};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use rand_chacha::ChaCha12Rng;
use rand_core::RngCore as _;
use serde::Serialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::AbortOnDropHandle;

use crate::tls;

const LATEST_MS: u32 = 500;

/// How often it did what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Meddling {
    /// The relay never heard.
    pub swallowed: u64,
    /// The relay did it, and who asked was not told.
    pub unanswered: u64,
    pub late: u64,
    /// The same request went to the relay once more, or the same envelopes came once more.
    pub twice: u64,
    pub out_of_order: u64,
}

impl Meddling {
    pub fn total(&self) -> u64 {
        self.swallowed + self.unanswered + self.late + self.twice + self.out_of_order
    }
}

/// What happens to one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Served,
    Swallowed,
    Unanswered,
    Late(Duration),
    Twice,
    OutOfOrder,
}

struct Shared {
    relay: String,
    http: reqwest::Client,
    rng: Mutex<ChaCha12Rng>,
    begun: AtomicBool,
    done: Mutex<Meddling>,
    /// The last page that each user got.
    pages: Mutex<BTreeMap<String, Vec<wire::Envelope>>>,
}

/// Serves in the relay's place, under the relay's key.
pub(super) struct Meddler {
    shared: Arc<Shared>,
    _task: AbortOnDropHandle<()>,
}

impl Meddler {
    pub(super) async fn start(
        listen: SocketAddr,
        relay: &str,
        relay_dir: &Path,
        rng: ChaCha12Rng,
    ) -> Result<Self> {
        let shared = Arc::new(Shared {
            relay: format!("https://{relay}"),
            http: tls::client(&std::fs::read_to_string(relay_dir.join("ca.pem"))?)?,
            rng: Mutex::new(rng),
            begun: AtomicBool::new(false),
            done: Mutex::default(),
            pages: Mutex::default(),
        });
        let listener = TcpListener::bind(listen).await?;
        let acceptor = TlsAcceptor::from(Arc::new(tls::server(relay_dir)?));
        let task = tokio::spawn(accept(listener, acceptor, Arc::clone(&shared)));
        Ok(Self {
            shared,
            _task: AbortOnDropHandle::new(task),
        })
    }

    /// Until then everything is served: a ward can be set up.
    pub(super) fn begin(&self) {
        self.shared.begun.store(true, Ordering::Relaxed);
    }

    pub(super) fn done(&self) -> Meddling {
        *self.shared.done.lock()
    }
}

impl std::fmt::Debug for Meddler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meddler(..)")
    }
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, shared) = (acceptor.clone(), Arc::clone(&shared));
        connections.spawn(serve(stream, acceptor, shared));
        while connections.try_join_next().is_some() {}
    }
}

/// An error ends the connection: whoever asked finds it cut.
async fn serve(stream: TcpStream, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    let Ok(stream) = acceptor.accept(stream).await else {
        return;
    };
    let service = service_fn(|request| meddle(&shared, request));
    let connection = hyper::server::conn::http1::Builder::new();
    connection
        .serve_connection(TokioIo::new(stream), service)
        .await
        .ok();
}

async fn meddle(shared: &Shared, request: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let path = head.uri.path();
    let fate = shared.draw(path);
    if fate == Fate::Swallowed {
        bail!("swallowed");
    }
    let mut answer = shared.pass_on(path, &head.headers, body.clone()).await?;
    match fate {
        Fate::Unanswered => bail!("unanswered"),
        Fate::Late(by) => tokio::time::sleep(by).await,
        Fate::Twice if path == routes::SEND => {
            // Refused or not, who asked gets the first answer.
            shared.pass_on(path, &head.headers, body).await.ok();
        }
        _ => {}
    }
    if path == routes::RECEIVE && answer.status().is_success() {
        let user = head.headers.get(routes::HEADER_USER);
        let user = user.and_then(|user| user.to_str().ok()).unwrap_or_default();
        let page = shared.arrange(user, answer.body(), fate)?;
        *answer.body_mut() = page;
    }
    let (head, body) = answer.into_parts();
    Ok(Response::from_parts(head, Full::new(body)))
}

impl Shared {
    fn draw(&self, path: &str) -> Fate {
        if !self.begun.load(Ordering::Relaxed) {
            return Fate::Served;
        }
        let mut rng = self.rng.lock();
        let (chance, by) = (rng.next_u32() % 100, rng.next_u32() % LATEST_MS);
        let mut done = self.done.lock();
        let (fate, count) = match chance {
            0 => (Fate::Swallowed, &mut done.swallowed),
            1 => (Fate::Unanswered, &mut done.unanswered),
            2 => (Fate::Late(Duration::from_millis(by.into())), &mut done.late),
            3..7 => (Fate::Twice, &mut done.twice),
            7..12 if path == routes::RECEIVE => (Fate::OutOfOrder, &mut done.out_of_order),
            _ => return Fate::Served,
        };
        *count += 1;
        fate
    }

    async fn pass_on(
        &self,
        path: &str,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<Response<Bytes>> {
        let mut request = self.http.post(format!("{}{path}", self.relay)).body(body);
        for (name, value) in headers {
            if *name != http::header::CONTENT_LENGTH {
                request = request.header(name, value);
            }
        }
        let answer: Response<reqwest::Body> = request.send().await?.into();
        let (mut head, body) = answer.into_parts();
        head.headers.remove(http::header::CONTENT_LENGTH);
        head.headers.remove(http::header::CONNECTION);
        Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
    }

    /// A page as its reader gets it, and remembered for once more.
    fn arrange(&self, user: &str, page: &[u8], fate: Fate) -> Result<Bytes> {
        let mut list: wire::EnvelopeList = codec::decode(page)?;
        let fresh = list.envelopes.clone();
        let mut pages = self.pages.lock();
        match fate {
            Fate::OutOfOrder => list.envelopes.reverse(),
            Fate::Twice => {
                let before = pages.get(user).cloned().unwrap_or_default();
                list.envelopes.extend(fresh.iter().cloned());
                list.envelopes.extend(before);
            }
            _ => {}
        }
        if !fresh.is_empty() {
            pages.insert(user.to_owned(), fresh);
        }
        Ok(codec::encode(&list).into())
    }
}
