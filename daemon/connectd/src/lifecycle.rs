//! The daemon's life: taken in order, given back in reverse.

use std::io;
use std::sync::Arc;

use connect_ipc::endpoint::Endpoint;
use connect_ipc::socket::{ListenError, listen};
use connect_service::backup::scratch;
use connect_service::chance::Chance;
use connect_service::clock::Clock;
use connect_service::error::Error;
use connect_service::session::{self, Locking, Phase, Session};
use connect_service::{dismissal, idle};
use connect_vault::keystore::KeystoreError;
use connect_vault::vault::KdfCost;
use rand_core::RngCore as _;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{Config, WhenIdle};
use crate::instance::{Instance, InstanceError};
use crate::rpc::context::Context;
use crate::rpc::streams;
use crate::{accept, rpc, unattended};

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the keystore: {0}")]
    Keystore(#[from] KeystoreError),
    #[error(transparent)]
    Instance(#[from] InstanceError),
    #[error("the socket {path}: {error}")]
    Listen { path: String, error: ListenError },
    #[error(
        "session.unattended_pin names a credential, and there is no $CREDENTIALS_DIRECTORY: add LoadCredentialEncrypted= to the unit, or name a file by its absolute path"
    )]
    NoCredentials,
    #[error("{0}")]
    Session(#[from] Error),
    #[error("the methods cannot be registered")]
    Methods,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A running daemon.
#[derive(Debug)]
pub struct Daemon {
    endpoint: Endpoint,
    session: Arc<Session>,
    ending: CancellationToken,
    tasks: TaskTracker,
    /// Given back last.
    instance: Instance,
}

/// Returns once the socket answers.
pub async fn start(
    config: Config,
    kdf_cost: KdfCost,
    clock: Clock,
    mut chance: Chance,
) -> Result<Daemon, StartError> {
    config.keystore.check_given()?;
    let unattended_pin = match &config.session.unattended_pin {
        Some(place) => Some(unattended::settle(place).ok_or(StartError::NoCredentials)?),
        None => None,
    };
    let instance = Instance::take(&config.state_dir)?;
    scratch::sweep(&config.state_dir)?;
    let locking = locking(&config);
    let first_ref = chance.next_u64();
    let session = Arc::new(Session::new(
        session::Config {
            state_dir: config.state_dir,
            keystore: config.keystore,
            kdf_cost,
            locking,
        },
        clock,
        chance,
    ));
    if let Err(error) = session.finish_erasing().await {
        tracing::warn!(%error, "what is left of a deleted account was not removed yet");
    }
    let context = Context::new(
        Arc::clone(&session),
        config.limits,
        config.owner_uids,
        first_ref,
    );
    let context = Arc::new(context.with_organisation_keys(config.organisation_keys));
    let methods = rpc::methods(Arc::clone(&context)).map_err(|_| StartError::Methods)?;
    let listener = listen(&config.endpoint, config.audience)
        .await
        .map_err(|error| StartError::Listen {
            path: config.endpoint.path().display().to_string(),
            error,
        })?;
    let ending = CancellationToken::new();
    let tasks = TaskTracker::new();
    tasks.spawn(streams::tidy(Arc::clone(&context), ending.clone()));
    tasks.spawn(accept::run(listener, context, methods, ending.clone()));
    tasks.spawn(idle::run(Arc::clone(&session), ending.clone()));
    tasks.spawn(dismissal::attend(Arc::clone(&session), ending.clone()));
    if let Some(path) = unattended_pin {
        tasks.spawn(unattended::unlock(Arc::clone(&session), path));
    }
    #[cfg(target_os = "linux")]
    tasks.spawn(crate::logind::run(
        Arc::clone(&session),
        config.session.lock_on,
        ending.clone(),
    ));
    tasks.close();
    Ok(Daemon {
        endpoint: config.endpoint,
        session,
        ending,
        tasks,
        instance,
    })
}

/// A session that nobody would unlock again is not wiped for want of use.
fn locking(config: &Config) -> Locking {
    let covers = config.session.when_idle == WhenIdle::Cover;
    let unattended = config.session.unattended_pin.is_some();
    Locking {
        idle_lock_ms: config
            .limits
            .idle_lock_ms()
            .filter(|_| covers || !unattended),
        covers,
        presence_ms: config.session.presence_ms,
        unattended,
    }
}

/// An administrator gives the owner of a state directory the attempts back, while no daemon runs on it (D23).
pub fn reset_attempts(config: Config) -> Result<(), StartError> {
    let state_dir = config.state_dir.clone();
    let config = session::Config {
        state_dir: config.state_dir,
        keystore: config.keystore,
        kdf_cost: KdfCost::production(),
        locking: Locking::default(),
    };
    let session = Session::new(config, Clock::system(), Chance::system());
    // An administrator makes no directory or lock that the daemon's user could not open later.
    if matches!(session.phase(), Phase::Unenrolled) {
        return Err(Error::NotEnrolled.into());
    }
    let _instance = Instance::take(&state_dir)?;
    Ok(session.reset_attempts()?)
}

impl Daemon {
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// Connections first, then the session with its keys, then the state directory.
    pub async fn shut_down(self) {
        self.ending.cancel();
        self.tasks.wait().await;
        self.session.shut_down().await;
        drop(self.instance);
    }
}
