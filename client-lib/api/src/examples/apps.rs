//! `apps.*` at work.

use super::{Example, Shown, error, invalid, sample};
use crate::apps::{
    App, AppToken, Create, CreateParams, Created, List, Revoke, RevokeParams, Revoked,
};
use crate::errors::{ErrorCode, Reason};
use crate::page::{ListParams, Page};
use crate::scope::Scope;

/// What the app of the examples may do.
pub(super) const SCOPES: [Scope; 3] = [Scope::MessagesRead, Scope::MessagesSend, Scope::EventsRead];

impl Shown for Create {
    fn examples() -> Vec<Example> {
        let params = CreateParams {
            name: "Ward EHR".to_owned(),
            scopes: SCOPES.to_vec(),
            uid: None,
        };
        let created = Created {
            app_id: sample::APP_ID.to_owned(),
            token: AppToken::new(sample::APP_TOKEN.to_owned()),
        };
        let without = CreateParams {
            scopes: Vec::new(),
            ..params.clone()
        };
        vec![
            Example::answered::<Self>("An app that reads and writes messages", &params, &created),
            Example::refused::<Self>(
                "An app that may do nothing",
                &without,
                &invalid("scopes", Reason::Empty),
            ),
        ]
    }
}

impl Shown for List {
    fn examples() -> Vec<Example> {
        let app = App {
            app_id: sample::APP_ID.to_owned(),
            name: "Ward EHR".to_owned(),
            scopes: SCOPES.to_vec(),
            uid: None,
            created_ms: sample::ENROLLED_MS,
            revoked_ms: None,
        };
        let page = Page {
            items: vec![app],
            next: None,
        };
        vec![Example::answered::<Self>(
            "One, which may come in",
            &ListParams::default(),
            &page,
        )]
    }
}

impl Shown for Revoke {
    fn examples() -> Vec<Example> {
        let params = |app_id: &str| RevokeParams {
            app_id: app_id.to_owned(),
        };
        let revoked = Revoked {
            app_id: sample::APP_ID.to_owned(),
        };
        vec![
            Example::answered::<Self>(
                "The app is let in no more",
                &params(sample::APP_ID),
                &revoked,
            ),
            Example::refused::<Self>(
                "There is no such app",
                &params(sample::UNKNOWN_APP_ID),
                &error(ErrorCode::NotFound),
            ),
        ]
    }
}
