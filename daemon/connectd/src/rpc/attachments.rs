//! `attachments.*`: how they stand, and tickets for the streams that carry their bytes.

use std::sync::Arc;

use connect_api::attachments::{
    BeginDownload, BeginDownloadParams, BeginUpload, Cancel, DiscardLocal, Download, Get, List,
    Listed, Standing, Upload,
};
use connect_api::errors::{ErrorCode, Reason};
use connect_core::attachment::name;
use connect_service::attachments::{Announced, download, here, upload};
use connect_service::unlocked::Unlocked;
use jsonrpsee::core::RegisterMethodError;

use crate::rpc::context::{Caller, Context};
use crate::rpc::decode::{conversation, id, limit, optional_id, paged};
use crate::rpc::failure::Failure;
use crate::rpc::streams::errand::{self, Errand};
use crate::rpc::{Module, backup, pages, shapes};

/// Of every thumbnail that a daemon makes; others' may be another image's.
const THUMBNAIL_TYPE: &str = "image/jpeg";

pub(super) fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    super::register::<BeginUpload, _, _>(module, async |context, caller, params| {
        let unlocked = context.session.unlocked()?;
        let announced = Announced {
            size: params.size,
            media_type: params.media_type,
            filename: params.filename,
        };
        // Where no ticket leads to it, or none is shown in time, the room is given back.
        let reserved = upload::announce(&unlocked, caller.app(), &announced).await?;
        let id = reserved.id;
        let issued = backup::issue(&context, &caller, Errand::Attachment(reserved))?;
        Ok(Upload {
            attachment_id: id.to_string(),
            ticket: issued.ticket,
        })
    })?;
    super::register::<BeginDownload, _, _>(module, async |context, caller, params| {
        let unlocked = context.session.unlocked()?;
        begin_download(&context, &caller, &unlocked, &params).await
    })?;
    super::register::<Get, _, _>(module, async |context, caller, params| {
        let id = id("attachment_id", &params.attachment_id)?;
        let unlocked = context.session.unlocked()?;
        Ok(standing(here::get(&unlocked, caller.app(), id).await?))
    })?;
    super::register::<List, _, _>(module, async |context, _, params| {
        let limit = limit(params.limit)?;
        let named = params.conversation.as_ref().map(conversation).transpose()?;
        let after = optional_id("after", params.after.as_deref())?;
        let unlocked = context.session.unlocked()?;
        let found = here::list(&unlocked, named.as_ref(), after, limit + 1).await?;
        let (found, more) = paged(found, limit);
        let items = found.into_iter().map(|(message_id, attached)| {
            let listed = Listed {
                attachment: shapes::attached(attached),
                message_id: message_id.to_string(),
            };
            (listed.attachment.attachment_id.clone(), listed)
        });
        Ok(pages::page(&context.limits, items.collect(), more))
    })?;
    register_ends(module)
}

fn register_ends(module: &mut Module) -> Result<(), RegisterMethodError> {
    super::register::<Cancel, _, _>(module, async |context, caller, params| {
        let id = id("attachment_id", &params.attachment_id)?;
        let unlocked = context.session.unlocked()?;
        Ok(standing(here::cancel(&unlocked, caller.app(), id).await?))
    })?;
    super::register::<DiscardLocal, _, _>(module, async |context, caller, params| {
        let id = id("attachment_id", &params.attachment_id)?;
        let unlocked = context.session.unlocked()?;
        Ok(standing(here::discard(&unlocked, caller.app(), id).await?))
    })
}

async fn begin_download(
    context: &Context,
    caller: &Caller,
    unlocked: &Arc<Unlocked>,
    params: &BeginDownloadParams,
) -> Result<Download, Failure> {
    let id = id("attachment_id", &params.attachment_id)?;
    let offset = params.offset.unwrap_or(0);
    let is_thumbnail = params.thumbnail.unwrap_or(false);
    let found = if is_thumbnail {
        here::get(unlocked, caller.app(), id).await?.stored
    } else {
        download::ask_for(unlocked, caller.app(), id).await?
    };
    let said = found.said;
    let whole = if is_thumbnail {
        said.thumbnail.len() as u64
    } else {
        said.plaintext_size
    };
    if is_thumbnail && whole == 0 {
        return Err(ErrorCode::NotFound.into());
    }
    let Some(size) = whole.checked_sub(offset) else {
        return Err(Failure::invalid("offset", Reason::OutOfRange));
    };
    let errand = if is_thumbnail {
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        errand::Download::Thumbnail(said.thumbnail[from..].to_vec())
    } else {
        errand::Download::Attachment {
            unlocked: Arc::downgrade(unlocked),
            app: caller.app().to_owned(),
            id,
            offset,
        }
    };
    let issued = backup::issue(context, caller, Errand::Download(errand))?;
    Ok(Download {
        ticket: issued.ticket,
        size,
        media_type: if is_thumbnail {
            THUMBNAIL_TYPE.to_owned()
        } else {
            said.media_type
        },
        safe_name: name::for_display(&said.filename),
        filename: said.filename,
    })
}

fn standing(found: here::Standing) -> Standing {
    let message_id = found.stored.message.map(|(_, id, _)| id.to_string());
    Standing {
        outgoing: found.stored.outgoing,
        transferred: found.transferred,
        message_id,
        attachment: shapes::attached(found.stored.into()),
    }
}
