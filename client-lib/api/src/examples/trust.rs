//! `trust.*` at work.

use super::contacts::bob;
use super::{Example, Shown, error, invalid, sample};
use crate::contacts::{Contact, ContactKey, KeyDecision, KeyState, Trust, UserParams};
use crate::errors::{ErrorCode, Reason};
use crate::page::{ListParams, Page};
use crate::trust::{
    Compare, CompareParams, Compared, Decide, DecideParams, Decision, Digits, Fingerprint, Import,
    ImportOutcome, Imported, ImportedEntry, ListPending, Pending, SignedVerification,
};

fn user(user_id: &str) -> UserParams {
    UserParams {
        user_id: user_id.to_owned(),
    }
}

impl Shown for Fingerprint {
    fn examples() -> Vec<Example> {
        let digits = Digits {
            digits: sample::DIGITS.to_owned(),
            qr: sample::QR.to_owned(),
        };
        vec![
            Example::answered::<Self>("Alice's and Bob's", &user(sample::BOB), &digits),
            Example::refused::<Self>(
                "A user who is not a contact",
                &user(sample::NOBODY),
                &error(ErrorCode::NotFound),
            ),
        ]
    }
}

impl Shown for Compare {
    fn examples() -> Vec<Example> {
        let told = |digits: Option<&str>, qr: Option<&str>| CompareParams {
            user_id: sample::BOB.to_owned(),
            digits: digits.map(str::to_owned),
            qr: qr.map(str::to_owned),
        };
        let verified = |verified| Compared { verified };
        vec![
            Example::answered::<Self>(
                "Bob reads out something else",
                &told(Some(sample::OTHER_DIGITS), None),
                &verified(false),
            ),
            Example::answered::<Self>(
                "Bob's QR code is scanned",
                &told(None, Some(sample::QR)),
                &verified(true),
            ),
            Example::refused::<Self>(
                "Half of the digits",
                &told(Some(sample::FINGERPRINT_OF_BOB), None),
                &invalid("digits", Reason::Malformed),
            ),
        ]
    }
}

/// After he enrolled anew.
fn bob_anew() -> Contact {
    let key = |key: &str, revision, state, decision: Option<KeyDecision>| ContactKey {
        key: key.to_owned(),
        revision,
        state,
        changed_ms: sample::LATER_MS,
        countersigned: false,
        decision,
        decided_ms: decision.map(|_| sample::LATER_MS),
    };
    Contact {
        trust: Trust::Changed,
        fingerprint: Some(sample::NEXT_FINGERPRINT_OF_BOB.to_owned()),
        key: Some(sample::NEXT_KEY_OF_BOB.to_owned()),
        keys: vec![
            key(sample::NEXT_KEY_OF_BOB, 2, KeyState::Active, None),
            key(
                sample::KEY_OF_BOB,
                1,
                KeyState::Replaced,
                Some(KeyDecision::Compared),
            ),
        ],
        ..bob()
    }
}

impl Shown for Decide {
    fn examples() -> Vec<Example> {
        let accept = |key: &str| DecideParams {
            user_id: sample::BOB.to_owned(),
            decision: Decision::Accept,
            key: Some(key.to_owned()),
        };
        let mut accepted = bob_anew();
        accepted.trust = Trust::Seen;
        if let Some(newest) = accepted.keys.first_mut() {
            newest.decision = Some(KeyDecision::Accepted);
            newest.decided_ms = Some(sample::LATER_MS);
        }
        vec![
            Example::refused::<Self>(
                "Bob has another key than the one that was looked at",
                &accept(sample::KEY_OF_BOB),
                &error(ErrorCode::RevisionConflict),
            ),
            Example::answered::<Self>(
                "The new key is accepted",
                &accept(sample::NEXT_KEY_OF_BOB),
                &accepted,
            ),
        ]
    }
}

impl Shown for ListPending {
    fn examples() -> Vec<Example> {
        let params = ListParams {
            after: None,
            limit: Some(100),
        };
        let page = Page {
            items: vec![Pending {
                contact: bob_anew(),
                held: 3,
            }],
            next: None,
        };
        vec![Example::answered::<Self>(
            "Bob enrolled anew, and a message waits",
            &params,
            &page,
        )]
    }
}

impl Shown for Import {
    fn examples() -> Vec<Example> {
        let file = |statement: &str, signature: &str| SignedVerification {
            statement: statement.to_owned(),
            signature: signature.to_owned(),
        };
        let entry = |user_id: &str, outcome| ImportedEntry {
            user_id: user_id.to_owned(),
            outcome,
        };
        let imported = Imported {
            organisation: "Klinikum am See".to_owned(),
            serial: 7,
            verified: 1,
            entries: vec![
                entry(sample::BOB, ImportOutcome::Verified),
                entry(sample::NOBODY, ImportOutcome::UnknownContact),
            ],
        };
        vec![
            Example::answered::<Self>(
                "A file with two entries",
                &file(sample::STATEMENT, sample::SIGNATURE),
                &imported,
            ),
            Example::refused::<Self>(
                "A file that is older",
                &file(sample::OLDER_STATEMENT, sample::OLDER_SIGNATURE),
                &error(ErrorCode::RevisionConflict),
            ),
            Example::refused::<Self>(
                "Not signed by an organisation whose word counts",
                &file(sample::STATEMENT, sample::OLDER_SIGNATURE),
                &invalid("signature", Reason::Mismatch),
            ),
        ]
    }
}
