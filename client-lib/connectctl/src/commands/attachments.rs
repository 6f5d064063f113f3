//! `connectctl attachments …`

pub(crate) mod end;
pub(crate) mod list;
pub(crate) mod save;
pub(crate) mod show;
pub(crate) mod upload;

use clap::{Args, Subcommand};
use connect_api::attachments::{Attachment, AttachmentReason, AttachmentState};

use crate::context::Context;
use crate::error::Error;
use crate::{escape, words};

#[derive(Debug, Args)]
pub(crate) struct Attachments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The files that came and went with messages, newest first.
    List(list::List),
    /// One file, and how far it is.
    Show(show::Show),
    /// Write a file that came with a message to the disk, in clear.
    Save(save::Save),
    /// End an upload or a download. A message whose file is on its way does not go out then.
    Cancel(end::Named),
    /// Remove the daemon's own copy; the relay's can be fetched again within its 30 days.
    Discard(end::Named),
}

pub(crate) async fn run(args: Attachments, context: &Context) -> Result<(), Error> {
    match args.command {
        Command::List(args) => list::run(args, context).await,
        Command::Show(args) => show::run(args, context).await,
        Command::Save(args) => save::run(args, context).await,
        Command::Cancel(args) => end::cancel(args, context).await,
        Command::Discard(args) => end::discard(args, context).await,
    }
}

/// `failed: expired`
pub(crate) fn standing(state: AttachmentState, reason: Option<AttachmentReason>) -> String {
    let state = words::name(&state);
    match reason {
        Some(reason) => format!("{state}: {}", words::name(&reason)),
        None => state,
    }
}

/// On one line below a message.
pub(crate) fn summary(attachment: &Attachment) -> String {
    format!(
        "[{}  {}  {}  {}]  {}",
        escape::line(&attachment.safe_name),
        bytes(attachment.size),
        escape::line(&attachment.media_type),
        standing(attachment.state, attachment.reason),
        escape::line(&attachment.attachment_id),
    )
}

pub(crate) fn bytes(size: u64) -> String {
    indicatif::HumanBytes(size).to_string()
}
