//! `conversations.*` at work.

use super::messages::{bobs_answer, with_bob};
use super::{Example, Shown, error, invalid, sample};
use crate::bytes::Ticket;
use crate::conversation::Conversation;
use crate::conversations::{Export, ExportConversation, ExportFormat, ExportParams, List, Summary};
use crate::errors::{ErrorCode, Reason};
use crate::page::{ListParams, Page};

impl Shown for List {
    fn examples() -> Vec<Example> {
        let summary = Summary {
            conversation: with_bob(),
            title: "Bob Kessler".to_owned(),
            last_message: Some(bobs_answer()),
            unread: 1,
        };
        let page = Page {
            items: vec![summary],
            next: None,
        };
        vec![Example::answered::<Self>(
            "One, with an answer that was not read yet",
            &ListParams::default(),
            &page,
        )]
    }
}

impl Shown for ExportConversation {
    fn examples() -> Vec<Example> {
        let all = |format| ExportParams {
            conversation: with_bob(),
            format,
            from_ms: None,
            to_ms: None,
            files_up_to_bytes: None,
        };
        let export = Export {
            ticket: Ticket::new(sample::TICKET.to_owned()),
            media_type: "application/fhir+json".to_owned(),
            filename: Some(sample::EXPORT_FILE.to_owned()),
        };
        let backwards = ExportParams {
            from_ms: Some(2),
            to_ms: Some(1),
            ..all(ExportFormat::Html)
        };
        let nobody = ExportParams {
            conversation: Conversation::User(sample::NOBODY.to_owned()),
            ..all(ExportFormat::Html)
        };
        vec![
            Example::answered::<Self>("For the record system", &all(ExportFormat::Fhir), &export),
            Example::refused::<Self>(
                "The end comes before the beginning",
                &backwards,
                &invalid("to_ms", Reason::OutOfRange),
            ),
            Example::refused::<Self>(
                "Nobody was written to",
                &nobody,
                &error(ErrorCode::NotFound),
            ),
        ]
    }
}
