//! The sandbox: everything a hospital would run, in one process, with nothing faked between the two clinicians.

mod colleague;
mod house;
mod story;
mod watch;

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use connectd::host;
use house::House;

/// Start a relay, a daemon for you and a colleague's daemon who answers; exchange a message; stay until Ctrl-C.
#[derive(Debug, clap::Parser)]
#[command(name = "connect-sandbox", version)]
pub struct Cli {
    /// Keep everything in this directory, and go on from there the next time [default: a temporary one, removed at
    /// the end]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// End after the first exchange instead of waiting for Ctrl-C
    #[arg(long)]
    once: bool,
    /// What to log on standard error, e.g. `info`
    #[arg(
        long,
        value_name = "FILTER",
        env = "CONNECT_SANDBOX_LOG",
        default_value = "off"
    )]
    log: String,
}

pub async fn run(cli: Cli) -> Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_new(&cli.log).context("--log")?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    host::harden();
    let temporary = match &cli.dir {
        Some(_) => None,
        None => Some(
            tempfile::Builder::new()
                .prefix("connect-sandbox-")
                .tempdir()?,
        ),
    };
    let dir = match (&cli.dir, &temporary) {
        (Some(dir), _) => std::path::absolute(dir)?,
        (None, Some(temporary)) => temporary.path().to_owned(),
        (None, None) => unreachable!("one of the two is there"),
    };
    let house = tokio::select! {
        house = House::open(&dir) => house?,
        _ = tokio::signal::ctrl_c() => return Ok(()),
    };
    let told = tokio::select! {
        told = story::tell(&house) => told,
        _ = tokio::signal::ctrl_c() => Ok(()),
    };
    if told.is_ok() && !cli.once {
        house.tell_what_to_try();
        tokio::select! {
            () = watch::watch(&house) => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    }
    house.close().await;
    told
}
