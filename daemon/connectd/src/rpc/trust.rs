//! `trust.*`.

use connect_api::errors::Reason;
use connect_api::trust::{
    Compare, CompareParams, Compared, Decide, Decision, Digits, Fingerprint, Import, ImportOutcome,
    Imported, ImportedEntry, ListPending, Pending, SignedVerification, Verification,
    VerificationEntry,
};
use connect_service::trust::{self, Choice};
use connect_service::verification::{self, Entry, Named, Outcome, Statement};
use jsonrpsee::core::RegisterMethodError;

use crate::rpc::context::Context;
use crate::rpc::decode::{digest, id, limit, optional_id, paged};
use crate::rpc::failure::Failure;
use crate::rpc::{Module, pages, shapes};

pub(super) fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    super::register::<Fingerprint, _, _>(module, async |context, _, params| {
        let user_id = id("user_id", &params.user_id)?;
        let both = trust::fingerprint(&context.session.unlocked()?, &user_id).await?;
        Ok(Digits {
            digits: both.groups().to_owned(),
            qr: both.digits(),
        })
    })?;
    super::register::<Compare, _, _>(module, async |context, _, params| {
        let user_id = id("user_id", &params.user_id)?;
        let (field, told) = told(&params)?;
        let unlocked = context.session.unlocked()?;
        let verified = trust::compare(&unlocked, &user_id, told, field).await?;
        Ok(Compared { verified })
    })?;
    super::register::<Decide, _, _>(module, async |context, _, params| {
        let user_id = id("user_id", &params.user_id)?;
        let key = params.key.as_deref().map(|key| digest("key", key));
        let key = key.transpose()?;
        let choice = match params.decision {
            Decision::Accept => Choice::Accept,
            Decision::Reject => Choice::Reject,
        };
        let unlocked = context.session.unlocked()?;
        let contact = trust::decide(&unlocked, &user_id, choice, key.as_ref()).await?;
        Ok(shapes::contact(contact))
    })?;
    super::register::<ListPending, _, _>(module, async |context, _, params| {
        let limit = limit(params.limit)?;
        let after = optional_id("after", params.after.as_deref())?;
        let unlocked = context.session.unlocked()?;
        let found = trust::pending(&unlocked, after.as_ref(), limit + 1).await?;
        let (page, more) = paged(found, limit);
        let items = page.into_iter().map(|(contact, held)| {
            let contact = shapes::contact(contact);
            (contact.user_id.clone(), Pending { contact, held })
        });
        Ok(pages::page(&context.limits, items.collect(), more))
    })?;
    super::register::<Import, _, _>(module, async |context, _, params| {
        import(&context, &params).await
    })
}

/// One of the two.
fn told(params: &CompareParams) -> Result<(&'static str, &str), Failure> {
    match (&params.digits, &params.qr) {
        (Some(digits), None) => Ok(("digits", digits)),
        (None, Some(qr)) => Ok(("qr", qr)),
        (None, None) => Err(Failure::invalid("digits", Reason::Missing)),
        (Some(_), Some(_)) => Err(Failure::invalid("qr", Reason::NotSupported)),
    }
}

/// Nothing of a statement is looked at before its signature has verified.
async fn import(context: &Context, file: &SignedVerification) -> Result<Imported, Failure> {
    let unlocked = context.session.unlocked()?;
    let signature = hex::decode(&file.signature)
        .map_err(|_| Failure::invalid("signature", Reason::Malformed))?;
    let signed = verification::check(
        &context.organisation_keys,
        file.statement.as_bytes(),
        &signature,
    )?;
    let stated: Verification = serde_json::from_str(&file.statement)
        .map_err(|_| Failure::invalid("statement", Reason::Malformed))?;
    let statement = Statement {
        serial: stated.serial,
        valid_until_ms: stated.valid_until_ms,
        entries: stated.entries.iter().map(entry).collect::<Result<_, _>>()?,
    };
    let outcomes = verification::take(&unlocked, &signed, &statement).await?;
    let verified = outcomes
        .iter()
        .filter(|outcome| **outcome == Outcome::Verified);
    Ok(Imported {
        organisation: stated.organisation,
        serial: stated.serial,
        verified: verified.count() as u64,
        entries: stated
            .entries
            .into_iter()
            .zip(outcomes)
            .map(|(entry, outcome)| ImportedEntry {
                user_id: entry.user_id,
                outcome: shape(outcome),
            })
            .collect(),
    })
}

fn entry(stated: &VerificationEntry) -> Result<Entry, Failure> {
    const FIELD: &str = "statement";
    let malformed = Failure::invalid(FIELD, Reason::Malformed);
    let key = match (&stated.key, &stated.fingerprint) {
        (Some(key), None) => Named::Bundle(digest(FIELD, key)?),
        (None, Some(digits)) => Named::fingerprint(digits).ok_or(malformed)?,
        _ => return Err(malformed),
    };
    Ok(Entry {
        user_id: id(FIELD, &stated.user_id)?,
        key,
    })
}

fn shape(outcome: Outcome) -> ImportOutcome {
    match outcome {
        Outcome::Verified => ImportOutcome::Verified,
        Outcome::Already => ImportOutcome::Already,
        Outcome::UnknownContact => ImportOutcome::UnknownContact,
        Outcome::OtherKey => ImportOutcome::OtherKey,
        Outcome::Revoked => ImportOutcome::Revoked,
        Outcome::Rejected => ImportOutcome::Rejected,
    }
}
