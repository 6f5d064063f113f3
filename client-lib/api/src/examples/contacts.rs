//! `contacts.*` at work.

use super::{Example, Shown, error, invalid, sample};
use crate::contacts::{
    Add, Block, BlockParams, Contact, ContactKey, FoundUser, Get, KeyState, List, Remove, Search,
    SearchParams, Trust, UserParams,
};
use crate::errors::{ErrorCode, Reason};
use crate::page::{ListParams, Page};

fn user(user_id: &str) -> UserParams {
    UserParams {
        user_id: user_id.to_owned(),
    }
}

pub(super) fn bob() -> Contact {
    Contact {
        user_id: sample::BOB.to_owned(),
        display_name: "Bob Kessler".to_owned(),
        profession: "nurse".to_owned(),
        organisation: "Ward 3".to_owned(),
        attested: false,
        trust: Trust::Seen,
        fingerprint: Some(sample::FINGERPRINT_OF_BOB.to_owned()),
        added_ms: sample::ENROLLED_MS,
        blocked: false,
        key: Some(sample::KEY_OF_BOB.to_owned()),
        keys: vec![ContactKey {
            key: sample::KEY_OF_BOB.to_owned(),
            revision: 1,
            state: KeyState::Active,
            changed_ms: sample::ENROLLED_MS,
            countersigned: false,
            decision: None,
            decided_ms: None,
        }],
        contradiction: None,
    }
}

impl Shown for Add {
    fn examples() -> Vec<Example> {
        vec![
            Example::answered::<Self>("A colleague", &user(sample::BOB), &bob()),
            Example::refused::<Self>(
                "A user whom the relay does not know",
                &user(sample::NOBODY),
                &error(ErrorCode::NotFound),
            ),
            Example::refused::<Self>(
                "By an app without the scope",
                &user(sample::BOB),
                &error(ErrorCode::Forbidden),
            ),
        ]
    }
}

impl Shown for Get {
    fn examples() -> Vec<Example> {
        vec![
            Example::answered::<Self>("A colleague", &user(sample::BOB), &bob()),
            Example::refused::<Self>(
                "A user who is not a contact",
                &user(sample::NOBODY),
                &error(ErrorCode::NotFound),
            ),
        ]
    }
}

impl Shown for List {
    fn examples() -> Vec<Example> {
        let params = ListParams {
            after: None,
            limit: Some(100),
        };
        let page = Page {
            items: vec![bob()],
            next: None,
        };
        vec![Example::answered::<Self>(
            "All that there are",
            &params,
            &page,
        )]
    }
}

impl Shown for Search {
    fn examples() -> Vec<Example> {
        let params = |query: &str| SearchParams {
            query: query.to_owned(),
            limit: Some(10),
        };
        let page = Page {
            items: vec![FoundUser {
                user_id: sample::BOB.to_owned(),
                display_name: "Bob Kessler".to_owned(),
                profession: "nurse".to_owned(),
                organisation: "Ward 3".to_owned(),
                attested: false,
                is_contact: true,
            }],
            next: None,
        };
        vec![
            Example::answered::<Self>("The beginning of a name", &params("kess"), &page),
            Example::refused::<Self>(
                "Nothing to look for",
                &params(" "),
                &invalid("query", Reason::Empty),
            ),
        ]
    }
}

impl Shown for Remove {
    fn examples() -> Vec<Example> {
        vec![
            Example::answered::<Self>("A colleague who has left", &user(sample::BOB), &bob()),
            Example::refused::<Self>(
                "A user who is not a contact",
                &user(sample::NOBODY),
                &error(ErrorCode::NotFound),
            ),
        ]
    }
}

impl Shown for Block {
    fn examples() -> Vec<Example> {
        let params = |blocked| BlockParams {
            user_id: sample::BOB.to_owned(),
            blocked,
        };
        let blocked = Contact {
            blocked: true,
            ..bob()
        };
        vec![
            Example::answered::<Self>("Nothing more of theirs", &params(true), &blocked),
            Example::answered::<Self>(
                "Welcome again, with what came meanwhile",
                &params(false),
                &bob(),
            ),
        ]
    }
}
