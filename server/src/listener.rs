//! The public listener: TCP, TLS, HTTP; every step bounded in time, every task counted.

use std::future::Future;
use std::time::Duration;

use axum::Router;
use hyper::rt::Executor;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::activity::Counted;
use crate::limits::Limits;
use crate::room::{Place, Room};

/// Room for the headers of a request, the longest signature included.
const HEADERS_LEN: usize = 16 << 10;
const STREAMS: u32 = 64;
/// A client that is gone is noticed within twice this time.
const PING: Duration = Duration::from_secs(30);
/// When no file descriptor is left, one is free again after a while.
const BREATH: Duration = Duration::from_millis(100);

/// The relay's tasks, and the two stages of their end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tasks {
    pub(crate) tracker: TaskTracker,
    /// Accept nothing more, finish what runs.
    pub(crate) stopping: CancellationToken,
    /// Finish nothing more.
    pub(crate) aborting: CancellationToken,
}

impl Tasks {
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let aborting = self.aborting.clone();
        // Boxed: each layer around it would keep room for another copy, and thousands of them wait.
        let task = Box::pin(task);
        self.tracker.spawn(async move {
            aborting.run_until_cancelled_owned(task).await;
        });
    }
}

/// HTTP/2 spawns a task per request: these are counted like all others.
impl<F> Executor<F> for Tasks
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, task: F) {
        self.spawn(async move {
            task.await;
        });
    }
}

/// What every connection needs.
#[derive(Clone)]
pub(crate) struct Listener {
    pub(crate) tls: TlsAcceptor,
    pub(crate) router: Router,
    pub(crate) limits: Limits,
    pub(crate) tasks: Tasks,
}

impl Listener {
    /// Accepts until told to stop. At the limit, who comes next waits in the kernel's queue.
    pub(crate) async fn run(self, tcp: TcpListener) {
        let room = Room::new(&self.limits);
        let stopping = self.tasks.stopping.clone();
        while let Some(Some((stream, place))) =
            stopping.run_until_cancelled(accept(&tcp, &room)).await
        {
            let listener = self.clone();
            self.tasks
                .spawn(async move { listener.serve(stream, place).await });
        }
    }

    async fn serve(self, stream: TcpStream, _place: Place) {
        // Each stage is boxed, so that a connection that waits holds no room for the stages before.
        let Some(stream) = Box::pin(self.handshake(stream)).await else {
            return;
        };
        let outcome = if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
            Box::pin(self.serve_http2(stream)).await
        } else {
            Box::pin(self.serve_http1(stream)).await
        };
        if let Err(error) = outcome {
            tracing::debug!(%error, "a connection broke");
        }
    }

    async fn handshake(&self, stream: TcpStream) -> Option<TlsStream<TcpStream>> {
        // Small answers must not wait for more to send.
        let _ = stream.set_nodelay(true);
        let within = Duration::from_secs(self.limits.handshake_seconds);
        match timeout(within, self.tls.accept(stream)).await {
            Ok(Ok(stream)) => return Some(stream),
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        }
        None
    }

    async fn serve_http1(self, stream: TlsStream<TcpStream>) -> Result<(), hyper::Error> {
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(Duration::from_secs(self.limits.header_seconds))
            .max_buf_size(HEADERS_LEN)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(self.router));
        let mut connection = Box::pin(connection);
        tokio::select! {
            outcome = &mut connection => return outcome,
            () = self.tasks.stopping.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        connection.await
    }

    async fn serve_http2(self, stream: TlsStream<TcpStream>) -> Result<(), hyper::Error> {
        let service = Counted::new(TowerToHyperService::new(self.router));
        let connection = http2::Builder::new(self.tasks.clone())
            .timer(TokioTimer::new())
            .keep_alive_interval(PING)
            .keep_alive_timeout(PING)
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(u32::try_from(HEADERS_LEN).unwrap_or(u32::MAX))
            .serve_connection(TokioIo::new(stream), service.clone());
        let mut connection = Box::pin(connection);
        let silence = Duration::from_secs(self.limits.header_seconds);
        tokio::select! {
            outcome = &mut connection => return outcome,
            () = service.idle_for(silence) => {}
            () = self.tasks.stopping.cancelled() => {}
        }
        connection.as_mut().graceful_shutdown();
        // Who never finishes its headers or never reads its answers is not waited for.
        let within = Duration::from_secs(self.limits.body_seconds);
        timeout(within, connection).await.unwrap_or(Ok(()))
    }
}

async fn accept(tcp: &TcpListener, room: &Room) -> Option<(TcpStream, Place)> {
    loop {
        let permit = room.any().await?;
        match tcp.accept().await {
            Ok((stream, peer)) => {
                if let Some(place) = room.take(permit, peer.ip()) {
                    return Some((stream, place));
                }
                tracing::debug!("an address has too many connections");
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(BREATH).await;
            }
        }
    }
}
