//! `connectctl events list`

use clap::Args;
use connect_api::events::{self, Event, EventBody, ListParams};

use crate::context::Context;
use crate::error::Error;
use crate::paging::{self, Paging};
use crate::{escape, target, time, words};

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Begin behind this event. Left out: with the oldest that is kept.
    #[arg(long, value_name = "ID")]
    after: Option<u64>,
    #[command(flatten)]
    paging: Paging,
}

pub(crate) async fn run(args: List, context: &Context) -> Result<(), Error> {
    let fetch = |after| {
        let limit = args.paging.limit;
        context
            .client
            .call::<events::List>(ListParams { after, limit })
    };
    let pages = paging::read(&context.out, args.paging.all, args.after, fetch).await?;
    pages.show(&context.out, "No events.", |items| {
        items.iter().map(describe).collect::<Vec<_>>().join("\n")
    })
}

/// An event on one line.
pub(crate) fn describe(event: &Event) -> String {
    let details = match &event.body {
        EventBody::MessageReceived(received) => format!(
            "{}  {}  {}",
            target::show(&received.conversation),
            escape::line(&received.author),
            escape::line(&received.message_id)
        ),
        EventBody::MessageState {
            message_id,
            user_id,
            state,
            reason,
            ..
        } => {
            let why = reason
                .map(|reason| format!(" ({})", words::reason(reason)))
                .unwrap_or_default();
            let state = words::message_state(*state);
            format!(
                "{}  {}  {state}{why}",
                escape::line(user_id),
                escape::line(message_id)
            )
        }
        EventBody::MessageEdited {
            author, message_id, ..
        }
        | EventBody::MessageDeleted {
            author, message_id, ..
        } => {
            format!("{}  {}", escape::line(author), escape::line(message_id))
        }
        EventBody::MessageMissing {
            author,
            first_sequence,
            last_sequence,
            ..
        } => format!(
            "{}  number {first_sequence} to {last_sequence}",
            escape::line(author)
        ),
        EventBody::Typing {
            user_id, active, ..
        } => {
            let what = if *active { "writes" } else { "writes no more" };
            format!("{}  {what}", escape::line(user_id))
        }
        EventBody::MessageQuarantined {
            sender,
            message_id,
            reason,
        } => {
            let told = |id: &Option<String>| escape::line(id.as_deref().unwrap_or("?"));
            format!(
                "{}  {}  {}",
                told(sender),
                told(message_id),
                escape::line(reason)
            )
        }
        EventBody::MessageConflict { sender, message_id } => {
            format!("{}  {}", escape::line(sender), escape::line(message_id))
        }
        EventBody::ContactChanged { user_id } | EventBody::KeyChanged { user_id } => {
            escape::line(user_id)
        }
        EventBody::EventsExpired { from, to } => format!("{from} to {to} are no longer kept"),
        EventBody::Other
        | EventBody::SessionLocked {}
        | EventBody::SessionUnlocked {}
        | EventBody::RelayReachable {}
        | EventBody::RelayUnreachable {}
        | EventBody::InstallationRevoked {} => String::new(),
    };
    let name = words::event_type(&event.body);
    let line = format!(
        "{}  {:>6}  {name:<20}  {details}",
        time::local(event.at_ms),
        event.event_id
    );
    line.trim_end().to_owned()
}
