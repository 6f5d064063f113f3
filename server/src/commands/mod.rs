//! The command line: one subcommand per file.

mod completions;
mod init;
mod operator;
mod run;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use sysexits::ExitCode;

/// The reference relay of Connect: store and forward, key directory, operators.
#[derive(Debug, Parser)]
#[command(name = "connect-relay", version)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Init),
    Run(run::Run),
    Operator(operator::Operator),
    Completions(completions::Completions),
}

/// Where the relay keeps its keys and its database.
#[derive(Debug, Args)]
struct StateDir {
    /// Where the relay keeps its keys and its database.
    #[arg(long, env = "CONNECT_RELAY_STATE_DIR", value_name = "DIR")]
    state_dir: PathBuf,
}

impl Arguments {
    pub(crate) fn run(self) -> ExitCode {
        let outcome = match self.command {
            Command::Init(command) => command.run(),
            Command::Run(command) => command.run(),
            Command::Operator(command) => command.run(),
            Command::Completions(command) => command.run(),
        };
        outcome.unwrap_or_else(Failure::report)
    }
}

/// What the command says at its end when it did not succeed.
struct Failure {
    code: ExitCode,
    message: String,
}

impl Failure {
    fn new(code: ExitCode, error: impl std::fmt::Display) -> Self {
        Self {
            code,
            message: error.to_string(),
        }
    }

    #[expect(clippy::print_stderr, reason = "the command's own last word")]
    fn report(self) -> ExitCode {
        eprintln!("connect-relay: {}", self.message);
        self.code
    }
}
