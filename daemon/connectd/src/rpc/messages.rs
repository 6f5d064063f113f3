//! `messages.*`.

use connect_api::errors::Reason;
use connect_api::messages::{
    AttachParams, Delete, Edit, Get, List, ListParams, ListVersions, MarkRead, Marked, Send, Sent,
    TellTyping, Told, Version, Versions,
};
use connect_api::page::Page;
use connect_proto::ids::AttachmentId;
use connect_service::messages::{self, Place};
use connect_service::send::{self, Request};
use connect_service::{amend, typing};
use jsonrpsee::core::RegisterMethodError;

use crate::limits::Limits;
use crate::rpc::decode::{conversation, id, limit, optional_id, paged};
use crate::rpc::failure::Failure;
use crate::rpc::{Module, pages, shapes};

pub(super) fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    super::register::<Send, _, _>(module, async |context, caller, params| {
        context.allow_send(&caller)?;
        let (text, attachment) = content(params.text, params.attachment)?;
        let request = Request {
            app: caller.app().to_owned(),
            conversation: conversation(&params.conversation)?,
            reply_to: optional_id("reply_to", params.reply_to.as_deref())?,
            text,
            attachment,
            client_ref: params.client_ref,
        };
        let queued = send::send(&context.session.unlocked()?, &request).await?;
        Ok(Sent {
            message_id: queued.message_id.to_string(),
            state: shapes::message_state(queued.state),
        })
    })?;
    super::register::<List, _, _>(module, async |context, _, params| {
        let limit = limit(params.limit)?;
        let named = conversation(&params.conversation)?;
        let place = place(&params)?;
        let unlocked = context.session.unlocked()?;
        let found = messages::list(&unlocked, &named, place, limit + 1).await?;
        Ok(page(&context.limits, found, place, limit))
    })?;
    super::register::<Get, _, _>(module, async |context, _, params| {
        let message_id = id("message_id", &params.message_id)?;
        let message = messages::find(&*context.session.unlocked()?, message_id).await?;
        Ok(shapes::message(message))
    })?;
    super::register::<MarkRead, _, _>(module, async |context, _, params| {
        let named = conversation(&params.conversation)?;
        let up_to = id("up_to", &params.up_to)?;
        let unlocked = context.session.unlocked()?;
        let unread = messages::mark_read(&unlocked, &named, up_to).await?;
        Ok(Marked { unread })
    })?;
    register_amendments(module)
}

fn register_amendments(module: &mut Module) -> Result<(), RegisterMethodError> {
    super::register::<Edit, _, _>(module, async |context, caller, params| {
        context.allow_send(&caller)?;
        let message_id = id("message_id", &params.message_id)?;
        let unlocked = context.session.unlocked()?;
        amend::edit(&unlocked, message_id, &params.text).await?;
        Ok(shapes::message(
            messages::find(&unlocked, message_id).await?,
        ))
    })?;
    super::register::<Delete, _, _>(module, async |context, caller, params| {
        context.allow_send(&caller)?;
        let message_id = id("message_id", &params.message_id)?;
        let unlocked = context.session.unlocked()?;
        amend::delete(&unlocked, message_id).await?;
        Ok(shapes::message(
            messages::find(&unlocked, message_id).await?,
        ))
    })?;
    super::register::<ListVersions, _, _>(module, async |context, _, params| {
        let message_id = id("message_id", &params.message_id)?;
        let found = amend::versions(&*context.session.unlocked()?, message_id).await?;
        let items = found.into_iter().map(|version| Version {
            text: version.text,
            written_ms: version.written_ms,
        });
        Ok(Versions {
            items: items.collect(),
        })
    })?;
    super::register::<TellTyping, _, _>(module, async |context, caller, params| {
        context.allow_send(&caller)?;
        let named = conversation(&params.conversation)?;
        let unlocked = context.session.unlocked()?;
        let told = typing::tell(&unlocked, &named, params.active).await?;
        Ok(Told { told })
    })
}

/// A text, or an attachment with its caption.
fn content(
    text: Option<String>,
    attachment: Option<AttachParams>,
) -> Result<(String, Option<AttachmentId>), Failure> {
    match (text, attachment) {
        (Some(text), None) => Ok((text, None)),
        (None, Some(attach)) => {
            let id = id("attachment_id", &attach.attachment_id)?;
            Ok((attach.caption.unwrap_or_default(), Some(id)))
        }
        (None, None) => Err(Failure::params(Some("text"), Reason::Missing)),
        (Some(_), Some(_)) => Err(Failure::invalid("text", Reason::NotSupported)),
    }
}

fn place(params: &ListParams) -> Result<Place, Failure> {
    let after = optional_id("after", params.after.as_deref())?;
    let before = optional_id("before", params.before.as_deref())?;
    match (after, before) {
        (None, None) => Ok(Place::Newest),
        (Some(id), None) => Ok(Place::OlderThan(id)),
        (None, Some(id)) => Ok(Place::NewerThan(id)),
        (Some(_), Some(_)) => Err(Failure::invalid("before", Reason::NotSupported)),
    }
}

/// Newest first. Going up, the one too many stands at the top; going down, at the bottom.
fn page(
    limits: &Limits,
    mut found: Vec<connect_store::messages::Message>,
    place: Place,
    limit: u32,
) -> Page<connect_api::messages::Message> {
    if matches!(place, Place::NewerThan(_)) && found.len() > limit as usize {
        found.remove(0);
    }
    let (page, older) = paged(found, limit);
    let items = page.into_iter().map(shapes::message);
    let items: Vec<_> = items
        .map(|message| (message.message_id.clone(), message))
        .collect();
    match place {
        // Above a given message there is always more below: that message itself.
        Place::NewerThan(_) => pages::page_up_to(limits, items),
        Place::Newest | Place::OlderThan(_) => pages::page(limits, items, older),
    }
}
