//! `connectctl account …`

pub(crate) mod enroll;
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
}

pub(crate) async fn run(args: Account, context: &Context) -> Result<(), Error> {
    match args.command {
        Command::Enroll(args) => enroll::run(*args, context).await,
        Command::Show(args) => show::run(args, context).await,
    }
}
