//! One message on the page.

use connect_core::attachment::name;
use connect_store::recipients::Recipient;
use maud::{Markup, html};

use super::visible::visible;
use super::{mark, time};
use crate::export::content::Slot;
use crate::export::model::{Attachment, Entry, Heading, People, Signature};

pub(super) fn article(heading: &Heading, entry: &Entry, people: &People) -> Markup {
    let message = &entry.message;
    let id = heading.naming.message(&message.sender, message.message_id);
    html! {
        article id={ "m-" (id) } {
            header {
                span.name { bdi { (visible(people.name(&message.sender))) } }
                span.id { (message.sender) }
                span.when { (time(message.timestamp_ms)) }
                (marks(entry, people))
            }
            (answers(heading, entry, people))
            @if message.deleted_ms.is_some() {
                p.gone { "Deleted by its author." }
            } @else {
                div.text dir="auto" { (visible(&message.text)) }
            }
            (files(heading, &entry.attachments))
            (deliveries(&message.recipients, people))
            @if !message.outgoing {
                div.deliveries { "stored here " (time(message.stored_ms)) }
            }
            (earlier(heading, entry))
        }
    }
}

fn marks(entry: &Entry, people: &People) -> Markup {
    let message = &entry.message;
    let (standing, is_warning) = mark(people.standing(&message.sender));
    html! {
        ul.marks {
            li.warn[is_warning] { (standing) } " "
            @if message.retired_key { li.warn { "under a retired key" } " " }
            @match entry.signature {
                Some(Signature::Holds) => { li { "signature holds" } " " }
                Some(Signature::UnknownKey) => { li.warn { "signed with an unknown key" } " " }
                None => {}
            }
            @if let Some(edited_ms) = message.edited_ms { li { "edited " (time(edited_ms)) } " " }
            @if let Some(deleted_ms) = message.deleted_ms { li.warn { "deleted " (time(deleted_ms)) } }
        }
    }
}

fn answers(heading: &Heading, entry: &Entry, people: &People) -> Markup {
    let Some(answers) = &entry.answers else {
        return html! {};
    };
    html! {
        div.answers {
            @match &answers.sender {
                Some(sender) if answers.is_in_export => {
                    "in answer to "
                    a href={ "#m-" (heading.naming.message(sender, answers.message_id)) } {
                        "a message of " bdi { (visible(people.name(sender))) }
                    }
                }
                _ => { "in answer to message " (answers.message_id) ", which is not in this export" }
            }
        }
    }
}

fn files(heading: &Heading, attachments: &[Attachment]) -> Markup {
    html! {
        @for file in attachments {
            div.files {
                "file: " bdi { (visible(&file.file_name)) } ", " bdi { (visible(&file.media_type)) } ", "
                (file.size) " bytes"
                @match &file.content {
                    Some(slot) => (content(file, slot)),
                    None if heading.files_up_to_bytes.is_some() && file.size > 0 => {
                        ", not in this export"
                    }
                    None => "",
                }
            }
        }
    }
}

/// What a browser shows by itself is seen. Anything else is only ever saved, as bytes of no type that could run.
fn content(file: &Attachment, slot: &Slot) -> Markup {
    let pictures = ["image/png", "image/jpeg", "image/gif", "image/webp"];
    let shown = pictures.into_iter().find(|kind| *kind == file.media_type);
    html! {
        @match shown {
            Some(kind) => img alt="" src={ "data:" (kind) ";base64," (slot.as_str()) };,
            None => {
                ", " a download=(name::for_display(&file.file_name))
                    href={ "data:application/octet-stream;base64," (slot.as_str()) } { "save" }
            }
        }
    }
}

fn deliveries(recipients: &[Recipient], people: &People) -> Markup {
    html! {
        @for recipient in recipients {
            div.deliveries {
                "to " bdi { (visible(people.name(&recipient.user_id))) } ": " (recipient.state.word())
                @if let Some(reason) = recipient.reason { " (" (reason.word()) ")" }
                " " (time(recipient.changed_ms))
            }
        }
    }
}

fn earlier(heading: &Heading, entry: &Entry) -> Markup {
    let left_out = entry.earlier_count - entry.earlier.len() as u64;
    html! {
        @if heading.has_earlier && left_out > 0 {
            div.earlier { (left_out) " older texts are not in this export" }
        } @else if left_out > 0 {
            div.earlier { "earlier texts: " (left_out) ", not in this export" }
        }
        @for version in &entry.earlier {
            div.earlier {
                "earlier text, written " (time(version.written_ms)) ":"
                div.text dir="auto" { (visible(&version.text)) }
            }
        }
    }
}
