//! `conversations.*`.

use connect_api::conversations::{List, Summary};
use connect_service::messages;
use connect_store::conversations::Listed;
use connect_store::messages::Message;
use jsonrpsee::core::RegisterMethodError;

use crate::rpc::decode::{limit, optional_id, paged};
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
