//! What stands on the page, and what never does.

use connect_proto::ids::{MessageId, UserId};
use connect_store::amendments::Version;
use connect_store::codes::Trust;
use connect_store::conversations::Conversation;
use connect_store::messages::Message;
use connect_store::place::MessageRow;
use connect_store::reading::Window;

use super::{END, Html};
use crate::export::model::{Case, Entry, Field, Form, Heading, People, Person, Standing};
use crate::export::naming::Naming;

const HOSTILE: &str =
    "</div></article><script src=https://evil.example/x>alert(1)</script><footer id=\"end\">";

fn user(name: &str) -> UserId {
    name.parse().unwrap()
}

fn heading() -> Heading {
    Heading {
        naming: Naming::new("https://relay.example.org"),
        conversation: Conversation::User(user("bob")),
        title: HOSTILE.into(),
        exporter: user("alice"),
        exported_ms: 1_772_438_531_807,
        last_event_id: 7,
        window: Window::ALWAYS,
        missing: 3,
        has_earlier: true,
        files_up_to_bytes: None,
        case: Some(Case {
            patient_reference: Some(HOSTILE.into()),
            closed_ms: Some(1_772_438_531_807),
            fields: vec![Field {
                name: HOSTILE.into(),
                value: HOSTILE.into(),
                author: user("bob"),
                set_ms: 1,
                is_contested: true,
            }],
        }),
    }
}

fn people() -> People {
    let mut people = People::default();
    people.add(Person {
        display_name: HOSTILE.into(),
        profession: HOSTILE.into(),
        organisation: HOSTILE.into(),
        standing: Standing::Of(Trust::Changed),
        ..Person::unknown(user("bob"))
    });
    people
}

fn entry() -> Entry {
    Entry {
        message: Message {
            row: MessageRow(1),
            conversation: Conversation::User(user("bob")),
            sender: user("bob"),
            message_id: MessageId::from_bytes([1; 16]),
            outgoing: false,
            timestamp_ms: 1_772_438_412_345,
            stored_ms: 1_772_438_412_351,
            retired_key: true,
            text: HOSTILE.into(),
            reply_to: None,
            client_ref: None,
            edited_ms: Some(1_772_438_473_019),
            deleted_ms: None,
            has_attachment: false,
            attachment: None,
            recipients: Vec::new(),
        },
        earlier: vec![Version {
            text: HOSTILE.into(),
            written_ms: 1_772_438_412_345,
        }],
        earlier_count: 3,
        answers: None,
        attachments: vec![crate::export::model::Attachment {
            id: "a1".into(),
            file_name: HOSTILE.into(),
            media_type: HOSTILE.into(),
            size: 5,
            content: None,
        }],
        signature: None,
    }
}

fn page(entry: &Entry) -> (String, usize) {
    let (heading, people) = (heading(), people());
    let mut form = Html::new(&heading);
    let mut out = Vec::new();
    form.begin(&mut out, &heading, &people);
    form.entry(&mut out, entry, &people);
    let whole_from = out.len();
    form.end(&mut out, 1);
    (String::from_utf8(out).unwrap(), whole_from)
}

#[test]
fn whatever_others_wrote_is_text() {
    let (page, end) = page(&entry());
    assert!(!page.contains("<script"), "{page}");
    assert_eq!(page.matches("&lt;script src=https://evil").count(), 14);
    // The end is there once, at the end.
    assert_eq!(page.matches(END).count(), 1);
    assert!(page[end..].contains(END));
}

#[test]
fn marks_say_what_is_to_be_known_of_a_message() {
    let (page, _) = page(&entry());
    for mark in [
        "<li class=\"warn\">key changed or rejected</li>",
        "<li class=\"warn\">under a retired key</li>",
        "edited <time datetime=\"2026-03-02T08:01:13.019Z\">2026-03-02 08:01:13 UTC</time>",
        "3 messages or amendments of others have not come in",
        "2 older texts are not in this export",
        "earlier text, written",
    ] {
        assert!(page.contains(mark), "{mark}\n{page}");
    }
}

#[test]
fn a_deleted_text_is_gone_and_said_to_be() {
    let mut entry = entry();
    entry.message.deleted_ms = Some(1_772_438_473_019);
    entry.message.text = "a secret that must not be shown".into();
    entry.earlier.clear();
    let (page, _) = page(&entry);
    assert!(page.contains("Deleted by its author."));
    assert!(!page.contains("a secret"));
}
