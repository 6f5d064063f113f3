//! The `connectd` command.

use std::alloc::System;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use connect_service::chance::Chance;
use connect_service::clock::Clock;
use connect_service::error::Error;
use connect_vault::vault::KdfCost;
use connectd::config::{self, Overrides};
use connectd::doctor;
use connectd::host;
use connectd::lifecycle::{self, StartError};
use connectd::offline::{self, OfflineError};
use connectd::organisation::{self, OrganisationError};
use connectd::pin_file;
use connectd::stacks;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;
use zeroizing_alloc::ZeroAlloc;

/// What is given back is overwritten first: libraries keep no watch on the copies that they make of a PIN or a text.
#[global_allocator]
static HEAP: ZeroAlloc<System> = ZeroAlloc(System);

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
    /// Try what protects keys and messages on this host, without PIN or relay, and tell what to do about what does not. Ends
    /// with 1 where something failed.
    Doctor(Doctor),
    /// Print the contract on the socket as an OpenRPC document.
    Openrpc(Openrpc),
    /// The audit log, while no daemon runs; where one does: connectctl audit.
    #[command(subcommand)]
    Audit(Audit),
    /// An organisation's key, whose word verifies many contacts at once; no daemon is needed.
    #[command(subcommand)]
    OrganisationKey(OrganisationKey),
}

#[derive(Debug, Subcommand)]
enum OrganisationKey {
    /// Make one in a new file, and print its public half for trust.organisation_keys in connectd.toml.
    New(KeyFile),
    /// Print its public half.
    Show(KeyFile),
    /// Sign whose keys are whose, and print the file for connectctl trust import.
    Sign(SignList),
}

