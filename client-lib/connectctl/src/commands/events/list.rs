//! `connectctl events list`

use clap::Args;
use connect_api::events::{self, Event, EventBody, ListParams};

use crate::commands::attachments::bytes;
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
fn of_attachment(body: &EventBody) -> String {
    match body {
        EventBody::AttachmentProgress {
            attachment_id,
            transferred,
            size,
            ..
        } => format!(
            "{}  {} of {}",
            escape::line(attachment_id),
            bytes(*transferred),
            bytes(*size)
        ),
        EventBody::AttachmentReady { attachment_id, .. } => escape::line(attachment_id),
        EventBody::AttachmentFailed {
            attachment_id,
            reason,
            ..
        } => format!("{}  {}", escape::line(attachment_id), words::name(reason)),
        _ => String::new(),
    }
}

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
            message_id: Some(message_id),
            ..
        } => format!(
            "{}  {}, sealed to another key",
            escape::line(author),
            escape::line(message_id)
        ),
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
        EventBody::AttachmentProgress { .. }
        | EventBody::AttachmentReady { .. }
        | EventBody::AttachmentFailed { .. } => of_attachment(&event.body),
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
        EventBody::ContactChanged { .. }
        | EventBody::KeyChanged { .. }
        | EventBody::KeyChangeHold { .. }
        | EventBody::KeyRevoked { .. }
        | EventBody::DirectoryContradiction { .. } => of_contact(&event.body),
        EventBody::GroupChanged { .. } => of_group(&event.body),
        EventBody::CaseChanged { .. }
        | EventBody::CaseFieldChanged { .. }
        | EventBody::CaseConflict { .. } => of_case(&event.body),
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

/// What of a group is other than before.
fn of_group(body: &EventBody) -> String {
    let EventBody::GroupChanged {
        conversation,
        what,
        user_id,
        revision,
    } = body
    else {
        return String::new();
    };
    let who = user_id
        .as_deref()
        .map(|user| format!("  {}", escape::line(user)));
    format!(
        "{}  {}{}  revision {revision}",
        target::show(conversation),
        words::spaced(what),
        who.unwrap_or_default()
    )
}

/// Of the events about a case, what they tell.
fn of_case(body: &EventBody) -> String {
    match body {
        EventBody::CaseChanged {
            case,
            author,
            revision,
        } => format!(
            "{}  revision {revision} by {}",
            escape::line(case),
            escape::line(author)
        ),
        EventBody::CaseFieldChanged {
            case,
            name,
            author,
            field_revision,
        } => format!(
            "{}  {}  revision {field_revision} by {}",
            escape::line(case),
            escape::line(name),
            escape::line(author)
        ),
        EventBody::CaseConflict {
            case,
            name,
            author,
            revision,
        } => format!(
            "{}  {}  revision {revision}, also by {}",
            escape::line(case),
            escape::line(name.as_deref().unwrap_or("participants")),
            escape::line(author)
        ),
        _ => String::new(),
    }
}

/// Of the events about a contact, what they tell.
fn of_contact(body: &EventBody) -> String {
    match body {
        EventBody::ContactChanged { user_id } => escape::line(user_id),
        EventBody::KeyChanged {
            user_id,
            trust,
            countersigned,
            ..
        } => {
            let how = match countersigned {
                Some(true) => "  signed by the old key",
                Some(false) => "  WITHOUT the old key",
                None => "",
            };
            let trust = trust.map(|trust| format!("  now {}", words::trust(trust)));
            format!(
                "{}{how}{}",
                escape::line(user_id),
                trust.unwrap_or_default()
            )
        }
        EventBody::KeyChangeHold { user_id, held } => {
            format!("{}  {held} held", escape::line(user_id))
        }
        EventBody::KeyRevoked { user_id, state } => {
            format!("{}  {}", escape::line(user_id), words::spaced(state))
        }
        EventBody::DirectoryContradiction { user_id, how } => {
            format!("{}  {}", escape::line(user_id), words::spaced(how))
        }
        _ => String::new(),
    }
}
