//! `cases.*` at work.

use super::{Example, Shown, error, invalid, sample};
use crate::bytes::Ticket;
use crate::cases::{
    AddParticipant, Case, CaseParams, CaseRole, CaseState, CaseSummary, Close, Create,
    CreateParams, ExportCase, ExportCaseParams, Field, FieldHistory, FieldParams, FieldVersion,
    Get, Leave, List, ListFieldHistory, Participant, ParticipantParams, RemoveParticipant,
    SetField, SetFieldParams,
};
use crate::contacts::Trust;
use crate::conversations::{Export, ExportFormat};
use crate::errors::{ErrorCode, Reason};
use crate::page::{ListParams, Page};

const TITLE: &str = "Potassium, bed 4";
const PATIENT: &str = "MRN 20417";
const ALLERGIES: &str = "allergies";

fn version(revision: u64, value: &str) -> FieldVersion {
    FieldVersion {
        revision,
        value: Some(value.to_owned()),
        media_type: "text/plain".to_owned(),
        author: sample::ALICE.to_owned(),
        written_ms: sample::LATER_MS,
    }
}

fn with_bob(allergies: FieldVersion) -> Case {
    let participant = |user_id: &str, name: &str, role, trust| Participant {
        user_id: user_id.to_owned(),
        display_name: name.to_owned(),
        role,
        trust,
    };
    Case {
        case: sample::CASE_ID.to_owned(),
        title: TITLE.to_owned(),
        patient_reference: Some(PATIENT.to_owned()),
        state: CaseState::Open,
        revision: 1,
        epoch: 1,
        participants: vec![
            participant(sample::ALICE, "Dr. Alice Martin", CaseRole::Admin, None),
            participant(
                sample::BOB,
                "Bob Kessler",
                CaseRole::Member,
                Some(Trust::Seen),
            ),
        ],
        fields: vec![Field {
            name: ALLERGIES.to_owned(),
            newest: allergies,
            conflicts: Vec::new(),
        }],
        awaits_history: false,
        created_ms: sample::LATER_MS,
        changed_ms: sample::LATER_MS,
    }
}

/// Nobody else is in it.
fn alone() -> Case {
    let with_bob = with_bob(version(1, ""));
    Case {
        case: sample::OTHER_CASE_ID.to_owned(),
        title: "Handover".to_owned(),
        patient_reference: None,
        participants: with_bob.participants.into_iter().take(1).collect(),
        fields: Vec::new(),
        ..with_bob
    }
}

fn named(case: &str) -> CaseParams {
    CaseParams {
        case: case.to_owned(),
    }
}

fn with(user_id: &str) -> ParticipantParams {
    ParticipantParams {
        case: sample::CASE_ID.to_owned(),
        user_id: user_id.to_owned(),
    }
}

impl Shown for Create {
    fn examples() -> Vec<Example> {
        let params = |participants: &[&str]| CreateParams {
            title: TITLE.to_owned(),
            patient_reference: Some(PATIENT.to_owned()),
            participants: participants.iter().map(|&user| user.to_owned()).collect(),
            fields: [(ALLERGIES.to_owned(), "none known".to_owned())].into(),
        };
        let handover = CreateParams {
            title: "Handover".to_owned(),
            ..CreateParams::default()
        };
        vec![
            Example::refused::<Self>(
                "With somebody who is not a contact",
                &params(&[sample::NOBODY]),
                &error(ErrorCode::UnknownContact),
            ),
            Example::answered::<Self>(
                "With Bob, and a first field",
                &params(&[sample::BOB]),
                &with_bob(version(1, "none known")),
            ),
            Example::answered::<Self>("With nobody else so far", &handover, &alone()),
        ]
    }
}