#[derive(Debug, clap::Args)]
struct KeyFile {
    /// The organisation keeps it to itself.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

#[derive(Debug, clap::Args)]
struct SignList {
    /// As made by new.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The organisation's name, for people.
    #[arg(long, value_name = "NAME")]
    organisation: String,
    /// A number that rises with every file: an older one is refused from then on.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..1 << 53))]
    serial: u64,
    /// For how many days it is taken.
    #[arg(long, value_name = "DAYS", default_value = "30", value_parser = clap::value_parser!(u64).range(1..=3650))]
    valid_days: u64,
    /// On each line a user's id and the key or the fingerprint that connectctl contacts show has; # before a remark.
    #[arg(value_name = "LIST")]
    list: PathBuf,
}

#[derive(Debug, clap::Args)]
struct Openrpc {
    /// Write it for people instead, as pages of Markdown into this directory.
    #[arg(long, value_name = "DIR")]
    markdown: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Audit {
    /// Read all of it and tell, as a line of JSON, whether an entry was changed or is missing. Ends with 65 where one was.
    Verify(Verify),
}

#[derive(Debug, clap::Args)]
struct Verify {
    #[command(flatten)]
    place: Place,
    /// Read the PIN or passphrase from this file; - is standard input. A wrong one counts as an attempt.
    #[arg(long, value_name = "FILE", default_value = "-")]
    pin_file: PathBuf,
}

#[derive(Debug, clap::Args)]
struct Place {
    /// Where keys and database lie [default: $STATE_DIRECTORY, /var/lib/connectd for root, or the user's state
    /// directory]
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// The configuration file [default: connectd.toml in $CONFIGURATION_DIRECTORY, /etc/connectd for root, or the
    /// user's configuration directory, where it is there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct Run {
    #[command(flatten)]
    place: Place,
    /// The socket to answer on [default: in $RUNTIME_DIRECTORY, /run/connectd for root, or $XDG_RUNTIME_DIR/connectd]
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
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
struct Doctor {
    #[command(flatten)]
    place: Place,
    /// The socket to look at [default: as of run]
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// A JSON document instead of lines.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct ResetAttempts {
    #[command(flatten)]
    place: Place,
}

fn main() -> ExitCode {
    connect_points::set_up();
    match Cli::parse().command {
        Command::Openrpc(args) => finish(openrpc(args).map(|()| ExitCode::SUCCESS)),
        Command::Run(run) => finish(run_to_the_end(run).map(|()| ExitCode::SUCCESS)),
        Command::ResetAttempts(args) => finish(reset_attempts(args).map(|()| ExitCode::SUCCESS)),
        Command::Doctor(args) => finish(examine(args)),
        Command::Audit(Audit::Verify(args)) => finish(verify(args)),
        Command::OrganisationKey(args) => {
            finish(organisation_key(args).map(|()| ExitCode::SUCCESS))
        }
    }
}

#[expect(clippy::print_stdout, reason = "the document is what was asked for")]
fn openrpc(args: Openrpc) -> Result<(), Stop> {
    let document = connect_api::openrpc::document(env!("CARGO_PKG_VERSION"));
    let Some(dir) = args.markdown else {
        println!("{document:#}");
        return Ok(());
    };
    let cannot = |path: &Path, error: &io::Error| Stop {
        code: sysexits::ExitCode::CantCreat,
        message: format!("{}: {error}", path.display()),
    };
    std::fs::create_dir_all(&dir).map_err(|error| cannot(&dir, &error))?;
    for page in connect_api::reference::pages(&document) {
        let path = dir.join(&page.file_name);
        std::fs::write(&path, page.text).map_err(|error| cannot(&path, &error))?;
    }
    Ok(())
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
fn finish(ended: Result<ExitCode, Stop>) -> ExitCode {
    match ended {
        Ok(code) => code,
        Err(stop) => {
            eprintln!("connectd: {}", stop.message);
            stop.code.into()
        }
    }
}

fn reset_attempts(args: ResetAttempts) -> Result<(), Stop> {
    // None is listened on.
    let config = load(args.place, Some(PathBuf::new()))?;
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
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
    let config = load(run.place, run.socket)?;
    if !host::harden() {
        tracing::warn!("the process can leave a core dump or be traced");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_keep_alive(stacks::BLOCKING_KEPT)
        .on_thread_stop(stacks::overwrite)
        .enable_all()
        .build()
        .map_err(|error| Stop {
            code: sysexits::ExitCode::OsErr,
            message: error.to_string(),
        })?;
    runtime.block_on(live(config))
}

fn load(place: Place, socket: Option<PathBuf>) -> Result<config::Config, Stop> {
    let overrides = Overrides {
        state_dir: place.state_dir,
        socket,
        config: place.config,
    };
    config::load(overrides).map_err(|error| Stop {
        code: sysexits::ExitCode::Config,
        message: error.to_string(),
    })
}

#[expect(clippy::print_stdout, reason = "the verdict is what was asked for")]
fn verify(args: Verify) -> Result<ExitCode, Stop> {
    let config = load(args.place, None)?;
    host::harden();
    let pin = pin_file::read(&args.pin_file).map_err(|error| Stop {
        code: sysexits::ExitCode::NoInput,
        message: format!("{}: {error}", args.pin_file.display()),
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Stop {
            code: sysexits::ExitCode::OsErr,
            message: error.to_string(),
        })?;
    let verdict = runtime
        .block_on(offline::verify_audit(config, KdfCost::production(), pin))
        .map_err(|error| Stop {
            code: match error {
                OfflineError::Instance(_) => sysexits::ExitCode::Unavailable,
                OfflineError::Service(_) => sysexits::ExitCode::NoPerm,
            },
            message: error.to_string(),
        })?;
    println!("{}", serde_json::json!(verdict));
    Ok(if verdict.intact {
        ExitCode::SUCCESS
    } else {
        sysexits::ExitCode::DataErr.into()
    })
}

#[expect(clippy::print_stdout, reason = "it is what was asked for")]
fn organisation_key(args: OrganisationKey) -> Result<(), Stop> {
    const DAY_MS: u64 = 24 * 3600 * 1000;
    host::harden();
    let made = match args {
        OrganisationKey::New(args) => organisation::make_key(&args.file, &mut Chance::system()),
        OrganisationKey::Show(args) => organisation::public_key(&args.file),
        OrganisationKey::Sign(args) => {
            let issued_ms = Clock::system().now_ms();
            let heading = organisation::Heading {
                organisation: args.organisation,
                serial: args.serial,
                issued_ms,
                valid_until_ms: issued_ms + args.valid_days * DAY_MS,
            };
            organisation::sign(&args.key, heading, &args.list)
                .map(|file| serde_json::json!(file).to_string())
        }
    };
    let line = made.map_err(|error| Stop {
        code: match error {
            OrganisationError::Write { .. } => sysexits::ExitCode::CantCreat,
            OrganisationError::Read { .. } => sysexits::ExitCode::NoInput,
            OrganisationError::Exposed(_) => sysexits::ExitCode::NoPerm,
            OrganisationError::NoKey(_) | OrganisationError::Line(_) => sysexits::ExitCode::DataErr,
        },
        message: error.to_string(),
    })?;
    println!("{line}");
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the report is what was asked for")]
fn examine(args: Doctor) -> Result<ExitCode, Stop> {
    let config = load(args.place, args.socket)?;
    // Tried as the daemon is, which does the same first.
    host::harden();
    let report = doctor::examine(&config);
    if args.json {
        println!("{:#}", serde_json::json!(report));
    } else {
        print!("{}", report.text());
    }
    Ok(if report.healthy {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
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
    let stacks = tokio::spawn(stacks::attend(daemon.session().follow()));
    notify(&[sd_notify::NotifyState::Ready]);
    end.come().await;
    notify(&[sd_notify::NotifyState::Stopping]);
    stacks.abort();
    daemon.shut_down().await;
    Ok(())
}

fn exit_code(error: &StartError) -> sysexits::ExitCode {
    match error {
        StartError::Keystore(_)
        | StartError::NoCredentials
        | StartError::Session(Error::NotEnrolled) => sysexits::ExitCode::Config,
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
