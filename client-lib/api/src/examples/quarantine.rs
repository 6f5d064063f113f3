//! `quarantine.*` at work.

use super::{Example, Shown, error, sample};
use crate::contacts::KeyState;
use crate::errors::ErrorCode;
use crate::page::{ListParams, Page};
use crate::quarantine::{
    Get, List, QuarantineParams, Quarantined, QuarantinedMessage, UnprovenContent,
};

fn forged() -> Quarantined {
    Quarantined {
        quarantine_id: sample::QUARANTINE_ID.to_owned(),
        reason: "compromised_key".to_owned(),
        sender: Some(sample::BOB.to_owned()),
        message_id: Some(sample::OTHER_MESSAGE_ID.to_owned()),
        stored_ms: sample::STORED_MS,
    }
}

impl Shown for List {
    fn examples() -> Vec<Example> {
        let params = ListParams {
            after: None,
            limit: Some(1),
        };
        let page = Page {
            items: vec![forged()],
            next: None,
        };
        vec![Example::answered::<Self>(
            "A message under a compromised key",
            &params,
            &page,
        )]
    }
}

impl Shown for Get {
    fn examples() -> Vec<Example> {
        let of = |id: &str| QuarantineParams {
            quarantine_id: id.to_owned(),
        };
        let message = QuarantinedMessage {
            quarantined: forged(),
            unproven: Some(UnprovenContent {
                kind: "text".to_owned(),
                text: Some("Give the double dose".to_owned()),
                claimed_ms: sample::WRITTEN_MS,
                key: sample::KEY_OF_BOB.to_owned(),
                key_state: KeyState::Compromised,
            }),
        };
        vec![
            Example::answered::<Self>(
                "What whoever has the key would have Alice believe",
                &of(sample::QUARANTINE_ID),
                &message,
            ),
            Example::refused::<Self>(
                "It is not there",
                &of(sample::UNKNOWN_QUARANTINE_ID),
                &error(ErrorCode::NotFound),
            ),
        ]
    }
}
