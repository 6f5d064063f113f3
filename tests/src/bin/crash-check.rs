//! The `crash-check` command: kills relay and daemons at random under load, and tells whether a message suffered.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use connect_tests::crash::{Outcome, Plan, run};
use rand_core::{OsRng, RngCore as _};

/// Kills a relay and three daemons at random under load, and checks that no message was lost, doubled or reordered.
#[derive(Debug, Parser)]
struct Cli {
    /// How many kills.
    #[arg(long, value_name = "N", default_value_t = 200)]
    kills: u64,
    /// Chooses who is killed when; by chance where left out.
    #[arg(long)]
    seed: Option<u64>,
    /// Meet every fail point after the kills. Takes a build with `--features failpoints`.
    #[arg(long)]
    fail_points: bool,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
    /// Keep databases and logs even where nothing is wrong.
    #[arg(long)]
    keep: bool,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match check(&cli) {
        Ok(outcome) => {
            report(&cli, &outcome);
            if outcome.is_sound() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(error) => {
            say(&format!("crash-check: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn check(cli: &Cli) -> Result<Outcome> {
    let seed = cli.seed.unwrap_or_else(|| OsRng.next_u64());
    let plan = Plan {
        fail_points: cli.fail_points,
        ..Plan::new(cli.kills, seed)
    };
    let dir = tempfile::Builder::new().prefix("crash-check-").tempdir()?;
    say(&format!("seed {}, in {}", plan.seed, dir.path().display()));
    let runtime = tokio::runtime::Runtime::new()?;
    let outcome = runtime.block_on(run(&plan, dir.path(), say));
    // Where the run itself failed, what it left says why.
    let keep = cli.keep || !outcome.as_ref().is_ok_and(Outcome::is_sound);
    let kept: Option<PathBuf> = keep.then(|| dir.keep());
    if let Some(kept) = &kept {
        say(&format!("kept in {}", kept.display()));
    }
    Ok(Outcome { kept, ..outcome? })
}

#[expect(clippy::print_stdout, reason = "the outcome is what was asked for")]
fn report(cli: &Cli, outcome: &Outcome) {
    if cli.json {
        println!("{}", outcome.to_json());
    } else {
        print!("{outcome}");
    }
}

#[expect(
    clippy::print_stderr,
    reason = "whoever waits for the outcome sees how far it is"
)]
fn say(line: &str) {
    eprintln!("{line}");
}
