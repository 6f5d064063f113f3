//! `events.*`.

use std::sync::Arc;

use connect_api::errors::ErrorCode;
use connect_api::events::{
    self as api, Ack, Acked, List, Subscribe, SubscribeParams, Unsubscribe, UnsubscribeParams,
};
use connect_service::events;
use jsonrpsee::core::RegisterMethodError;
use jsonrpsee::core::server::Extensions;
use jsonrpsee::types::Params;

use crate::rpc::attend::{Call, attend};
use crate::rpc::context::{Caller, Context};
use crate::rpc::decode::{decode, limit, paged};
use crate::rpc::failure::Failure;
use crate::rpc::{Module, notifications, pages};

pub(super) fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    super::register::<List, _, _>(module, async |context, caller, params| {
        let limit = limit(params.limit)?;
        let unlocked = context.session.unlocked()?;
        let gone = match params.after {
            Some(after) => {
                events::check_reached(&unlocked, "after", after).await?;
                events::expired(&unlocked, after).await?
            }
            None => None,
        };
        let after = gone.map_or(params.after.unwrap_or_default(), |(_, to)| to);
        let room = limit - u32::from(gone.is_some());
        let kinds = caller.principal.events();
        let found = events::list_of(&unlocked, kinds.as_deref(), after, room + 1).await?;
        let (page, more) = paged(found, room);
        let gone = gone.into_iter().map(notifications::expired);
        let items = gone.chain(page.into_iter().map(notifications::shape));
        let items = items.map(|event| (event.event_id, event));
        Ok(pages::page(&context.limits, items.collect(), more))
    })?;
    super::register::<Ack, _, _>(module, async |context, caller, params| {
        let unlocked = context.session.unlocked()?;
        let event_id = events::acknowledge(&unlocked, caller.app(), params.event_id).await?;
        Ok(Acked { event_id })
    })?;
    module.register_async_method(api::SUBSCRIBE, async |params, context, extensions| {
        let call = Call::of::<Subscribe>(extensions.get(), None);
        attend(&context, call, subscribe(&params, &context, &extensions)).await
    })?;
    module.register_async_method(api::UNSUBSCRIBE, async |params, context, extensions| {
        let call = Call::of::<Unsubscribe>(extensions.get(), None);
        attend(&context, call, async { unsubscribe(&params, &extensions) }).await
    })?;
    Ok(())
}

fn caller(extensions: &Extensions) -> Result<&Arc<Caller>, Failure> {
    let caller = extensions
        .get::<Arc<Caller>>()
        .ok_or(Failure::internal("no caller"))?;
    caller.principal.may(api::ACCESS)?;
    Ok(caller)
}

/// Nothing tells when a place becomes free: the client itself ends a subscription, or does not.
const ANOTHER_TRY_MS: u64 = 1000;

/// The subscription belongs to the connection, which starts it once this is answered.
async fn subscribe(
    params: &Params<'_>,
    context: &Context,
    extensions: &Extensions,
) -> Result<u64, Failure> {
    let caller = caller(extensions)?;
    super::lock_if_idle(context).await?;
    let unlocked = context.session.unlocked()?;
    let params: SubscribeParams = decode(params.as_str())?;
    let after = events::start(&unlocked, caller.app(), params.after).await?;
    caller
        .link
        .subscriptions
        .open(after, caller.principal.events())
        .map_err(|_| Failure::retry_after(ErrorCode::RateLimited, ANOTHER_TRY_MS))
}

fn unsubscribe(params: &Params<'_>, extensions: &Extensions) -> Result<bool, Failure> {
    let caller = caller(extensions)?;
    let params: UnsubscribeParams = decode(params.as_str())?;
    Ok(caller.link.subscriptions.close(params.subscription))
}
