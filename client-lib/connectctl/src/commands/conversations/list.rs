//! `connectctl conversations list`

use clap::Args;
use connect_api::conversations::{self, Summary};

use crate::context::Context;
use crate::error::Error;
use crate::output::Output;
use crate::paging::{self, Paging};
use crate::table::Table;
use crate::{escape, target, time};

/// As much of the last message as fits beside the rest.
const EXCERPT: usize = 40;

#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    paging: Paging,
}

pub(crate) async fn run(args: List, context: &Context) -> Result<(), Error> {
    let fetch = |after| {
        context
            .client
            .call::<conversations::List>(args.paging.params(after))
    };
    let pages = paging::read(&context.out, args.paging.all, None, fetch).await?;
    pages.show(
        &context.out,
        "No conversations yet: connectctl send USER TEXT",
        |items| text(&context.out, items),
    )
}

fn text(out: &Output, conversations: &[Summary]) -> String {
    let mut table = Table::new(&["CONVERSATION", "TITLE", "UNREAD", "LAST", "TEXT"]);
    for summary in conversations {
        let last = summary.last_message.as_ref();
        table.row([
            target::show(&summary.conversation),
            escape::line(&summary.title),
            summary.unread.to_string(),
            last.map(|message| time::local(message.sent_ms))
                .unwrap_or_default(),
            last.map(|message| excerpt(&message.text))
                .unwrap_or_default(),
        ]);
    }
    table.render(out)
}

fn excerpt(text: &str) -> String {
    let first = text.lines().next().unwrap_or_default();
    let short: String = first.chars().take(EXCERPT).collect();
    let is_whole = short.len() == text.trim_end().len();
    format!(
        "{}{}",
        escape::line(&short),
        if is_whole { "" } else { "…" }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_tells_whether_there_is_more() {
        assert_eq!(excerpt("short\n"), "short");
        assert_eq!(excerpt("first\nsecond"), "first…");
        assert_eq!(excerpt(&"ä".repeat(50)), format!("{}…", "ä".repeat(40)));
    }
}
