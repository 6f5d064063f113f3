//! `connectctl messages …`

pub(crate) mod amend;
pub(crate) mod list;
pub(crate) mod show;
pub(crate) mod typing;

use clap::{Args, Subcommand};

use crate::context::Context;
use crate::error::Error;

/// `messages USER` is short for `messages list USER`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Messages {
    #[command(flatten)]
    list: list::List,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A conversation's messages, the newest last (the word "list" may be left out).
    List(list::List),
    /// One message, with its state per recipient.
    Show(show::Show),
    /// Give a message of your own another text.
    Edit(amend::Edit),
    /// Take a message of your own back.
    Delete(amend::Named),
    /// The earlier texts of a message.
    Versions(amend::Named),
    /// Tell somebody that you are writing.
    Typing(typing::Typing),
}

pub(crate) async fn run(args: Messages, context: &Context) -> Result<(), Error> {
    match args.command {
        Some(Command::Show(args)) => show::run(args, context).await,
        Some(Command::Edit(args)) => amend::edit(args, context).await,
        Some(Command::Delete(args)) => amend::delete(args, context).await,
        Some(Command::Versions(args)) => amend::versions(args, context).await,
        Some(Command::Typing(args)) => typing::run(args, context).await,
        Some(Command::List(args)) => list::run(args, context).await,
        None => list::run(args.list, context).await,
    }
}

#[cfg(test)]
impl Messages {
    /// The list that is meant, in whichever way it was said.
    pub(crate) fn into_list(self) -> list::List {
        match self.command {
            Some(Command::List(list)) => list,
            _ => self.list,
        }
    }
}
