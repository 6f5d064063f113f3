//! `connect-relay operator`: what the hospital's operators do (§10.6).

use clap::Subcommand;
use connect_proto::ids::UserId;
use connect_relay::clock::Clock;
use connect_relay::operator::{OperatorError, issue_code};
use serde_json::json;
use sysexits::ExitCode;

use super::{Failure, StateDir};

/// Administer the users of a relay, running or not.
#[derive(Debug, clap::Args)]
pub(crate) struct Operator {
    #[command(flatten)]
    state: StateDir,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Issue a code with which a user can enroll once, within 24 hours.
    IssueCode {
        /// The user whom the code is for.
        user_id: UserId,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

impl Operator {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.map_err(|error| Failure::new(ExitCode::OsErr, error))?;
        let Command::IssueCode { user_id, json } = self.command;
        // The random source of this process.
        let mut rng = rand_core::OsRng;
        let clock = Clock::system();
        let code = issue_code(&self.state.state_dir, &user_id, &clock, &mut rng);
        let code = runtime.block_on(code).map_err(failure)?;
        print(&code, json);
        Ok(ExitCode::Ok)
    }
}

#[expect(clippy::print_stdout, reason = "what the command was asked for")]
fn print(code: &str, json: bool) {
    if json {
        println!("{}", json!({ "code": code }));
    } else {
        println!("{code}");
    }
}

fn failure(error: OperatorError) -> Failure {
    let code = match error {
        OperatorError::NotInitialised(_) => ExitCode::Config,
        OperatorError::Store(_) => ExitCode::IoErr,
    };
    Failure::new(code, error)
}
