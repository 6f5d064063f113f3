//! The subcommands: one file each, all of the same form.

pub(crate) mod account;
pub(crate) mod call;
pub(crate) mod completions;
pub(crate) mod contacts;
pub(crate) mod conversations;
pub(crate) mod events;
pub(crate) mod health;
pub(crate) mod hello;
pub(crate) mod lock;
pub(crate) mod messages;
pub(crate) mod openrpc;
pub(crate) mod send;
pub(crate) mod unlock;
pub(crate) mod watch;

use crate::cli::Command;
use crate::context::Context;
use crate::error::Error;

pub(crate) async fn run(command: Command, context: &Context) -> Result<(), Error> {
    match command {
        Command::Hello(args) => hello::run(args, context).await,
        Command::Health(args) => health::run(args, context).await,
        Command::Unlock(args) => unlock::run(args, context).await,
        Command::Lock(args) => lock::run(args, context).await,
        Command::Account(args) => account::run(args, context).await,
        Command::Contacts(args) => contacts::run(args, context).await,
        Command::Conversations(args) => conversations::run(args, context).await,
        Command::Send(args) => send::run(args, context).await,
        Command::Messages(args) => messages::run(args, context).await,
        Command::Watch(args) => watch::run(args, context).await,
        Command::Events(args) => events::run(args, context).await,
        Command::Openrpc(args) => openrpc::run(args, context).await,
        Command::Call(args) => call::run(args, context).await,
        Command::Completions(args) => completions::run(args, context),
    }
}
