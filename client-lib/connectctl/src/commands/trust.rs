//! `connectctl trust …`

pub(crate) mod compare;
pub(crate) mod decide;
pub(crate) mod import;
pub(crate) mod pending;
pub(crate) mod show;

use clap::{Args, Subcommand};
use connect_api::trust::Decision;

use crate::context::Context;
use crate::error::Error;

#[derive(Debug, Args)]
pub(crate) struct Trust {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The digits and the QR code that you and a contact compare. The contact sees the same.
    Show(show::Show),
    /// Compare what the contact shows with what is shown here. Ends with 65 where it is not the same.
    Compare(compare::Compare),
    /// Accept a contact's new key without a comparison: what waits goes out.
    Accept(decide::Decide),
    /// Decide against a contact's key: what waits fails, and what comes under the key is put aside.
    Reject(decide::Decide),
    /// Verify many contacts by a file that an organisation signed.
    Import(import::Import),
    /// Contacts whose key waits for a decision, or was decided against.
    Pending(pending::Pending),
}

pub(crate) async fn run(args: Trust, context: &Context) -> Result<(), Error> {
    match args.command {
        Command::Show(args) => show::run(args, context).await,
        Command::Compare(args) => compare::run(args, context).await,
        Command::Accept(args) => decide::run(args, Decision::Accept, context).await,
        Command::Reject(args) => decide::run(args, Decision::Reject, context).await,
        Command::Import(args) => import::run(args, context).await,
        Command::Pending(args) => pending::run(args, context).await,
    }
}
