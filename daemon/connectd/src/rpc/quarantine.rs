//! `quarantine.*`.

use connect_api::quarantine::{Get, List, Quarantined, QuarantinedMessage, UnprovenContent};
use connect_service::quarantine::{self, Unproven};
use connect_store::quarantine::Kept;
use jsonrpsee::core::RegisterMethodError;

use crate::rpc::decode::{digest, limit, paged};
use crate::rpc::{Module, pages, shapes};

pub(super) fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    super::register::<List, _, _>(module, async |context, _, params| {
        let limit = limit(params.limit)?;
        let after = params.after.as_deref().map(|after| digest("after", after));
        let after = after.transpose()?;
        let unlocked = context.session.unlocked()?;
        let found = quarantine::list(&unlocked, after.as_ref(), limit + 1).await?;
        let (page, more) = paged(found, limit);
        let items = page.into_iter().map(shape);
        let items = items.map(|item| (item.quarantine_id.clone(), item));
        Ok(pages::page(&context.limits, items.collect(), more))
    })?;
    super::register::<Get, _, _>(module, async |context, _, params| {
        let digest = digest("quarantine_id", &params.quarantine_id)?;
        let unlocked = context.session.unlocked()?;
        let (kept, unproven) = quarantine::find(&unlocked, &digest).await?;
        Ok(QuarantinedMessage {
            quarantined: shape(kept),
            unproven: unproven.map(content),
        })
    })
}

fn shape(kept: Kept) -> Quarantined {
    Quarantined {
        quarantine_id: hex::encode(kept.digest),
        reason: kept.reason,
        sender: Some(kept.sender).filter(|sender| !sender.is_empty()),
        message_id: Some(hex::encode(kept.message_id)).filter(|id| !id.is_empty()),
        stored_ms: kept.stored_ms,
    }
}

fn content(unproven: Unproven) -> UnprovenContent {
    UnprovenContent {
        kind: unproven.kind.to_owned(),
        text: unproven.text,
        claimed_ms: unproven.claimed_ms,
        key: hex::encode(unproven.key),
        key_state: shapes::key_state(unproven.key_state),
    }
}
