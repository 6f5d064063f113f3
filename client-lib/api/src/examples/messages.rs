//! `messages.*` at work: Alice writes to Bob, who answers.

use super::{Example, Shown, error, sample};
use crate::conversation::Conversation;
use crate::errors::ErrorCode;
use crate::messages::{
    AttachParams, Auth, Delete, Edit, EditParams, Get, List, ListParams, ListVersions, MarkRead,
    MarkReadParams, Marked, Message, MessageParams, MessageState, RecipientState, Send, SendParams,
    Sent, TellTyping, Told, TypingParams, Version, Versions,
};
use crate::page::Page;
use crate::search::{Hit, Match, Search, SearchParams};

const TEXT: &str = "Potassium of 6.1 in bed 4, please repeat";
const ANSWER: &str = "Drawn at 9:10, on its way to the lab";
const REPLY: &str = "Thank you";
const EDITED: &str = "Potassium of 6.1 in bed 7, please repeat";
const CLIENT_REF: &str = "order-4711";

pub(super) fn with_bob() -> Conversation {
    Conversation::User(sample::BOB.to_owned())
}

fn one(message_id: &str) -> MessageParams {
    MessageParams {
        message_id: message_id.to_owned(),
    }
}

/// As Alice has it once it was delivered.
fn alices_message() -> Message {
    let delivered = RecipientState {
        user_id: sample::BOB.to_owned(),
        state: MessageState::Delivered,
        reason: None,
        changed_ms: sample::ANSWERED_MS,
    };
    Message {
        message_id: sample::MESSAGE_ID.to_owned(),
        conversation: with_bob(),
        author: sample::ALICE.to_owned(),
        outgoing: true,
        text: TEXT.to_owned(),
        sent_ms: sample::WRITTEN_MS,
        stored_ms: sample::STORED_MS,
        reply_to: None,
        client_ref: Some(CLIENT_REF.to_owned()),
        edited_ms: None,
        deleted_ms: None,
        attachment: None,
        auth: Auth::Current,
        state: MessageState::Delivered,
        recipients: vec![delivered],
    }
}

pub(super) fn bobs_answer() -> Message {
    Message {
        message_id: sample::ANSWER_ID.to_owned(),
        author: sample::BOB.to_owned(),
        outgoing: false,
        text: ANSWER.to_owned(),
        sent_ms: sample::ANSWERED_MS,
        client_ref: None,
        state: MessageState::Received,
        recipients: Vec::new(),
        ..alices_message()
    }
}

fn alices_reply() -> Message {
    Message {
        message_id: sample::REPLY_ID.to_owned(),
        text: REPLY.to_owned(),
        sent_ms: sample::LATER_MS,
        stored_ms: sample::LATER_MS,
        reply_to: Some(sample::ANSWER_ID.to_owned()),
        client_ref: None,
        ..alices_message()
    }
}

impl Shown for Send {
    fn examples() -> Vec<Example> {
        let params = SendParams {
            conversation: with_bob(),
            text: Some(TEXT.to_owned()),
            attachment: None,
            reply_to: None,
            client_ref: Some(CLIENT_REF.to_owned()),
        };
        let queued = |message_id: &str| Sent {
            message_id: message_id.to_owned(),
            state: MessageState::Queued,
        };
        let reply = SendParams {
            text: Some(REPLY.to_owned()),
            reply_to: Some(sample::ANSWER_ID.to_owned()),
            client_ref: None,
            ..params.clone()
        };
        let stranger = SendParams {
            conversation: Conversation::User(sample::NOBODY.to_owned()),
            ..params.clone()
        };
        let other = SendParams {
            text: Some(EDITED.to_owned()),
            ..params.clone()
        };
        let film = SendParams {
            text: None,
            attachment: Some(AttachParams {
                attachment_id: sample::ATTACHMENT_ID.to_owned(),
                caption: Some("Left knee, lateral".to_owned()),
            }),
            client_ref: None,
            ..params.clone()
        };
        vec![
            Example::answered::<Self>(
                "A file that was uploaded, with a caption",
                &film,
                &queued(sample::FILM_MESSAGE_ID),
            ),
            Example::answered::<Self>(
                "A text, with a reference of the caller's own",
                &params,
                &queued(sample::MESSAGE_ID),
            ),
            Example::answered::<Self>("An answer to a message", &reply, &queued(sample::REPLY_ID)),
            Example::refused::<Self>(
                "To a user who is not a contact",
                &stranger,
                &error(ErrorCode::UnknownContact),
            ),
            Example::refused::<Self>(
                "Another text under the same reference",
                &other,
                &error(ErrorCode::ClientRefConflict),
            ),
        ]
    }
}

