//! `connectctl messages show`

use clap::Args;
use connect_api::messages::{self, Message, MessageParams};

use crate::commands::attachments;
use crate::context::Context;
use crate::error::Error;
use crate::output::Output;
use crate::table::Table;
use crate::{escape, table, target, time, words};

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The message's id.
    #[arg(value_name = "ID")]
    message_id: String,
}

pub(crate) async fn run(args: Show, context: &Context) -> Result<(), Error> {
    let params = MessageParams {
        message_id: args.message_id,
    };
    let message = context.call::<messages::Get>(params).await?;
    context
        .out
        .answer(&message, || text(&context.out, &message))
}

fn text(out: &Output, message: &Message) -> String {
    let mut pairs = vec![
        ("message", escape::line(&message.message_id)),
        ("conversation", target::show(&message.conversation)),
        ("author", escape::line(&message.author)),
        ("written", time::local(message.sent_ms)),
        ("stored", time::local(message.stored_ms)),
        ("state", words::standing(message)),
    ];
    pairs.extend(
        message
            .reply_to
            .as_ref()
            .map(|id| ("reply to", escape::line(id))),
    );
    pairs.extend(
        message
            .client_ref
            .as_ref()
            .map(|name| ("client ref", escape::line(name))),
    );
    let mut parts = vec![table::pairs(out, &pairs)];
    if !message.recipients.is_empty() {
        parts.push(recipients(out, message));
    }
    parts.extend(message.attachment.as_ref().map(attachments::summary));
    parts.push(escape::lines(&message.text));
    parts.join("\n\n")
}

fn recipients(out: &Output, message: &Message) -> String {
    let mut table = Table::new(&["RECIPIENT", "STATE", "SINCE", "REASON"]);
    for recipient in &message.recipients {
        table.row([
            escape::line(&recipient.user_id),
            words::message_state(recipient.state),
            time::local(recipient.changed_ms),
            recipient.reason.map(words::reason).unwrap_or_default(),
        ]);
    }
    table.render(out)
}
