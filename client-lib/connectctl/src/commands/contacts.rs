//! `connectctl contacts …`

pub(crate) mod add;
pub(crate) mod block;
pub(crate) mod list;
pub(crate) mod remove;
pub(crate) mod search;
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
    /// Look for people in the relay's directory.
    Search(search::Search),
    /// Take a contact off the list. The conversation stays.
    Remove(remove::Remove),
    /// Take in nothing more of a contact's; what comes is kept aside, and not answered.
    Block(block::Block),
    /// Take in again what a contact writes, and what came meanwhile.
    Unblock(block::Block),
}

pub(crate) async fn run(args: Contacts, context: &Context) -> Result<(), Error> {
    match args.command {
        Command::Add(args) => add::run(args, context).await,
        Command::Show(args) => show::run(args, context).await,
        Command::List(args) => list::run(args, context).await,
        Command::Search(args) => search::run(args, context).await,
        Command::Remove(args) => remove::run(args, context).await,
        Command::Block(args) => block::run(args, true, context).await,
        Command::Unblock(args) => block::run(args, false, context).await,
    }
}
