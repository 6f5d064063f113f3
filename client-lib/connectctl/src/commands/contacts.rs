//! `connectctl contacts …`

pub(crate) mod add;
pub(crate) mod list;
pub(crate) mod show;

use clap::{Args, Subcommand};

use crate::context::Context;
use crate::error::Error;

#[derive(Debug, Args)]
pub(crate) struct Contacts {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Look a user up at the relay, and keep the contact.
    Add(add::Add),
    /// One contact, with the fingerprint to compare.
    Show(show::Show),
    /// All contacts.
    List(list::List),
}

pub(crate) async fn run(args: Contacts, context: &Context) -> Result<(), Error> {
    match args.command {
        Command::Add(args) => add::run(args, context).await,
        Command::Show(args) => show::run(args, context).await,
        Command::List(args) => list::run(args, context).await,
    }
}
