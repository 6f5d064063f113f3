//! Where operators come in: a Unix socket of the relay's own, and where configured TLS with client certificates.

use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::api::{Office, Peer, router};
use super::certificates::Doorman;
use crate::http::App;
use crate::listener::Tasks;
use crate::settings::Operators;

const CONNECTIONS: usize = 64;
const HEADERS: Duration = Duration::from_secs(10);
/// One connection serves a few orders, and is not kept for ever.
const LONGEST: Duration = Duration::from_mins(5);
const BREATH: Duration = Duration::from_millis(100);

/// The operators' listener cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    #[error("another relay listens on {0} for operators")]
    Taken(PathBuf),
    #[error("{0} is there and no socket: move it away")]
    NoSocket(PathBuf),
    #[error("cannot listen on {0} for operators: {1}")]
    Socket(PathBuf, std::io::Error),
    #[error("cannot listen on {0} for operators: {1}")]
    Address(std::net::SocketAddr, std::io::Error),
    #[error("operators.client_ca: {0}")]
    ClientCa(String),
}

/// The socket, bound and with its final mode from its first moment on.
#[derive(Debug)]
pub(crate) struct Door {
    socket: UnixListener,
    own_uid: u32,
    remote: Option<(TcpListener, Doorman)>,
}

impl Door {
    /// Bound beside its place and moved there: nobody connects before it has its mode, and no live socket is deleted.
    pub(crate) async fn open(
        path: &Path,
        settings: &Operators,
        state_dir: &Path,
    ) -> Result<Self, ListenError> {
        let failed = |error| ListenError::Socket(path.to_owned(), error);
        if let Ok(there) = std::fs::symlink_metadata(path) {
            if !there.file_type().is_socket() {
                return Err(ListenError::NoSocket(path.to_owned()));
            }
            if UnixStream::connect(path).await.is_ok() {
                return Err(ListenError::Taken(path.to_owned()));
            }
        }
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        let beside = PathBuf::from(beside);
        let _ = std::fs::remove_file(&beside);
        let socket = UnixListener::bind(&beside).map_err(failed)?;
        let mode = if settings.group { 0o660 } else { 0o600 };
        std::fs::set_permissions(&beside, PermissionsExt::from_mode(mode)).map_err(failed)?;
        let own_uid = std::fs::metadata(&beside).map_err(failed)?.uid();
        std::fs::rename(&beside, path).map_err(failed)?;
        Ok(Self {
            socket,
            own_uid,
            remote: remote(settings, state_dir).await?,
        })
    }

    /// Where operators reach it over the network.
    pub(crate) fn remote_addr(&self) -> Option<std::net::SocketAddr> {
        self.remote.as_ref()?.0.local_addr().ok()
    }

    /// Serves until the relay stops.
    pub(crate) fn serve(self, app: Arc<App>, four_eyes: bool, tasks: &Tasks) {
        let router = router(Arc::new(Office {
            app,
            four_eyes,
            own_uid: self.own_uid,
        }));
        // A room for each: a crowd from elsewhere keeps nobody out who stands at the machine.
        let room = Arc::new(Semaphore::new(CONNECTIONS));
        if let Some((tcp, doorman)) = self.remote {
            let (router, room) = (router.clone(), Arc::new(Semaphore::new(CONNECTIONS)));
            tasks.spawn(serve_remote(tcp, doorman, router, room, tasks.clone()));
        }
        tasks.spawn(serve_local(self.socket, router, room, tasks.clone()));
    }
}

async fn remote(
    settings: &Operators,
    state_dir: &Path,
) -> Result<Option<(TcpListener, Doorman)>, ListenError> {
    let Some(address) = settings.listen else {
        return Ok(None);
    };
    let doorman = Doorman::new(state_dir, settings.client_ca.as_deref())?;
    let tcp = TcpListener::bind(address).await;
    let tcp = tcp.map_err(|error| ListenError::Address(address, error))?;
    Ok(Some((tcp, doorman)))
}

async fn serve_local(socket: UnixListener, router: Router, room: Arc<Semaphore>, tasks: Tasks) {
    let stopping = tasks.stopping.clone();
    while let Ok(place) = Arc::clone(&room).acquire_owned().await {
        let Some(accepted) = stopping.run_until_cancelled(socket.accept()).await else {
            return;
        };
        let Some(stream) = accepted_or_breath(accepted.map(|(stream, _)| stream)).await else {
            continue;
        };
        let Ok(credentials) = stream.peer_cred() else {
            continue;
        };
        let peer = Peer::Local(credentials.uid());
        let connection = serve(stream, router.clone(), peer, tasks.clone());
        tasks.spawn(async move {
            let _place = place;
            connection.await;
        });
    }
}

async fn serve_remote(
    tcp: TcpListener,
    doorman: Doorman,
    router: Router,
    room: Arc<Semaphore>,
    tasks: Tasks,
) {
    let stopping = tasks.stopping.clone();
    while let Ok(place) = Arc::clone(&room).acquire_owned().await {
        let Some(accepted) = stopping.run_until_cancelled(tcp.accept()).await else {
            return;
        };
        let Some(stream) = accepted_or_breath(accepted.map(|(stream, _)| stream)).await else {
            continue;
        };
        let (doorman, router, all) = (doorman.clone(), router.clone(), tasks.clone());
        tasks.spawn(async move {
            let _place = place;
            if let Some((stream, peer)) = doorman.admit(stream, HEADERS).await {
                serve(stream, router, peer, all).await;
            }
        });
    }
}

async fn accepted_or_breath<S>(accepted: std::io::Result<S>) -> Option<S> {
    match accepted {
        Ok(stream) => Some(stream),
        Err(error) => {
            tracing::warn!(%error, "cannot accept an operator's connection");
            sleep(BREATH).await;
            None
        }
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    peer: Peer,
    tasks: Tasks,
) {
    let service = TowerToHyperService::new(router.layer(Extension(peer)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = Box::pin(connection);
    let served = async {
        tokio::select! {
            outcome = &mut connection => return outcome,
            () = tasks.stopping.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        connection.await
    };
    if let Ok(Err(error)) = timeout(LONGEST, served).await {
        tracing::debug!(%error, "an operator's connection broke");
    }
}
