//! `connectctl cases show`: a case on one page.

use clap::Args;
use connect_api::cases::{self, Case, CaseParams, CaseRole, Field, FieldVersion, Participant};
use connect_api::conversation::Conversation;
use connect_api::messages::{self, ListParams, Message};
use owo_colors::Style;
use serde::Serialize;

use super::case_id;
use crate::commands::messages::list::block;
use crate::context::Context;
use crate::error::Error;
use crate::output::Output;
use crate::{escape, table, time, words};

#[derive(Debug, Args)]
pub(crate) struct Show {
    #[arg(value_name = "CASE", value_parser = case_id)]
    case: String,
    /// How many of the newest messages are shown.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=500))]
    messages: u32,
}

#[derive(Debug, Serialize)]
struct Page {
    #[serde(flatten)]
    case: Case,
    /// The newest first.
    messages: Vec<Message>,
}

pub(crate) async fn run(args: Show, context: &Context) -> Result<(), Error> {
    let params = CaseParams {
        case: args.case.clone(),
    };
    let case = context.call::<cases::Get>(params).await?;
    let mut page = Page {
        case,
        messages: Vec::new(),
    };
    if args.messages > 0 {
        let params = ListParams {
            conversation: Conversation::Case(args.case),
            before: None,
            after: None,
            limit: Some(args.messages),
        };
        page.messages = context.call::<messages::List>(params).await?.items;
    }
    context.out.answer(&page, || text(&context.out, &page))
}

fn text(out: &Output, page: &Page) -> String {
    let case = &page.case;
    let mut head = vec![
        ("title", escape::line(&case.title)),
        ("case", escape::line(&case.case)),
    ];
    if let Some(reference) = &case.patient_reference {
        head.push(("patient", escape::line(reference)));
    }
    head.push(("state", words::spaced(&case.state)));
    head.push(("changed", time::local(case.changed_ms)));
    if case.awaits_history {
        head.push(("history", "is still being fetched".to_owned()));
    }
    let mut parts = vec![table::pairs(out, &head)];
    let people = case.participants.iter().map(person).collect::<Vec<_>>();
    parts.push(section(out, "Participants", &people));
    let fields = case.fields.iter().map(|one| field(out, one));
    parts.push(section(out, "Fields", &fields.collect::<Vec<_>>()));
    let messages = page.messages.iter().rev().map(|one| block(out, one));
    parts.push(section(
        out,
        "Latest messages",
        &messages.collect::<Vec<_>>(),
    ));
    parts.retain(|part| !part.is_empty());
    parts.join("\n\n")
}

fn section(out: &Output, title: &str, lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let title = out.paint(title, Style::new().bold().underline());
    format!("{title}\n{}", lines.join("\n"))
}

fn person(one: &Participant) -> String {
    let mut words = vec![escape::line(&one.user_id)];
    if !one.display_name.is_empty() {
        words.push(escape::line(&one.display_name));
    }
    if one.role == CaseRole::Admin {
        words.push("admin".to_owned());
    }
    words.extend(
        one.trust
            .map(|trust| format!("key {}", words::trust(trust))),
    );
    words.join("  ")
}

fn field(out: &Output, field: &Field) -> String {
    let name = out.paint(&escape::line(&field.name), Style::new().bold());
    let mut lines = vec![name, version(out, &field.newest)];
    if !field.conflicts.is_empty() {
        let warning = "CONFLICT: written at the same time, without knowing of it:";
        lines.push(out.paint(warning, Style::new().yellow().bold()));
        lines.extend(field.conflicts.iter().map(|other| version(out, other)));
    }
    lines.join("\n")
}

pub(super) fn version(out: &Output, version: &FieldVersion) -> String {
    let value = match &version.value {
        Some(value) => escape::lines(value),
        None => format!("({}, no text)", escape::line(&version.media_type)),
    };
    let about = format!(
        "revision {} by {}, {}",
        version.revision,
        escape::line(&version.author),
        time::local(version.written_ms)
    );
    let value: Vec<String> = value.lines().map(|line| format!("    {line}")).collect();
    format!(
        "{}\n    {}",
        value.join("\n"),
        out.paint(&about, Style::new().dimmed())
    )
}
