//! `connect-relay operator`: what the hospital's operators do (§5.2, §10.6); one subcommand per file.

mod accounts;
mod attest;
mod audit;
mod credentials;
mod four_eyes;
mod issue_code;
mod revoke;

use std::path::PathBuf;

use clap::Subcommand;
use connect_relay::clock::Clock;
use connect_relay::operator::client::{Answer, Badge, Desk, OperatorError};
use connect_relay::operator::order::{OperatorName, Order};
use connect_relay::operator::refused::OrderRefused;
use connect_relay::operator::token::Token;
use sysexits::ExitCode;

use super::{Failure, StateDir};

/// Administer the users of a relay, running or not.
///
/// Whoever may open the state directory issues codes and administers credentials. Everything else is done under a
/// credential's name: --as NAME, and its token in CONNECT_RELAY_OPERATOR_TOKEN or in a file.
#[derive(Debug, clap::Args)]
pub(crate) struct Operator {
    #[command(flatten)]
    state: StateDir,
    /// The credential under whose name to act.
    // Not by the id of its field: subcommands have a NAME of their own.
    #[arg(id = "as", long, global = true, value_name = "NAME")]
    name: Option<OperatorName>,
    /// The file with its token, instead of CONNECT_RELAY_OPERATOR_TOKEN.
    #[arg(long, global = true, value_name = "FILE", requires = "as")]
    token_file: Option<PathBuf>,
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    IssueCode(issue_code::IssueCode),
    Show(accounts::Show),
    Attest(attest::Attest),
    WithdrawAttestation(attest::WithdrawAttestation),
    RevokeKeys(revoke::RevokeKeys),
    DeleteAccount(revoke::DeleteAccount),
    Pending(four_eyes::Pending),
    Confirm(four_eyes::Confirm),
    Cancel(four_eyes::Cancel),
    Add(credentials::Add),
    List(credentials::List),
    Remove(credentials::Remove),
    Audit(audit::Audit),
}

/// What every subcommand needs.
struct Context {
    state_dir: PathBuf,
    badge: Option<Badge>,
    clock: Clock,
    json: bool,
}

impl Context {
    async fn give(&self, order: &Order) -> Result<Answer, Failure> {
        let desk = Desk::open(&self.state_dir).map_err(failure)?;
        let answer = desk.give(order, self.badge.as_ref(), &self.clock).await;
        answer.map_err(failure)
    }

    /// The answer as JSON, or for people.
    #[expect(clippy::print_stdout, reason = "what the command was asked for")]
    fn print(&self, answer: &Answer, people: impl FnOnce(&Answer) -> String) {
        if self.json {
            let json = serde_json::json!({ "result": answer.result, "log": answer.log });
            println!("{json}");
        } else {
            println!("{}", people(answer));
        }
    }
}

impl Operator {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.map_err(|error| Failure::new(ExitCode::OsErr, error))?;
        let context = Context {
            badge: badge(self.name, self.token_file)?,
            state_dir: self.state.state_dir,
            clock: Clock::system(),
            json: self.json,
        };
        runtime.block_on(self.command.run(&context))
    }
}

impl Command {
    async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        match self {
            Self::IssueCode(command) => command.run(context).await,
            Self::Show(command) => command.run(context).await,
            Self::Attest(command) => command.run(context).await,
            Self::WithdrawAttestation(command) => command.run(context).await,
            Self::RevokeKeys(command) => command.run(context).await,
            Self::DeleteAccount(command) => command.run(context).await,
            Self::Pending(command) => command.run(context).await,
            Self::Confirm(command) => command.run(context).await,
            Self::Cancel(command) => command.run(context).await,
            Self::Add(command) => command.run(context).await,
            Self::List(command) => command.run(context).await,
            Self::Remove(command) => command.run(context).await,
            Self::Audit(command) => command.run(context).await,
        }
    }
}

fn badge(name: Option<OperatorName>, file: Option<PathBuf>) -> Result<Option<Badge>, Failure> {
    let Some(name) = name else { return Ok(None) };
    let text = match file {
        Some(path) => std::fs::read_to_string(&path).map_err(|error| {
            let what = format!("cannot read {}: {error}", path.display());
            Failure::new(ExitCode::NoInput, what)
        })?,
        None => std::env::var("CONNECT_RELAY_OPERATOR_TOKEN").map_err(|_| {
            let what = "--as needs the token in CONNECT_RELAY_OPERATOR_TOKEN or in --token-file";
            Failure::new(ExitCode::Usage, what)
        })?,
    };
    let token = Token::from_text(&text);
    Ok(Some(Badge { name, token }))
}

fn failure(error: OperatorError) -> Failure {
    let code = match error {
        OperatorError::NotInitialised(_) | OperatorError::Identity(_) => ExitCode::Config,
        OperatorError::Store(_) => ExitCode::IoErr,
        OperatorError::Lock(_) => ExitCode::CantCreat,
        OperatorError::Forbidden(..) => ExitCode::NoPerm,
        OperatorError::Refused(refused) => refusal(refused),
        OperatorError::NoSocket(_) | OperatorError::BrokenOff(_) => ExitCode::Unavailable,
        OperatorError::Odd(429 | 503, _) => ExitCode::TempFail,
        OperatorError::Odd(..) => ExitCode::Protocol,
    };
    Failure::new(code, error)
}

fn refusal(refused: OrderRefused) -> ExitCode {
    match refused {
        OrderRefused::CredentialNeeded
        | OrderRefused::WrongCredential
        | OrderRefused::NotPermitted
        | OrderRefused::HostOnly
        | OrderRefused::SameOperator => ExitCode::NoPerm,
        OrderRefused::UnknownUser => ExitCode::NoUser,
        _ => ExitCode::DataErr,
    }
}
