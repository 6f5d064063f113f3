//! `events.*`.

use std::sync::Arc;

use connect_api::errors::ErrorCode;
use connect_api::events::{self as api, List, SubscribeParams};
use connect_api::page::Page;
use connect_service::events;
use jsonrpsee::core::RegisterMethodError;
use jsonrpsee::core::server::Extensions;
use jsonrpsee::types::{ErrorObjectOwned, Params};
use serde::Deserialize;

use crate::rpc::context::{Caller, Context};
use crate::rpc::decode::{decode, limit, paged};
use crate::rpc::failure::Failure;
use crate::rpc::{Module, notifications};

pub(super) fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    super::register::<List, _, _>(module, async |context, _, params| {
        let limit = limit(params.limit)?;
        let unlocked = context.session.unlocked()?;
        let after = params.after.unwrap_or_default();
        let found = events::list(&unlocked, after, limit + 1).await?;
        let (page, more) = paged(found, limit);
        let next = page.last().filter(|_| more);
        Ok(Page {
            next: next.map(|event| event.event_id),
            items: page.into_iter().map(notifications::shape).collect(),
        })
    })?;
    module.register_async_method(api::SUBSCRIBE, async |params, context, extensions| {
        let opened = subscribe(&params, &context, &extensions);
        opened.map_err(|failure| failure.into_error(&context, api::SUBSCRIBE))
    })?;
    module.register_async_method(api::UNSUBSCRIBE, async |params, context, extensions| {
        let closed = unsubscribe(&params, &extensions);
        let closed: Result<bool, ErrorObjectOwned> =
            closed.map_err(|failure| failure.into_error(&context, api::UNSUBSCRIBE));
        closed
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

/// The subscription belongs to the connection, which starts it once this is answered.
fn subscribe(
    params: &Params<'_>,
    context: &Context,
    extensions: &Extensions,
) -> Result<u64, Failure> {
    let caller = caller(extensions)?;
    let newest = context.session.unlocked()?.newest_event();
    let params: SubscribeParams = decode(params.as_str())?;
    // "From now on" is settled here: what happens before the subscription runs is replayed.
    let after = params.after.unwrap_or(newest);
    caller
        .subscriptions
        .open(after)
        .map_err(|_| Failure::new(ErrorCode::RateLimited))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UnsubscribeParams {
    subscription: u64,
}

fn unsubscribe(params: &Params<'_>, extensions: &Extensions) -> Result<bool, Failure> {
    let caller = caller(extensions)?;
    let params: UnsubscribeParams = decode(params.as_str())?;
    Ok(caller.subscriptions.close(params.subscription))
}
