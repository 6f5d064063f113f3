//! `connectctl quarantine …`

pub(crate) mod list;
pub(crate) mod show;

use clap::{Args, Subcommand};

use crate::context::Context;
use crate::error::Error;

#[derive(Debug, Args)]
pub(crate) struct Quarantine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// What was refused and why, the newest first.
    List(list::List),
    /// One of them, with what it says where it opens under a key that proves nothing any more.
    Show(show::Show),
}

pub(crate) async fn run(args: Quarantine, context: &Context) -> Result<(), Error> {
    match args.command {
        Command::List(args) => list::run(args, context).await,
        Command::Show(args) => show::run(args, context).await,
    }
}
