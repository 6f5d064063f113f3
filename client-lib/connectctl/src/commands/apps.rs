//! `connectctl apps …`

pub(crate) mod list;
pub(crate) mod pair;
pub(crate) mod revoke;

use clap::{Args, Subcommand};

use crate::context::Context;
use crate::error::Error;

#[derive(Debug, Args)]
pub(crate) struct Apps {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Let a program in, and make its token.
    Pair(pair::Pair),
    /// Every app that was ever paired.
    List(list::List),
    /// Let an app in no more, and end its connections.
    Revoke(revoke::Revoke),
}

pub(crate) async fn run(args: Apps, context: &Context) -> Result<(), Error> {
    match args.command {
        Command::Pair(args) => pair::run(args, context).await,
        Command::List(args) => list::run(args, context).await,
        Command::Revoke(args) => revoke::run(args, context).await,
    }
}
