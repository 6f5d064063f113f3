//! A message as a `Communication`, its files as `DocumentReference`s, and what is known of both as a `Provenance`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use connect_proto::ids::UserId;
use connect_store::codes::{RecipientState, StateReason};
use connect_store::conversations::Conversation;
use connect_store::messages::Message;
use connect_store::recipients::Recipient;

use super::elements::{
    Annotation, Attachment, Concept, Extension, Identifier, Reference, Value, is_string, string,
};
use super::resources::{
    Agent, Communication, DocumentContent, DocumentReference, Payload, Provenance,
};
use super::{recorded, vocabulary};
use crate::export::model::{Attachment as File, Entry, Heading, People, instant};
use crate::export::naming;

/// The largest `unsignedInt`.
const LARGEST: u64 = i32::MAX as u64;

pub(super) fn communication<'a>(
    heading: &'a Heading,
    entry: &'a Entry,
    id: &str,
) -> Communication<'a> {
    let message = &entry.message;
    let (kind, _) = naming::conversation(&heading.conversation);
    let is_deleted = message.deleted_ms.is_some();
    Communication {
        id: id.to_owned(),
        extension: entry.earlier.iter().map(earlier).collect(),
        identifier: vec![Identifier {
            system: heading.naming.system("message"),
            value: naming::message(&message.sender, message.message_id).into(),
        }],
        in_response_to: answers(heading, entry).into_iter().collect(),
        status: status(message),
        status_reason: reason(message)
            .filter(|_| !is_deleted)
            .map(|reason| Concept::coded(vocabulary::STATE_REASON, reason.word())),
        category: vec![Concept::coded(vocabulary::CONVERSATION, kind)],
        subject: patient(heading),
        topic: match heading.conversation {
            Conversation::User(_) => None,
            Conversation::Group(_) | Conversation::Case(_) => {
                string(&heading.title).map(Concept::text)
            }
        },
        sent: instant(message.timestamp_ms),
        received: received(message),
        recipient: recipients(heading, message),
        sender: user(heading, &message.sender),
        payload: payload(heading, entry),
        note: notes(heading, entry),
    }
}

fn user<'a>(heading: &Heading, user_id: &UserId) -> Reference<'a> {
    Reference::to(&heading.naming.user(user_id))
}

/// An identifier alone: the patient is in the record system.
pub(super) fn patient(heading: &Heading) -> Option<Reference<'_>> {
    let named = heading.case.as_ref()?.patient_reference.as_deref()?;
    Some(Reference {
        kind: Some("Patient"),
        identifier: Some(Identifier {
            system: heading.naming.system("patient-reference"),
            value: string(named)?,
        }),
        ..Reference::default()
    })
}

/// What went wrong for one recipient comes before what went well for the others.
fn status(message: &Message) -> &'static str {
    let any = |state| {
        let mut recipients = message.recipients.iter();
        recipients.any(|recipient| recipient.state == state)
    };
    if message.deleted_ms.is_some() {
        "entered-in-error"
    } else if any(RecipientState::Failed) {
        "stopped"
    } else if any(RecipientState::Held) {
        "on-hold"
    } else if any(RecipientState::Queued) {
        "in-progress"
    } else {
        "completed"
    }
}

fn reason(message: &Message) -> Option<StateReason> {
    let mut reasons = message.recipients.iter().filter_map(|found| found.reason);
    reasons.next()
}

/// Where it came in: when it was stored here. Where it went out: when the last recipient had it, if that is known.
fn received(message: &Message) -> Option<String> {
    if !message.outgoing {
        return instant(message.stored_ms);
    }
    let delivered = |recipient: &Recipient| recipient.state == RecipientState::Delivered;
    let times = message
        .recipients
        .iter()
        .map(|recipient| recipient.changed_ms);
    let last = times.max()?;
    message
        .recipients
        .iter()
        .all(delivered)
        .then(|| instant(last))?
}

/// Of a message that came in, the one who has it: who else got it nobody here knows.
fn recipients<'a>(heading: &Heading, message: &Message) -> Vec<Reference<'a>> {
    if !message.outgoing {
        return vec![user(heading, &heading.exporter)];
    }
    let reached = message.recipients.iter().map(|recipient| {
        let said = [
            Some(Extension::of("state", Value::Code(recipient.state.word()))),
            recipient
                .reason
                .map(|reason| Extension::of("reason", Value::Code(reason.word()))),
            instant(recipient.changed_ms).map(|at| Extension::of("at", Value::Instant(at))),
        ];
        Reference {
            extension: vec![Extension::group(
                vocabulary::DELIVERY,
                said.into_iter().flatten().collect(),
            )],
            ..user(heading, &recipient.user_id)
        }
    });
    reached.collect()
}

/// Within the bundle where it is there; otherwise by its identifier, as far as that is known.
fn answers<'a>(heading: &Heading, entry: &Entry) -> Option<Reference<'a>> {
    let answers = entry.answers.as_ref()?;
    let (system, value) = match &answers.sender {
        Some(sender) if answers.is_in_export => {
            let id = heading.naming.message(sender, answers.message_id);
            return Some(Reference::to(&id));
        }
        Some(sender) => ("message", naming::message(sender, answers.message_id)),
        None => ("message-id", answers.message_id.to_string()),
    };
    Some(Reference {
        kind: Some("Communication"),
        identifier: Some(Identifier {
            system: heading.naming.system(system),
            value: value.into(),
        }),
        ..Reference::default()
    })
}

