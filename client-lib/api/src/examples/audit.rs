//! `audit.*` at work.

use super::{Example, Shown, sample};
use crate::audit::{Entry, List, ListParams, Verdict, Verify};
use crate::page::{Nothing, Page};

impl Shown for List {
    fn examples() -> Vec<Example> {
        let params = ListParams {
            after: Some(sample::AUDIT_ENTRY_BEFORE),
            limit: Some(1),
        };
        let entry = Entry {
            entry: sample::AUDIT_ENTRY,
            first_ms: sample::WRITTEN_MS,
            last_ms: sample::WRITTEN_MS,
            count: 1,
            app: Some("owner".to_owned()),
            uid: Some(sample::UID),
            pid: Some(sample::PID),
            method: "messages.send".to_owned(),
            object: Some(sample::AUDIT_OBJECT.to_owned()),
            outcome: "ok".to_owned(),
            hash: sample::AUDIT_HASH.to_owned(),
        };
        let page = Page {
            items: vec![entry],
            next: Some(sample::AUDIT_ENTRY),
        };
        vec![Example::answered::<Self>(
            "One entry: a message was sent",
            &params,
            &page,
        )]
    }
}

impl Shown for Verify {
    fn examples() -> Vec<Example> {
        let verdict = Verdict {
            intact: true,
            entries: sample::AUDIT_ENTRIES,
            head: sample::AUDIT_HEAD.to_owned(),
            broken: None,
        };
        vec![Example::answered::<Self>(
            "Nothing was changed and nothing is missing",
            &Nothing {},
            &verdict,
        )]
    }
}
