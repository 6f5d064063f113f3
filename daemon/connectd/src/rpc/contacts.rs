//! `contacts.*`.

use connect_api::contacts::{Add, Block, FoundUser, Get, List, Remove, Search};
use connect_api::errors::Reason;
use connect_api::page::Page;
use connect_service::searching::{self, Found};
use connect_service::{blocking, contacts};
use jsonrpsee::core::RegisterMethodError;

use crate::rpc::decode::{id, limit, optional_id, paged};
use crate::rpc::failure::Failure;
use crate::rpc::{Module, pages, shapes};

const DEFAULT_SEARCH: u32 = 20;
/// As the relay has it.
const MAX_SEARCH: u32 = 50;

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
    })?;
    super::register::<Search, _, _>(module, async |context, _, params| {
        let limit = params.limit.unwrap_or(DEFAULT_SEARCH);
        if !(1..=MAX_SEARCH).contains(&limit) {
            return Err(Failure::invalid("limit", Reason::OutOfRange));
        }
        let unlocked = context.session.unlocked()?;
        let found = searching::search(&unlocked, &params.query, limit).await?;
        Ok(Page {
            items: found.into_iter().map(found_user).collect(),
            next: None,
        })
    })?;
    super::register::<Remove, _, _>(module, async |context, _, params| {
        let user_id = id("user_id", &params.user_id)?;
        let removed = contacts::remove(&context.session.unlocked()?, &user_id).await?;
        Ok(shapes::contact(removed))
    })?;
    super::register::<Block, _, _>(module, async |context, _, params| {
        let user_id = id("user_id", &params.user_id)?;
        let unlocked = context.session.unlocked()?;
        let contact = blocking::block(&unlocked, &user_id, params.blocked).await?;
        Ok(shapes::contact(contact))
    })
}

fn found_user(found: Found) -> FoundUser {
    FoundUser {
        user_id: found.user_id.into_string(),
        display_name: found.display_name,
        profession: found.profession,
        organisation: found.organisation,
        attested: found.attested,
        is_contact: found.is_contact,
    }
}