impl Shown for List {
    fn examples() -> Vec<Example> {
        let newest = ListParams {
            conversation: with_bob(),
            before: None,
            after: None,
            limit: Some(1),
        };
        let older = ListParams {
            after: Some(sample::REPLY_ID.to_owned()),
            limit: None,
            ..newest.clone()
        };
        let first = Page {
            items: vec![alices_reply()],
            next: Some(sample::REPLY_ID.to_owned()),
        };
        let rest = Page {
            items: vec![bobs_answer(), alices_message()],
            next: None,
        };
        vec![
            Example::answered::<Self>("The newest message", &newest, &first),
            Example::answered::<Self>("What is older than that", &older, &rest),
        ]
    }
}

impl Shown for Get {
    fn examples() -> Vec<Example> {
        vec![
            Example::answered::<Self>(
                "One's own, which was delivered",
                &one(sample::MESSAGE_ID),
                &alices_message(),
            ),
            Example::answered::<Self>("One that came in", &one(sample::ANSWER_ID), &bobs_answer()),
            Example::refused::<Self>(
                "There is no such message",
                &one(sample::UNKNOWN_MESSAGE_ID),
                &error(ErrorCode::NotFound),
            ),
        ]
    }
}

impl Shown for MarkRead {
    fn examples() -> Vec<Example> {
        let params = MarkReadParams {
            conversation: with_bob(),
            up_to: sample::ANSWER_ID.to_owned(),
        };
        vec![Example::answered::<Self>(
            "Everything was read",
            &params,
            &Marked { unread: 0 },
        )]
    }
}

impl Shown for Edit {
    fn examples() -> Vec<Example> {
        let params = |message_id: &str| EditParams {
            message_id: message_id.to_owned(),
            text: EDITED.to_owned(),
        };
        let edited = Message {
            text: EDITED.to_owned(),
            edited_ms: Some(sample::LATER_MS),
            ..alices_message()
        };
        vec![
            Example::answered::<Self>("The wrong bed", &params(sample::MESSAGE_ID), &edited),
            Example::refused::<Self>(
                "A message of somebody else's",
                &params(sample::ANSWER_ID),
                &error(ErrorCode::NotFound),
            ),
        ]
    }
}

impl Shown for Delete {
    fn examples() -> Vec<Example> {
        let deleted = Message {
            text: String::new(),
            deleted_ms: Some(sample::LATER_MS),
            ..alices_reply()
        };
        vec![Example::answered::<Self>(
            "One's own",
            &one(sample::REPLY_ID),
            &deleted,
        )]
    }
}

impl Shown for ListVersions {
    fn examples() -> Vec<Example> {
        let before = Version {
            text: TEXT.to_owned(),
            written_ms: sample::WRITTEN_MS,
        };
        let versions = Versions {
            items: vec![before],
        };
        vec![Example::answered::<Self>(
            "A message that was edited once",
            &one(sample::MESSAGE_ID),
            &versions,
        )]
    }
}

impl Shown for TellTyping {
    fn examples() -> Vec<Example> {
        let params = TypingParams {
            conversation: with_bob(),
            active: true,
        };
        vec![
            Example::answered::<Self>("Bob is told", &params, &Told { told: true }),
            Example::answered::<Self>(
                "The policy does not allow it",
                &params,
                &Told { told: false },
            ),
        ]
    }
}

impl Shown for Search {
    fn examples() -> Vec<Example> {
        let params = SearchParams {
            query: "pota* \"bed 4\"".to_owned(),
            conversation: None,
            after: None,
            limit: None,
        };
        let hit = Hit {
            message_id: sample::MESSAGE_ID.to_owned(),
            conversation: with_bob(),
            author: sample::ALICE.to_owned(),
            sent_ms: sample::WRITTEN_MS,
            snippet: TEXT.to_owned(),
            matches: vec![Match { start: 0, end: 9 }, Match { start: 20, end: 25 }],
        };
        let page = Page {
            items: vec![hit],
            next: None,
        };
        vec![Example::answered::<Self>(
            "The beginning of a word, and a phrase",
            &params,
            &page,
        )]
    }
}
