//! The `connectd` command.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use connect_service::chance::Chance;
use connect_service::clock::Clock;
use connect_service::error::Error;
use connect_vault::vault::KdfCost;
use connectd::config::{self, Overrides};
use connectd::host;
use connectd::lifecycle::{self, StartError};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// The agent that holds the keys of a Connect account and answers JSON-RPC on a socket.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run until SIGTERM or Ctrl-C.
    Run(Run),
    /// Let the PIN be tried again after nine wrong attempts, as an administrator, while connectd is stopped.
    ResetAttempts(ResetAttempts),
    /// Print the contract on the socket as an OpenRPC document.
    Openrpc,
}

#[derive(Debug, clap::Args)]
struct Run {
    /// Where keys and database lie [default: $STATE_DIRECTORY, /var/lib/connectd for root, or the user's state
    /// directory]
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// The socket to answer on [default: in $RUNTIME_DIRECTORY, /run/connectd for root, or $XDG_RUNTIME_DIR/connectd]
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// The configuration file [default: connectd.toml in $CONFIGURATION_DIRECTORY, /etc/connectd for root, or the
    /// user's configuration directory, where it is there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// What to log, e.g. `info` or `connect_service=debug`; content is never logged.
    #[arg(
        long,
        value_name = "FILTER",
        env = "CONNECTD_LOG",
        default_value = "info"
    )]
    log: String,
}

#[derive(Debug, clap::Args)]
struct ResetAttempts {
    /// As of `run`.
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// As of `run`.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

fn main() -> ExitCode {
    connect_points::set_up();
    match Cli::parse().command {
        Command::Openrpc => openrpc(),
        Command::Run(run) => told(run_to_the_end(run)),
        Command::ResetAttempts(args) => told(reset_attempts(args)),
    }
}

#[expect(clippy::print_stdout, reason = "the document is what was asked for")]
fn openrpc() -> ExitCode {
    let document = connect_api::openrpc::document(env!("CARGO_PKG_VERSION"));
    println!("{document:#}");
    ExitCode::SUCCESS
}

/// A reason to stop, and what the exit code says of it.
#[derive(Debug)]
struct Stop {
    code: sysexits::ExitCode,
    message: String,
}

#[expect(
    clippy::print_stderr,
    reason = "whoever started it reads why it did not run"
)]
fn told(outcome: Result<(), Stop>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => {
            eprintln!("connectd: {}", stop.message);
            stop.code.into()
        }
    }
}

fn load(overrides: Overrides) -> Result<config::Config, Stop> {
    config::load(overrides).map_err(|error| Stop {
        code: sysexits::ExitCode::Config,
        message: error.to_string(),
    })
}

fn reset_attempts(args: ResetAttempts) -> Result<(), Stop> {
    let config = load(Overrides {
        state_dir: args.state_dir,
        // None is listened on.
        socket: Some(PathBuf::new()),
        config: args.config,
    })?;
    lifecycle::reset_attempts(config).map_err(|error| Stop {
        code: exit_code(&error),
        message: error.to_string(),
    })
}

fn run_to_the_end(run: Run) -> Result<(), Stop> {
    let filter = EnvFilter::try_new(&run.log).map_err(|error| Stop {
        code: sysexits::ExitCode::Usage,
        message: format!("--log: {error}"),
    })?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let config = load(Overrides {
        state_dir: run.state_dir,
        socket: run.socket,
        config: run.config,
    })?;
    if !host::harden() {
        tracing::warn!("the process can leave a core dump or be traced");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Stop {
            code: sysexits::ExitCode::OsErr,
            message: error.to_string(),
        })?;
    runtime.block_on(live(config))
}

async fn live(config: config::Config) -> Result<(), Stop> {
    let mut end = EndOfLife::listen()?;
    let keystore = config.keystore.kind();
    let daemon = lifecycle::start(
        config,
        KdfCost::production(),
        Clock::system(),
        Chance::system(),
    )
    .await
    .map_err(|error| Stop {
        code: exit_code(&error),
        message: error.to_string(),
    })?;
    tracing::info!(socket = %daemon.endpoint().path().display(), %keystore, "connectd answers");
    notify(&[sd_notify::NotifyState::Ready]);
    end.come().await;
    notify(&[sd_notify::NotifyState::Stopping]);
    daemon.shut_down().await;
    Ok(())
}

fn exit_code(error: &StartError) -> sysexits::ExitCode {
    match error {
        StartError::Keystore(_) | StartError::Session(Error::NotEnrolled) => {
            sysexits::ExitCode::Config
        }
        StartError::Instance(_) | StartError::Listen { .. } => sysexits::ExitCode::Unavailable,
        StartError::Methods => sysexits::ExitCode::Software,
        StartError::Io(_) | StartError::Session(_) => sysexits::ExitCode::IoErr,
    }
}

/// Where no service manager listens, nothing is told.
fn notify(state: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(kind = ?error.kind(), "the service manager was not told");
    }
}

/// What ends the daemon, listened for from the start: no signal finds it deaf.
struct EndOfLife {
    terminate: Signal,
    interrupt: Signal,
}

impl EndOfLife {
    fn listen() -> Result<Self, Stop> {
        let listen = |kind| {
            signal(kind).map_err(|error| Stop {
                code: sysexits::ExitCode::OsErr,
                message: error.to_string(),
            })
        };
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    async fn come(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
