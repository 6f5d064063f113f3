//! `connectctl events …`

pub(crate) mod ack;
pub(crate) mod list;

use clap::{Args, Subcommand};

use crate::context::Context;
use crate::error::Error;

#[derive(Debug, Args)]
pub(crate) struct Events {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The event log, oldest first.
    List(list::List),
    /// Remember up to which event your programs have got: `watch --ack` begins there.
    Ack(ack::Ack),
}

pub(crate) async fn run(args: Events, context: &Context) -> Result<(), Error> {
    match args.command {
        Command::List(args) => list::run(args, context).await,
        Command::Ack(args) => ack::run(args, context).await,
    }
}
