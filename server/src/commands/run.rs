//! `connect-relay run`: serves until it is told to stop.

use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;

use connect_relay::clock::Clock;
use connect_relay::lock::LockError;
use connect_relay::operator::listener::ListenError;
use connect_relay::relay::{ChunkError, Relay, RelayConfig, StartError, start};
use connect_relay::settings::Settings;
use sysexits::ExitCode;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::{Failure, StateDir};

/// Serve clients until SIGTERM or SIGINT.
#[derive(Debug, clap::Args)]
pub(crate) struct Run {
    #[command(flatten)]
    state: StateDir,
    /// Address and port to listen on; port 0 takes a free one.
    #[arg(long, env = "CONNECT_RELAY_LISTEN", value_name = "ADDR")]
    listen: SocketAddr,
    /// What to log, such as `info` or `connect_relay=debug`.
    #[arg(long, env = "RUST_LOG", default_value = "info", value_name = "FILTER")]
    log: String,
}

impl Run {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let Self { state, listen, log } = self;
        let log = EnvFilter::try_new(log).map_err(|error| Failure::new(ExitCode::Usage, error))?;
        tracing_subscriber::fmt()
            .with_env_filter(log)
            .with_writer(std::io::stderr)
            .with_ansi(std::io::stderr().is_terminal())
            .init();
        let settings = Settings::load(&state.state_dir).map_err(|error| failure(&error.into()))?;
        let config = RelayConfig {
            state_dir: state.state_dir,
            listen,
            clock: Clock::system(),
            limits: settings.limits,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build();
        let runtime = runtime.map_err(|error| Failure::new(ExitCode::OsErr, error))?;
        runtime.block_on(serve(config))
    }
}

async fn serve(config: RelayConfig) -> Result<ExitCode, Failure> {
    let os = |error| Failure::new(ExitCode::OsErr, error);
    let mut terminate = signal(SignalKind::terminate()).map_err(os)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(os)?;
    let relay = start(config).await.map_err(|error| failure(&error))?;
    announce(&relay).map_err(os)?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = relay.broken() => return Err(Failure::new(ExitCode::Software, "the writer of the database ended")),
    }
    tracing::info!("stopping");
    relay.shutdown().await;
    Ok(ExitCode::Ok)
}

/// One line, so that whoever started the relay knows that it is ready, and where.
fn announce(relay: &Relay) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "listening on {}", relay.local_addr())?;
    stdout.flush()
}

fn failure(error: &StartError) -> Failure {
    let code = match error {
        StartError::Lock(LockError::Taken(_))
        | StartError::Listen(..)
        | StartError::Operators(ListenError::Taken(_) | ListenError::Address(..)) => {
            ExitCode::Unavailable
        }

        StartError::Operators(_)
        | StartError::Settings(_)
        | StartError::Identity(_)
        | StartError::Tls(_)
        | StartError::Chunks(ChunkError::Setting(_) | ChunkError::File(..)) => ExitCode::Config,
        StartError::Chunks(ChunkError::Directory(..)) | StartError::Lock(LockError::File(..)) => {
            ExitCode::CantCreat
        }
        StartError::Chunks(_) | StartError::Store(_) => ExitCode::IoErr,
    };
    Failure::new(code, error)
}
