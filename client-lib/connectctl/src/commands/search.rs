//! `connectctl search`

use clap::Args;
use connect_api::conversation::Conversation;
use connect_api::search::{self, Hit, Match, SearchParams};
use owo_colors::Style;

use crate::context::Context;
use crate::error::Error;
use crate::output::Output;
use crate::paging::{self, Paging};
use crate::{escape, target, time};

#[derive(Debug, Args)]
pub(crate) struct Search {
    /// Words that must all occur, beginnings like wor*, and phrases in double quotes: '"exact words"'.
    #[arg(value_name = "QUERY", required = true)]
    query: Vec<String>,
    /// Only in this conversation.
    #[arg(long = "in", value_name = "USER", value_parser = target::parse)]
    conversation: Option<Conversation>,
    #[command(flatten)]
    paging: Paging,
    /// Go on behind this place: `next` of the page before.
    #[arg(long, value_name = "PLACE")]
    after: Option<String>,
}

pub(crate) async fn run(args: Search, context: &Context) -> Result<(), Error> {
    let fetch = |after| {
        context.client.call::<search::Search>(SearchParams {
            query: args.query.join(" "),
            conversation: args.conversation.clone(),
            after,
            limit: args.paging.limit,
        })
    };
    let pages = paging::read(&context.out, args.paging.all, args.after.clone(), fetch).await?;
    pages.show(&context.out, "Nothing found.", |hits| {
        text(&context.out, hits)
    })
}

/// As in every messenger, the newest last.
fn text(out: &Output, hits: &[Hit]) -> String {
    let blocks: Vec<String> = hits.iter().rev().map(|hit| block(out, hit)).collect();
    blocks.join("\n")
}

fn block(out: &Output, hit: &Hit) -> String {
    let author = out.paint(&escape::line(&hit.author), Style::new().bold());
    let rest = format!(
        "{}  {}  {}",
        time::local(hit.sent_ms),
        target::show(&hit.conversation),
        escape::line(&hit.message_id)
    );
    let found = |text: &str| out.paint(text, Style::new().bold().yellow());
    format!(
        "{author}  {}\n    {}",
        out.paint(&rest, Style::new().dimmed()),
        marked(&hit.snippet, &hit.matches, found)
    )
}

/// The snippet on one line, with what was found in it marked. Whatever the places are, every character is shown once.
fn marked(snippet: &str, matches: &[Match], mark: impl Fn(&str) -> String) -> String {
    let letters: Vec<char> = snippet
        .chars()
        .map(|c| {
            if matches!(c, '\n' | '\r' | '\t') {
                ' '
            } else {
                c
            }
        })
        .collect();
    let piece =
        |from: usize, to: usize| escape::line(&letters[from..to].iter().collect::<String>());
    let mut line = String::new();
    let mut shown = 0;
    for found in matches {
        let place = |at: u32| usize::try_from(at).unwrap_or(usize::MAX).min(letters.len());
        let start = place(found.start).max(shown);
        let end = place(found.end).max(start);
        line.push_str(&piece(shown, start));
        line.push_str(&mark(&piece(start, end)));
        shown = end;
    }
    line.push_str(&piece(shown, letters.len()));
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brackets(snippet: &str, places: &[(u32, u32)]) -> String {
        let matches: Vec<Match> = places
            .iter()
            .map(|&(start, end)| Match { start, end })
            .collect();
        marked(snippet, &matches, |found| format!("[{found}]"))
    }

    #[test]
    fn matches_are_marked_by_characters() {
        assert_eq!(brackets("…über 4\nä", &[(1, 5), (8, 9)]), "…[über] 4 [ä]");
    }

    #[test]
    fn a_daemon_that_errs_and_an_author_that_attacks_do_no_harm() {
        assert_eq!(brackets("ab\u{1b}", &[(1, 9), (0, 2)]), "a[b\\u{1b}][]");
    }
}