impl Shown for Get {
    fn examples() -> Vec<Example> {
        vec![
            Example::answered::<Self>(
                "Alice's and Bob's",
                &named(sample::CASE_ID),
                &with_bob(version(2, "penicillin")),
            ),
            Example::refused::<Self>(
                "There is no such case",
                &named(sample::UNKNOWN_CASE_ID),
                &error(ErrorCode::NotFound),
            ),
        ]
    }
}

impl Shown for List {
    fn examples() -> Vec<Example> {
        let summary = CaseSummary {
            case: sample::CASE_ID.to_owned(),
            title: TITLE.to_owned(),
            patient_reference: Some(PATIENT.to_owned()),
            state: CaseState::Open,
            revision: 1,
            participants: vec![sample::ALICE.to_owned(), sample::BOB.to_owned()],
            changed_ms: sample::LATER_MS,
        };
        let page = Page {
            items: vec![summary],
            next: None,
        };
        vec![Example::answered::<Self>(
            "The only one",
            &ListParams::default(),
            &page,
        )]
    }
}

impl Shown for SetField {
    fn examples() -> Vec<Example> {
        let params = SetFieldParams {
            case: sample::CASE_ID.to_owned(),
            name: ALLERGIES.to_owned(),
            value: "penicillin".to_owned(),
            media_type: None,
            expected_revision: 1,
        };
        vec![
            Example::answered::<Self>(
                "On the revision that was read",
                &params,
                &with_bob(version(2, "penicillin")),
            ),
            Example::refused::<Self>(
                "It was set since it was read",
                &params,
                &error(ErrorCode::RevisionConflict),
            ),
        ]
    }
}

impl Shown for ListFieldHistory {
    fn examples() -> Vec<Example> {
        let params = FieldParams {
            case: sample::CASE_ID.to_owned(),
            name: ALLERGIES.to_owned(),
        };
        let history = FieldHistory {
            items: vec![version(1, "none known"), version(2, "penicillin")],
        };
        vec![Example::answered::<Self>("Set twice", &params, &history)]
    }
}

impl Shown for AddParticipant {
    fn examples() -> Vec<Example> {
        vec![
            Example::refused::<Self>(
                "Somebody who is not a contact",
                &with(sample::NOBODY),
                &error(ErrorCode::UnknownContact),
            ),
            Example::answered::<Self>(
                "Whoever takes part already",
                &with(sample::BOB),
                &with_bob(version(2, "penicillin")),
            ),
        ]
    }
}

impl Shown for RemoveParticipant {
    fn examples() -> Vec<Example> {
        vec![Example::refused::<Self>(
            "Somebody who does not take part",
            &with(sample::NOBODY),
            &error(ErrorCode::NotFound),
        )]
    }
}

impl Shown for Close {
    fn examples() -> Vec<Example> {
        let closed = Case {
            state: CaseState::Closed,
            revision: 2,
            ..alone()
        };
        vec![Example::answered::<Self>(
            "Its end",
            &named(sample::OTHER_CASE_ID),
            &closed,
        )]
    }
}

impl Shown for Leave {
    fn examples() -> Vec<Example> {
        vec![Example::refused::<Self>(
            "A case that is closed",
            &named(sample::OTHER_CASE_ID),
            &invalid("case", Reason::Closed),
        )]
    }
}

impl Shown for ExportCase {
    fn examples() -> Vec<Example> {
        let params = |case: &str| ExportCaseParams {
            case: case.to_owned(),
            format: ExportFormat::Fhir,
            from_ms: None,
            to_ms: None,
            files_up_to_bytes: None,
        };
        let export = Export {
            ticket: Ticket::new(sample::TICKET.to_owned()),
            media_type: "application/fhir+json".to_owned(),
            filename: Some(sample::CASE_FILE.to_owned()),
        };
        vec![
            Example::answered::<Self>("For the record system", &params(sample::CASE_ID), &export),
            Example::refused::<Self>(
                "There is no such case",
                &params(sample::UNKNOWN_CASE_ID),
                &error(ErrorCode::NotFound),
            ),
        ]
    }
}
