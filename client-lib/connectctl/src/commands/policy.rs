//! `connectctl policy …`

pub(crate) mod get;
pub(crate) mod set;

use clap::{Args, Subcommand};

use crate::context::Context;
use crate::error::Error;

#[derive(Debug, Args)]
pub(crate) struct Policy {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// How long messages are kept, and what others are told.
    Get(get::Get),
    /// Settle it anew; what is left out stays.
    Set(set::Set),
}

pub(crate) async fn run(args: Policy, context: &Context) -> Result<(), Error> {
    match args.command {
        Command::Get(args) => get::run(args, context).await,
        Command::Set(args) => set::run(args, context).await,
    }
}
