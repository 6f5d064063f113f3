//! What orders do, and what is told of them, once it is known that they may.

use connect_proto::hash::{Digest, sha256};
use connect_proto::ids::UserId;
use connect_proto::{codec, wire};
use serde_json::{Value, json};

use super::execute::Outcome;
use super::order::{Order, Role};
use super::refused::OrderRefused;
use crate::store::log::Entry;
use crate::store::news::News;
use crate::store::operators::Operator;
use crate::store::writer::Tx;
use crate::store::{accounts, chain, deletion, proposals, revocation};

/// What an order says of itself.
pub(super) fn about(order: &Order) -> Entry {
    let mut entry = Entry {
        order: order.word().to_owned(),
        ..Entry::default()
    };
    let user = |user_id: &UserId| Some(user_id.as_str().to_owned());
    match order {
        Order::IssueCode { user_id, .. }
        | Order::Show { user_id }
        | Order::Attest { user_id, .. }
        | Order::WithdrawAttestation { user_id } => entry.user_id = user(user_id),
        Order::RevokeKeys {
            user_id,
            reason,
            revision,
            note,
        }
        | Order::DeleteAccount {
            user_id,
            reason,
            revision,
            note,
        } => {
            entry.user_id = user(user_id);
            entry.reason = Some(reason.word().to_owned());
            entry.revision = *revision;
            entry.note = note.clone().map(String::from);
        }
        Order::Confirm { id } | Order::Cancel { id } => entry.proposal = Some(*id),
        Order::AddOperator { name, may, .. } => {
            entry.credential = Some(name.as_str().to_owned());
            entry.may = Some(may.iter().map(|role| role_word(*role).to_owned()).collect());
        }
        Order::RemoveOperator { name } => entry.credential = Some(name.as_str().to_owned()),
        Order::Pending | Order::ListOperators | Order::Audit { .. } => {}
    }
    entry
}

const fn role_word(role: Role) -> &'static str {
    match role {
        Role::Attest => "attest",
        Role::Revoke => "revoke",
    }
}

/// Whether a revocation or deletion could be carried out now, and on what.
pub(super) async fn look(
    tx: &mut Tx,
    order: &Order,
) -> Result<Result<chain::Link, OrderRefused>, sqlx::Error> {
    let (user_id, revision) = match order {
        Order::RevokeKeys {
            user_id, revision, ..
        }
        | Order::DeleteAccount {
            user_id, revision, ..
        } => (user_id, *revision),
        _ => return Ok(Err(OrderRefused::UnknownProposal)),
    };
    let Some(latest) = chain::latest(tx, user_id).await? else {
        return Ok(Err(OrderRefused::UnknownUser));
    };
    let is_revocation = matches!(order, Order::RevokeKeys { .. });
    // Of a deleted user a key may still turn out to be compromised, if it is named.
    if latest.account == crate::store::Account::Deleted && !(is_revocation && revision.is_some()) {
        return Ok(Err(OrderRefused::UnknownUser));
    }
    let Order::RevokeKeys { reason, .. } = order else {
        let is_the_same = revision.is_none_or(|revision| revision == latest.revision);
        return Ok(is_the_same
            .then_some(latest)
            .ok_or(OrderRefused::ChangedSince));
    };
    let link = chain::find(tx, user_id, revision).await?;
    Ok(match link {
        Some(link) if revocation::may_end(&link, reason.state()) => Ok(link),
        Some(_) if revision.is_none() => Err(OrderRefused::NoActiveKey),
        _ => Err(OrderRefused::UnknownKey),
    })
}

pub(super) async fn end(
    tx: &mut Tx,
    order: &Order,
    seq: u64,
    news: &News,
) -> Result<Outcome, sqlx::Error> {
    let link = match look(tx, order).await? {
        Ok(link) => link,
        Err(refused) => return Ok(Err(refused)),
    };
    match order {
        Order::RevokeKeys {
            user_id, reason, ..
        } => {
            revocation::revoke(tx, user_id, &link, reason.state(), seq, news).await?;
            Ok(Ok(json!({ "revision": link.revision })))
        }
        Order::DeleteAccount {
            user_id, reason, ..
        } => {
            let state = reason.state();
            deletion::delete(tx, user_id, &link, state, Some(seq), news).await?;
            Ok(Ok(json!({})))
        }
        _ => Ok(Err(OrderRefused::UnknownProposal)),
    }
}

pub(super) async fn show(tx: &mut Tx, user_id: &UserId) -> Result<Outcome, sqlx::Error> {
    let Some(entry) = accounts::entry(tx, user_id).await? else {
        return Ok(Err(OrderRefused::UnknownUser));
    };
    let profile = entry.profile.unwrap_or_default();
    let keys: Vec<_> = entry.keys.iter().map(key).collect();
    Ok(Ok(json!({
        "user_id": entry.user_id,
        "display_name": profile.display_name,
        "profession": profile.profession,
        "organisation": profile.organisation,
        "profile_digest": hex::encode(digest(&profile)),
        "attested": entry.attested,
        "keys": keys,
    })))
}

fn key(key: &wire::PublishedKey) -> Value {
    let bundle = key.bundle.as_ref();
    let bundle = bundle.and_then(|bundle| connect_proto::bundle::open(bundle).ok());
    let state = match key.state() {
        wire::KeyState::KeyActive => "active",
        wire::KeyState::KeyReplaced => "replaced",
        wire::KeyState::KeyRevoked => "revoked",
        wire::KeyState::KeyCompromised => "compromised",
    };
    json!({
        "revision": bundle.as_ref().map(|bundle| bundle.revision),
        "installation_id": bundle.as_ref().map(|bundle| bundle.installation_id.to_string()),
        "state": state,
        "changed_ms": key.changed_ms,
    })
}

pub(super) async fn attest(
    tx: &mut Tx,
    user_id: &UserId,
    seen: &Digest,
    seq: u64,
) -> Result<Outcome, sqlx::Error> {
    let Some(entry) = accounts::entry(tx, user_id).await? else {
        return Ok(Err(OrderRefused::UnknownUser));
    };
    if digest(&entry.profile.unwrap_or_default()) != *seen {
        return Ok(Err(OrderRefused::ProfileChanged));
    }
    accounts::set_attested(tx, user_id, Some(seq)).await?;
    Ok(Ok(json!({})))
}

fn digest(profile: &wire::Profile) -> Digest {
    sha256(&codec::encode(profile))
}

pub(super) fn pending(all: Vec<proposals::Proposal>) -> Value {
    let all: Vec<_> = all
        .into_iter()
        .map(|proposal| {
            json!({
                "id": proposal.id,
                "proposed_by": proposal.name,
                "made_ms": proposal.made_ms,
                "expires_ms": proposal.expires_ms,
                "wanted": serde_json::from_str::<Value>(&proposal.wanted).unwrap_or_default(),
            })
        })
        .collect();
    json!({ "pending": all })
}

pub(super) fn described(operator: &Operator) -> Value {
    let mut roles = Vec::new();
    if operator.may_attest {
        roles.push(role_word(Role::Attest));
    }
    if operator.may_revoke {
        roles.push(role_word(Role::Revoke));
    }
    json!({
        "name": operator.name,
        "may": roles,
        "added_ms": operator.added_ms,
        "by": if operator.by_certificate { "certificate" } else { "token" },
    })
}
