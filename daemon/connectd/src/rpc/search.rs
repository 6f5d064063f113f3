//! `messages.search`.

use connect_api::page::Page;
use connect_api::search::{Hit, Match, Search};
use connect_service::search::{self, Request};
use connect_store::search::Hit as StoredHit;
use jsonrpsee::core::RegisterMethodError;

use crate::rpc::decode::{conversation, limit, optional_id};
use crate::rpc::{Module, pages, shapes};

pub(super) fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    super::register::<Search, _, _>(module, async |context, _, params| {
        let request = Request {
            limit: limit(params.limit)?,
            conversation: params.conversation.as_ref().map(conversation).transpose()?,
            before: optional_id("after", params.after.as_deref())?,
            query: params.query,
        };
        let found = search::search(&*context.session.unlocked()?, &request).await?;
        let items = found.hits.into_iter();
        let items = items.map(|hit| (hit.row.to_string(), shape(hit)));
        let page = pages::page(&context.limits, items.collect(), false);
        Ok(Page {
            next: page.next.or(found.next.map(|row| row.to_string())),
            ..page
        })
    })
}

fn shape(stored: StoredHit) -> Hit {
    let matches = stored.snippet.matches.iter().map(|(start, end)| Match {
        start: small(*start),
        end: small(*end),
    });
    Hit {
        message_id: stored.message_id.to_string(),
        conversation: shapes::conversation(&stored.conversation),
        author: stored.sender.into_string(),
        sent_ms: stored.timestamp_ms,
        matches: matches.collect(),
        snippet: stored.snippet.text,
    }
}

/// A place in a snippet.
fn small(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}
