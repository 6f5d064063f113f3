//! `connectctl backup …`

pub(crate) mod create;
pub(crate) mod restore;
pub(crate) mod verify;

mod keep;
mod upload;

use clap::{Args, Subcommand};
use connect_api::backup::Contents;

use crate::context::Context;
use crate::error::Error;
use crate::{escape, table, time};

#[derive(Debug, Args)]
pub(crate) struct Backup {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write everything that the daemon has into one encrypted file, which the recovery key opens.
    Create(create::Create),
    /// Look whether a backup would restore: the daemon restores it into a scratch place, compares and removes it.
    Verify(verify::Verify),
    /// Make this daemon, which has no account yet, a new installation with the history of a backup.
    Restore(restore::Restore),
}

pub(crate) async fn run(args: Backup, context: &Context) -> Result<(), Error> {
    match args.command {
        Command::Create(args) => create::run(args, context).await,
        Command::Verify(args) => verify::run(args, context).await,
        Command::Restore(args) => restore::run(args, context).await,
    }
}

/// Tells what is in a backup; a broken audit log is an error in itself.
fn tell(contents: &Contents, context: &Context) -> Result<(), Error> {
    context.out.answer(contents, || {
        let number = |number: u64| number.to_string();
        let audit = if contents.audit.intact {
            format!("{} entries hold", contents.audit.entries)
        } else {
            "does not hold".to_owned()
        };
        table::pairs(
            &context.out,
            &[
                ("user", escape::line(&contents.user_id)),
                ("taken", time::local(contents.taken_at.at_ms)),
                ("up to event", number(contents.taken_at.event_id)),
                ("messages", number(contents.messages)),
                ("contacts", number(contents.contacts)),
                ("conversations", number(contents.conversations)),
                ("queued", number(contents.queued)),
                ("audit log", audit),
            ],
        )
    })?;
    if contents.audit.intact {
        Ok(())
    } else {
        Err(Error::Data(
            "the audit log in the backup was tampered with, or is damaged",
        ))
    }
}
