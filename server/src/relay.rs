//! A running relay: started, asked where it listens, shut down.

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::DropGuard;
use tokio_util::task::TaskTracker;

use crate::authorities::Authorities;
pub use crate::chunks::ChunkError;
use crate::chunks::Chunks;
use crate::clock::Clock;
use crate::counters::Counters;
use crate::http::{self, App, Bodies, Throttle, Transfers};
use crate::identity::{self, InitError};
use crate::limits::Limits;
use crate::listener::{Listener, Tasks};
use crate::lock::{self, LockError};
use crate::operator::listener::{Door, ListenError};
use crate::settings::{Settings, SettingsError};
use crate::store::{Store, StoreError};
use crate::wakes::Wakes;
use crate::{sweep, tls};

/// How long running requests may take to finish at shutdown.
const GRACE: Duration = Duration::from_secs(5);

/// What a relay runs with. Its names are in the `relay.toml` of the state directory.
#[derive(Debug, Clone)]
pub struct RelayConfig {
    pub state_dir: PathBuf,
    /// Port 0 takes a free one.
    pub listen: SocketAddr,
    pub clock: Clock,
    pub limits: Limits,
}

/// The relay does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Identity(#[from] InitError),
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Chunks(#[from] ChunkError),
    #[error(transparent)]
    Operators(#[from] ListenError),
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, std::io::Error),
}

/// A relay that accepts connections. Dropping it stops it; `shutdown` also waits for the end.
#[derive(Debug)]
pub struct Relay {
    local_addr: SocketAddr,
    operators_addr: Option<SocketAddr>,
    app: Arc<App>,
    tasks: Tasks,
    writer: TaskTracker,
    _stop_on_drop: DropGuard,
    _lock: File,
}

/// Starts a relay; when this returns, it accepts connections.
pub async fn start(config: RelayConfig) -> Result<Relay, StartError> {
    let RelayConfig {
        state_dir,
        listen,
        clock,
        limits,
    } = config;
    let settings = Settings::load(&state_dir)?;
    let lock = lock::take(&state_dir).await?;
    let tls = TlsAcceptor::from(tls::server_config(&state_dir)?);
    let secret = identity::read_secret(&state_dir)?;
    let chunks = Chunks::open(&settings.attachments, &state_dir)?;
    let socket = settings.operators_socket(&state_dir);
    let door = Door::open(&socket, &settings.operators, &state_dir).await?;
    let operators_addr = door.remote_addr();
    let mut hosts = settings.hosts;
    hosts.extend(identity::read_leaf(&state_dir.join(identity::CERTIFICATE))?.hosts);
    let refused = |error| StartError::Listen(listen, error);
    let tcp = TcpListener::bind(listen).await.map_err(refused)?;
    let local_addr = tcp.local_addr().map_err(refused)?;

    let tasks = Tasks::default();
    let wakes = Wakes::default();
    // The writer is the last to end: it is counted apart.
    let writer = TaskTracker::new();
    let store = Store::open(&state_dir, wakes.clone(), &writer).await?;
    writer.close();
    let app = Arc::new(App {
        authorities: Authorities::new(&hosts, local_addr.port(), &settings.authorities),
        store,
        throttle: Throttle::new(&limits),
        transfers: Transfers::new(&limits),
        bodies: Bodies::new(limits.bodies_bytes),
        chunks,
        removals: Notify::new(),
        secret: Arc::new(secret),
        limits: limits.clone(),
        clock,
        counters: Counters::default(),
        wakes,
        sweeping: tokio::sync::Mutex::default(),
        stopping: tasks.stopping.clone(),
    });
    let router = http::router(Arc::clone(&app));
    let listener = Listener {
        tls,
        router,
        limits,
        tasks: tasks.clone(),
    };
    door.serve(Arc::clone(&app), settings.operators.four_eyes, &tasks);
    tasks.spawn(listener.run(tcp));
    tasks.spawn(sweep::run(Arc::clone(&app)));
    tasks.spawn(sweep::run_removals(Arc::clone(&app)));
    let stop_on_drop = tasks.stopping.clone().drop_guard();
    Ok(Relay {
        local_addr,
        operators_addr,
        app,
        tasks,
        writer,
        _stop_on_drop: stop_on_drop,
        _lock: lock,
    })
}

impl Relay {
    /// The handlers without TLS and listener.
    #[cfg(fuzzing)]
    pub fn router(&self) -> axum::Router {
        http::router(Arc::clone(&self.app))
    }

    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Where operators are let in over the network, if they are.
    pub fn operators_addr(&self) -> Option<SocketAddr> {
        self.operators_addr
    }

    /// How many long polls wait.
    pub fn waiting(&self) -> usize {
        self.app.wakes.waiting()
    }

    /// Returns if the relay can no longer write: then it is better ended and started again.
    pub async fn broken(&self) {
        self.writer.wait().await;
    }

    /// Removes what is due by the relay's clock, without waiting for the next half minute.
    pub async fn sweep(&self) -> Result<(), sweep::SweepError> {
        sweep::sweep(&self.app).await
    }

    /// Removes chunks of which no row speaks, without waiting for the next day; answers how many there were.
    pub async fn remove_orphans(&self) -> Result<u64, sweep::SweepError> {
        sweep::remove_orphans(&self.app).await
    }

    /// Accepts nothing more, answers long polls with nothing, lets running requests finish for five seconds, and
    /// closes the database.
    pub async fn shutdown(self) {
        let Self {
            app,
            tasks,
            writer,
            _lock: lock,
            ..
        } = self;
        tasks.stopping.cancel();
        tasks.tracker.close();
        if timeout(GRACE, tasks.tracker.wait()).await.is_err() {
            tracing::warn!("requests that did not finish in time are broken off");
            tasks.aborting.cancel();
            tasks.tracker.wait().await;
        }
        app.store.readers().close().await;
        // With the last way to the writer, the writer ends.
        drop(app);
        writer.wait().await;
        drop(lock);
    }
}
