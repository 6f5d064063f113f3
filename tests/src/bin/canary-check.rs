//! Searches what a canary run has left for everything that its stories kept secret. Ends with 1 where it finds some.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use connect_tests::canary::search;

/// In bytes: the whole suite logs more than that.
const LOGGED_AT_LEAST: u64 = 5_000_000;

/// Search the logs, errors and files of a canary run for the secrets of its stories.
#[derive(Debug, Parser)]
struct Cli {
    /// What CONNECT_TESTS_CANARY was.
    dir: PathBuf,
    /// The run was of some stories only: it may have logged little, and not every kind of secret.
    #[arg(long)]
    part: bool,
}

fn main() -> Result<ExitCode> {
    let cli = Cli::parse();
    let whole = (!cli.part).then_some(LOGGED_AT_LEAST);
    let report = search::check(&cli.dir, whole)?;
    let mut out = std::io::stdout().lock();
    for hit in &report.found {
        writeln!(out, "FOUND: {hit}")?;
    }
    writeln!(
        out,
        "{} secrets, {} files with {} MB: {} hits",
        report.secrets,
        report.files,
        report.bytes / 1_000_000,
        report.found.len()
    )?;
    Ok(if report.found.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
