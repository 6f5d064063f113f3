//! `contacts.*`.

use connect_api::contacts::{Add, Get, List};
use connect_service::contacts;
use jsonrpsee::core::RegisterMethodError;

use crate::rpc::decode::{id, limit, optional_id, paged};
use crate::rpc::{Module, pages, shapes};

pub(super) fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    super::register::<Add, _, _>(module, async |context, _, params| {
        let user_id = id("user_id", &params.user_id)?;
        let contact = contacts::add(&context.session.unlocked()?, &user_id).await?;
        Ok(shapes::contact(contact))
    })?;
    super::register::<Get, _, _>(module, async |context, _, params| {
        let user_id = id("user_id", &params.user_id)?;
        let contact = contacts::find(&*context.session.unlocked()?, &user_id).await?;
        Ok(shapes::contact(contact))
    })?;
    super::register::<List, _, _>(module, async |context, _, params| {
        let limit = limit(params.limit)?;
        let after = optional_id("after", params.after.as_deref())?;
        let unlocked = context.session.unlocked()?;
        let found = contacts::list(&unlocked, after.as_ref(), limit + 1).await?;
        let (page, more) = paged(found, limit);
        let items = page.into_iter().map(shapes::contact);
        let items = items.map(|contact| (contact.user_id.clone(), contact));
        Ok(pages::page(&context.limits, items.collect(), more))
    })
}
