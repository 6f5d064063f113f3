//! `connectctl messages list`

use clap::Args;
use connect_api::conversation::Conversation;
use connect_api::messages::{self, ListParams, MarkReadParams, Message};
use connect_api::page::Page;
use owo_colors::Style;

use crate::commands::attachments;
use crate::context::Context;
use crate::error::Error;
use crate::output::Output;
use crate::paging::{self, Paging};
use crate::{escape, target, time, words};

#[derive(Debug, Args)]
pub(crate) struct List {
    /// The user's id, or user:ID, group:ID, case:ID.
    // Required, except where `messages` goes on to a subcommand: hence the option.
    #[arg(value_name = "USER", value_parser = target::parse, required = true)]
    conversation: Option<Conversation>,
    #[command(flatten)]
    paging: Paging,
    /// Go on behind this place: `next` of the page before.
    #[arg(long, value_name = "ID")]
    after: Option<String>,
    /// Tell the daemon that these messages were read.
    #[arg(long)]
    mark_read: bool,
}

pub(crate) async fn run(args: List, context: &Context) -> Result<(), Error> {
    let conversation = args
        .conversation
        .ok_or_else(|| Error::Usage("which conversation? connectctl messages USER".into()))?;
    let newest = std::cell::RefCell::new(None);
    let fetch = async |after| {
        let params = ListParams {
            conversation: conversation.clone(),
            before: None,
            after,
            limit: args.paging.limit,
        };
        let page: Page<Message> = context.client.call::<messages::List>(params).await?;
        // The newest comes first, on the first page.
        let first = page.items.first().map(|message| message.message_id.clone());
        newest.borrow_mut().get_or_insert(first);
        Ok(page)
    };
    let pages = paging::read(&context.out, args.paging.all, args.after.clone(), fetch).await?;
    pages.show(&context.out, "No messages yet.", |items| {
        text(&context.out, items)
    })?;
    if let (true, Some(up_to)) = (args.mark_read, newest.take().flatten()) {
        let params = MarkReadParams {
            conversation,
            up_to,
        };
        context.call::<messages::MarkRead>(params).await?;
    }
    Ok(())
}

/// As in every messenger, the newest last.
fn text(out: &Output, messages: &[Message]) -> String {
    let blocks: Vec<String> = messages
        .iter()
        .rev()
        .map(|message| block(out, message))
        .collect();
    blocks.join("\n")
}

pub(crate) fn block(out: &Output, message: &Message) -> String {
    let author = out.paint(&escape::line(&message.author), Style::new().bold());
    let rest = format!(
        "{}  {}  {}",
        time::local(message.sent_ms),
        words::standing(message),
        escape::line(&message.message_id)
    );
    let mut block = format!("{author}  {}", out.paint(&rest, Style::new().dimmed()));
    let shown = message.attachment.as_ref().map(attachments::summary);
    for text in shown.into_iter().chain([escape::lines(&message.text)]) {
        if !text.is_empty() {
            block.push('\n');
            block.push_str(&indented(&text));
        }
    }
    block
}

/// So that no text can pass for the head of another message.
fn indented(text: &str) -> String {
    text.lines()
        .map(|line| format!("    {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}
