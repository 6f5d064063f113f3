//! `connectctl account …`

pub(crate) mod delete;
pub(crate) mod enroll;
pub(crate) mod profile;
pub(crate) mod rotate_keys;
pub(crate) mod show;

use clap::{Args, Subcommand};

use crate::context::Context;
use crate::error::Error;

#[derive(Debug, Args)]
pub(crate) struct Account {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make keys and register them at the relay with an operator's code.
    Enroll(Box<enroll::Enroll>),
    /// The account, its keys' ids and its relay.
    Show(show::Show),
    /// What others see of the account.
    Profile(profile::Profile),
    /// Put new keys in force; contacts are told, and compare fingerprints anew.
    RotateKeys(rotate_keys::RotateKeys),
    /// Delete the account at the relay, and end this installation.
    Delete(delete::Delete),
}

pub(crate) async fn run(args: Account, context: &Context) -> Result<(), Error> {
    match args.command {
        Command::Enroll(args) => enroll::run(*args, context).await,
        Command::Show(args) => show::run(args, context).await,
        Command::Profile(args) => profile::run(args, context).await,
        Command::RotateKeys(args) => rotate_keys::run(args, context).await,
        Command::Delete(args) => delete::run(args, context).await,
    }
}
