//! `connectctl audit …`

pub(crate) mod export;
pub(crate) mod list;
pub(crate) mod verify;

use clap::{Args, Subcommand};

use crate::context::Context;
use crate::error::Error;

#[derive(Debug, Args)]
pub(crate) struct Audit {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Who did what, and what came of it.
    List(list::List),
    /// Whether an entry was changed or is missing.
    Verify(verify::Verify),
    /// All entries, one line of JSON each.
    Export(export::Export),
}

pub(crate) async fn run(args: Audit, context: &Context) -> Result<(), Error> {
    match args.command {
        Command::List(args) => list::run(args, context).await,
        Command::Verify(args) => verify::run(args, context).await,
        Command::Export(args) => export::run(args, context).await,
    }
}