/// A text that FHIR's `string` cannot say is told as that and, byte by byte, as a file.
fn payload<'a>(heading: &Heading, entry: &'a Entry) -> Vec<Payload<'a>> {
    let message = &entry.message;
    let mut payload: Vec<Payload<'a>> = Vec::new();
    payload.extend(string(&message.text).map(Payload::Text));
    if !is_string(&message.text) {
        payload.push(Payload::File(Attachment {
            content_type: Some("text/plain; charset=utf-8".into()),
            data: Some(STANDARD.encode(&message.text)),
            ..Attachment::default()
        }));
    }
    for attachment in &entry.attachments {
        let id = document_id(heading, entry, attachment);
        payload.push(Payload::Elsewhere(Reference::to(&id)));
    }
    payload
}

fn earlier(version: &connect_store::amendments::Version) -> Extension<'_> {
    let said = [
        string(&version.text).map(|text| Extension::of("text", Value::Text(text))),
        instant(version.written_ms).map(|at| Extension::of("written", Value::Instant(at))),
    ];
    Extension::group(
        vocabulary::EARLIER_TEXT,
        said.into_iter().flatten().collect(),
    )
}

/// That it was changed, by whom and when; never a text itself, which would be read as Markdown.
fn notes<'a>(heading: &'a Heading, entry: &Entry) -> Vec<Annotation<'a>> {
    let message = &entry.message;
    let amended = [
        ("Edited by its author", message.edited_ms),
        ("Deleted by its author", message.deleted_ms),
    ];
    let note = |(what, at): (&'static str, Option<u64>)| {
        Some(Annotation {
            author_reference: user(heading, &message.sender),
            time: instant(at?),
            text: format!("{what}. {}", count(heading, entry)).into(),
        })
    };
    amended.into_iter().filter_map(note).collect()
}

fn count(heading: &Heading, entry: &Entry) -> String {
    let all = entry.earlier_count;
    let told = entry.earlier.len() as u64;
    match (heading.has_earlier, told < all) {
        (false, _) => format!("Earlier texts: {all}, not in this export."),
        (true, true) => {
            format!("Earlier texts: {all}, of which the newest {told} are in this export.")
        }
        (true, false) => format!("Earlier texts: {all}."),
    }
}

fn document_id(heading: &Heading, entry: &Entry, file: &File) -> String {
    let message = &entry.message;
    let parts = [
        message.sender.as_str(),
        &message.message_id.to_string(),
        &file.id,
    ];
    heading.naming.uuid("attachment", &parts)
}

pub(super) fn document<'a>(
    heading: &'a Heading,
    entry: &'a Entry,
    file: &'a File,
) -> (String, DocumentReference<'a>) {
    let id = document_id(heading, entry, file);
    let message = &entry.message;
    let fits = file.size <= LARGEST;
    let large = (!fits).then(|| Extension::of(vocabulary::SIZE, Value::Decimal(file.size)));
    let document = DocumentReference {
        id: id.clone(),
        identifier: vec![Identifier {
            system: heading.naming.system("attachment"),
            value: file.id.as_str().into(),
        }],
        status: match message.deleted_ms {
            Some(_) => "entered-in-error",
            None => "current",
        },
        subject: patient(heading),
        date: instant(message.timestamp_ms),
        author: vec![user(heading, &message.sender)],
        content: vec![DocumentContent {
            attachment: Attachment {
                extension: large.into_iter().collect(),
                content_type: string(&file.media_type),
                data: file.content.as_ref().map(|slot| slot.as_str().to_owned()),
                size: fits.then_some(file.size),
                title: string(&file.file_name),
            },
        }],
    };
    (id, document)
}

pub(super) fn provenance<'a>(
    heading: &'a Heading,
    entry: &'a Entry,
    people: &People,
    id: &str,
) -> (String, Provenance<'a>) {
    let message = &entry.message;
    let provenance_id = heading.naming.uuid("provenance", &[id]);
    let under = if message.retired_key {
        "retired_key"
    } else {
        "current"
    };
    let standing = people.standing(&message.sender).word();
    let known = [
        Some(Extension::of(
            vocabulary::KEY_STANDING,
            Value::Code(standing),
        )),
        Some(Extension::of(vocabulary::SENT_UNDER, Value::Code(under))),
        entry
            .signature
            .map(|found| Extension::of(vocabulary::SIGNATURE, Value::Code(found.word()))),
    ];
    let agent = |kind, who, extension| Agent {
        extension,
        kind: Concept::coded(vocabulary::PARTICIPANT_TYPE, kind),
        who: user(heading, who),
    };
    let documents = entry
        .attachments
        .iter()
        .map(|file| Reference::to(&document_id(heading, entry, file)));
    let provenance = Provenance {
        id: provenance_id.clone(),
        target: std::iter::once(Reference::to(id))
            .chain(documents)
            .collect(),
        occurred_date_time: instant(message.timestamp_ms),
        recorded: recorded(message.stored_ms),
        activity: Concept::coded(vocabulary::DATA_OPERATION, "CREATE"),
        agent: vec![
            agent(
                "author",
                &message.sender,
                known.into_iter().flatten().collect(),
            ),
            agent("custodian", &heading.exporter, Vec::new()),
        ],
    };
    (provenance_id, provenance)
}
