//! `conversations.*`.

use std::sync::Arc;

use connect_api::conversations::{
    Export, ExportConversation, ExportFormat, ExportParams, List, Summary,
};
use connect_api::errors::Reason;
use connect_api::method::Access;
use connect_api::scope::Scope;
use connect_service::export::ask::{self, Format, Wanted};
use connect_service::messages;
use connect_service::unlocked::Unlocked;
use connect_store::conversations::{Conversation, Listed};
use connect_store::messages::Message;
use jsonrpsee::core::RegisterMethodError;

use crate::rpc::backup::issue;
use crate::rpc::context::{Caller, Context};
use crate::rpc::decode::{conversation, limit, optional_id, paged};
use crate::rpc::failure::Failure;
use crate::rpc::streams::errand::{Download, Errand};
use crate::rpc::{Module, pages, shapes};

pub(super) fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    super::register::<List, _, _>(module, async |context, _, params| {
        let limit = limit(params.limit)?;
        let before = optional_id("after", params.after.as_deref())?;
        let unlocked = context.session.unlocked()?;
        let found = messages::list_conversations(&unlocked, before, limit + 1).await?;
        let (page, more) = paged(found, limit);
        let items = page.into_iter();
        let items = items.map(|found| (found.0.last_message.to_string(), summary(found)));
        Ok(pages::page(&context.limits, items.collect(), more))
    })?;
    super::register::<ExportConversation, _, _>(module, async |context, caller, params| {
        let wanted = wanted(&caller, &params)?;
        let unlocked = context.session.unlocked()?;
        export(&context, &caller, &unlocked, wanted).await
    })
}

fn wanted(caller: &Caller, params: &ExportParams) -> Result<Wanted, Failure> {
    let named = conversation(&params.conversation)?;
    if matches!(named, Conversation::Case(_)) {
        // Another scope opens those.
        return Err(Failure::invalid("conversation", Reason::NotSupported));
    }
    let part = Part {
        between: (params.from_ms, params.to_ms),
        files_up_to_bytes: params.files_up_to_bytes,
    };
    in_clear(caller, named, params.format, part)
}

/// How much of a conversation is wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub(super) between: (Option<u64>, Option<u64>),
    pub(super) files_up_to_bytes: Option<u64>,
}

/// Earlier texts and files are for whoever could read them anyway.
pub(super) fn in_clear(
    caller: &Caller,
    conversation: Conversation,
    format: ExportFormat,
    part: Part,
) -> Result<Wanted, Failure> {
    let (from_ms, to_ms) = part.between;
    if part.files_up_to_bytes.is_some() {
        let files = Access::Scope(Scope::AttachmentsRead);
        caller.principal.may(files)?;
    }
    let may_audit = caller.principal.may(Access::Scope(Scope::AuditRead));
    Ok(Wanted {
        conversation,
        format: match format {
            ExportFormat::Fhir => Format::Fhir,
            ExportFormat::Html => Format::Html,
        },
        window: ask::window(from_ms, to_ms)?,
        with_earlier: may_audit.is_ok(),
        files_up_to_bytes: part.files_up_to_bytes,
    })
}

/// The same for whatever can be exported.
pub(super) async fn export(
    context: &Context,
    caller: &Caller,
    unlocked: &Arc<Unlocked>,
    wanted: Wanted,
) -> Result<Export, Failure> {
    ask::check(unlocked, &wanted).await?;
    let format = wanted.format;
    let filename = ask::file_name(unlocked, &wanted);
    let download = Download::Export(Arc::downgrade(unlocked), Box::new(wanted));
    let ticket = issue(context, caller, Errand::Download(download))?.ticket;
    // Nobody has the ticket before its entry is durable.
    ask::enter(unlocked).await?;
    Ok(Export {
        ticket,
        media_type: format.media_type().to_owned(),
        filename: Some(filename),
    })
}

fn summary((listed, last_message): (Listed, Option<Message>)) -> Summary {
    Summary {
        conversation: shapes::conversation(&listed.conversation),
        title: listed.title,
        last_message: last_message.map(shapes::message),
        unread: listed.unread,
    }
}
