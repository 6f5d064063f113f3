//! `connectctl conversations …`

pub(crate) mod export;
pub(crate) mod list;

use clap::{Args, Subcommand};

use crate::context::Context;
use crate::error::Error;

/// `conversations` is short for `conversations list`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Conversations {
    #[command(flatten)]
    list: list::List,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// All conversations, the most recent first (the word "list" may be left out).
    List(list::List),
    /// Write one conversation into a file, in clear: for the record system, or as a page to read and print.
    Export(export::Export),
}

pub(crate) async fn run(args: Conversations, context: &Context) -> Result<(), Error> {
    match args.command {
        Some(Command::List(args)) => list::run(args, context).await,
        Some(Command::Export(args)) => export::run(args, context).await,
        None => list::run(args.list, context).await,
    }
}
