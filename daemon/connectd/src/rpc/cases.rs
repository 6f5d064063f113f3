//! `cases.*`.

use std::iter;

use connect_api::cases::{
    AddParticipant, Case, CaseRole, CaseState, CaseSummary, Close, Create, ExportCase, Field,
    FieldHistory, FieldVersion, Get, Leave, List, ListFieldHistory, Participant, ParticipantParams,
    RemoveParticipant, SetField,
};
use connect_core::case::control::{Control, Role};
use connect_proto::ids::{CaseId, UserId};
use connect_service::cases::change;
use connect_service::cases::create::{self, Request};
use connect_service::cases::field::{self, Change, PLAIN};
use connect_service::cases::read::{self, View};
use connect_service::unlocked::Unlocked;
use connect_store::cases::Case as StoredCase;
use connect_store::cases::fields::Kept;
use connect_store::conversations::Conversation;
use jsonrpsee::core::RegisterMethodError;

use crate::rpc::context::Context;
use crate::rpc::conversations::{Part, export, in_clear};
use crate::rpc::decode::{id, limit, optional_id, paged};
use crate::rpc::failure::Failure;
use crate::rpc::{Module, pages, shapes};

pub(super) fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    super::register::<Create, _, _>(module, async |context, caller, params| {
        context.allow_send(&caller)?;
        let participants = params.participants.iter();
        let request = Request {
            title: params.title.clone(),
            patient_reference: params.patient_reference.clone().unwrap_or_default(),
            participants: participants
                .map(|user| id("participants", user))
                .collect::<Result<_, _>>()?,
            fields: params.fields,
        };
        let unlocked = context.session.unlocked()?;
        let case_id = create::create(&unlocked, request).await?;
        shown(&context, &unlocked, case_id).await
    })?;
    super::register::<ExportCase, _, _>(module, async |context, caller, params| {
        let case = Conversation::Case(id("case", &params.case)?);
        let part = Part {
            between: (params.from_ms, params.to_ms),
            files_up_to_bytes: params.files_up_to_bytes,
        };
        let wanted = in_clear(&caller, case, params.format, part)?;
        let unlocked = context.session.unlocked()?;
        export(&context, &caller, &unlocked, wanted).await
    })?;
    super::register::<Get, _, _>(module, async |context, _, params| {
        let case_id = id("case", &params.case)?;
        shown(&context, &*context.session.unlocked()?, case_id).await
    })?;
    super::register::<List, _, _>(module, async |context, _, params| {
        let limit = limit(params.limit)?;
        let before = optional_id("after", params.after.as_deref())?;
        let unlocked = context.session.unlocked()?;
        let found = read::list(&unlocked, before, limit + 1).await?;
        let (page, more) = paged(found, limit);
        let items = page.into_iter().map(|(case, control)| {
            let summary = summary(&case, control);
            (summary.case.clone(), summary)
        });
        Ok(pages::page(&context.limits, items.collect(), more))
    })?;
    register_fields(module)?;
    register_changes(module)
}

fn register_fields(module: &mut Module) -> Result<(), RegisterMethodError> {
    super::register::<SetField, _, _>(module, async |context, caller, params| {
        context.allow_send(&caller)?;
        let case_id = id("case", &params.case)?;
        let change = Change {
            name: &params.name,
            value: params.value.as_bytes(),
            media_type: params.media_type.as_deref().unwrap_or(PLAIN),
            expected_revision: params.expected_revision,
        };
        let unlocked = context.session.unlocked()?;
        field::set(&unlocked, case_id, change).await?;
        shown(&context, &unlocked, case_id).await
    })?;
    super::register::<ListFieldHistory, _, _>(module, async |context, _, params| {
        let case_id = id("case", &params.case)?;
        let unlocked = context.session.unlocked()?;
        let kept = field::history(&unlocked, case_id, &params.name).await?;
        let mut history = FieldHistory {
            items: kept.into_iter().map(version).collect(),
        };
        pages::fit(&context.limits, &mut history, |history| {
            let versions = history.items.iter_mut();
            versions.map(|version| &mut version.value).collect()
        });
        Ok(history)
    })
}

