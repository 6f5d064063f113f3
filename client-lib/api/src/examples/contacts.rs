//! `contacts.*` at work.

use super::{Example, Shown, error, sample};
use crate::contacts::{Add, Contact, Get, List, Trust, UserParams};
use crate::errors::ErrorCode;
use crate::page::{ListParams, Page};

fn user(user_id: &str) -> UserParams {
    UserParams {
        user_id: user_id.to_owned(),
    }
}

fn bob() -> Contact {
    Contact {
        user_id: sample::BOB.to_owned(),
        display_name: "Bob Kessler".to_owned(),
        profession: "nurse".to_owned(),
        organisation: "Ward 3".to_owned(),
        attested: false,
        trust: Trust::Seen,
        fingerprint: Some(sample::FINGERPRINT_OF_BOB.to_owned()),
        added_ms: sample::ENROLLED_MS,
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
