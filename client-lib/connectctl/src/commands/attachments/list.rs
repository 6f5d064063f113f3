//! `connectctl attachments list`

use clap::Args;
use connect_api::attachments::{self, ListParams, Listed};
use connect_api::conversation::Conversation;

use super::{bytes, standing};
use crate::context::Context;
use crate::error::Error;
use crate::output::Output;
use crate::paging::{self, Paging};
use crate::table::Table;
use crate::{escape, target};

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only those of a conversation: the user's id, or user:ID, group:ID, case:ID.
    #[arg(value_name = "USER", value_parser = target::parse)]
    conversation: Option<Conversation>,
    #[command(flatten)]
    paging: Paging,
}

pub(crate) async fn run(args: List, context: &Context) -> Result<(), Error> {
    let fetch = |after| {
        context.client.call::<attachments::List>(ListParams {
            conversation: args.conversation.clone(),
            after,
            limit: args.paging.limit,
        })
    };
    let pages = paging::read(&context.out, args.paging.all, None, fetch).await?;
    pages.show(&context.out, "No attachments yet.", |items| {
        text(&context.out, items)
    })
}

fn text(out: &Output, listed: &[Listed]) -> String {
    let mut table = Table::new(&["ATTACHMENT", "NAME", "SIZE", "TYPE", "STATE", "MESSAGE"]);
    for listed in listed {
        let attachment = &listed.attachment;
        table.row([
            escape::line(&attachment.attachment_id),
            escape::line(&attachment.safe_name),
            bytes(attachment.size),
            escape::line(&attachment.media_type),
            standing(attachment.state, attachment.reason),
            escape::line(&listed.message_id),
        ]);
    }
    table.render(out)
}