fn register_changes(module: &mut Module) -> Result<(), RegisterMethodError> {
    super::register::<AddParticipant, _, _>(module, async |context, caller, params| {
        context.allow_send(&caller)?;
        let (case_id, user_id) = named(&params)?;
        let unlocked = context.session.unlocked()?;
        change::add(&unlocked, case_id, &user_id).await?;
        shown(&context, &unlocked, case_id).await
    })?;
    super::register::<RemoveParticipant, _, _>(module, async |context, caller, params| {
        context.allow_send(&caller)?;
        let (case_id, user_id) = named(&params)?;
        let unlocked = context.session.unlocked()?;
        change::remove(&unlocked, case_id, &user_id).await?;
        shown(&context, &unlocked, case_id).await
    })?;
    super::register::<Leave, _, _>(module, async |context, caller, params| {
        context.allow_send(&caller)?;
        let case_id = id("case", &params.case)?;
        let unlocked = context.session.unlocked()?;
        change::leave(&unlocked, case_id).await?;
        shown(&context, &unlocked, case_id).await
    })?;
    super::register::<Close, _, _>(module, async |context, caller, params| {
        context.allow_send(&caller)?;
        let case_id = id("case", &params.case)?;
        let unlocked = context.session.unlocked()?;
        change::close(&unlocked, case_id).await?;
        shown(&context, &unlocked, case_id).await
    })
}

fn named(params: &ParticipantParams) -> Result<(CaseId, UserId), Failure> {
    Ok((id("case", &params.case)?, id("user_id", &params.user_id)?))
}

/// What a call changed is answered, however much the case has: values that do not fit are got by their history.
async fn shown(context: &Context, unlocked: &Unlocked, case_id: CaseId) -> Result<Case, Failure> {
    let mut case = shape(read::get(unlocked, case_id).await?);
    pages::fit(&context.limits, &mut case, |case| {
        let versions = case.fields.iter_mut();
        let versions = versions.flat_map(|it| iter::once(&mut it.newest).chain(&mut it.conflicts));
        versions.map(|version| &mut version.value).collect()
    });
    Ok(case)
}

fn shape(view: View) -> Case {
    let View {
        case,
        control,
        people,
        fields,
    } = view;
    Case {
        case: case.case_id.to_string(),
        state: state(&case, &control),
        title: control.title,
        patient_reference: reference(control.patient_reference),
        revision: control.revision,
        epoch: control.epoch,
        participants: people
            .into_iter()
            .map(|person| Participant {
                user_id: person.user_id.into_string(),
                display_name: person.display_name,
                role: match person.role {
                    Role::Member => CaseRole::Member,
                    Role::Admin => CaseRole::Admin,
                },
                trust: person.trust.map(shapes::trust),
            })
            .collect(),
        fields: by_name(fields),
        awaits_history: case.introduced_by.is_some() && !case.history_is_here,
        created_ms: case.created_ms,
        changed_ms: case.changed_ms,
    }
}

fn summary(case: &StoredCase, control: Control) -> CaseSummary {
    CaseSummary {
        case: case.case_id.to_string(),
        state: state(case, &control),
        title: control.title,
        patient_reference: reference(control.patient_reference),
        revision: control.revision,
        participants: control
            .roster
            .into_iter()
            .map(|one| one.user_id.into_string())
            .collect(),
        changed_ms: case.changed_ms,
    }
}

fn state(case: &StoredCase, control: &Control) -> CaseState {
    if case.left_ms.is_some() {
        CaseState::Left
    } else if control.closed {
        CaseState::Closed
    } else {
        CaseState::Open
    }
}

fn reference(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

/// The first of each name is the newest.
fn by_name(kept: Vec<Kept>) -> Vec<Field> {
    let mut fields: Vec<Field> = Vec::new();
    for one in kept {
        let name = one.name.clone();
        let version = version(one);
        match fields.last_mut() {
            Some(field) if field.name == name => field.conflicts.push(version),
            _ => fields.push(Field {
                name,
                newest: version,
                conflicts: Vec::new(),
            }),
        }
    }
    fields
}

fn version(kept: Kept) -> FieldVersion {
    FieldVersion {
        revision: kept.revision,
        value: String::from_utf8(kept.value).ok(),
        media_type: kept.media_type,
        author: kept.author.into_string(),
        written_ms: kept.written_ms,
    }
}
