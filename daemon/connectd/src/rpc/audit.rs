//! `audit.*`.

use connect_api::audit::{Breach, Broken, Entry, List, Verdict, Verify};
use connect_service::audit;
use connect_store::audit::{
    Broken as StoredBroken, Entry as StoredEntry, Verdict as StoredVerdict,
};
use jsonrpsee::core::RegisterMethodError;

use crate::rpc::decode::{limit, paged};
use crate::rpc::{Module, pages};

pub(super) fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    super::register::<List, _, _>(module, async |context, _, params| {
        let limit = limit(params.limit)?;
        let unlocked = context.session.unlocked()?;
        let found = audit::list(&unlocked, params.after.unwrap_or_default(), limit + 1).await?;
        let (page, more) = paged(found, limit);
        let items = page.into_iter().map(|entry| (entry.entry, shape(entry)));
        Ok(pages::page(&context.limits, items.collect(), more))
    })?;
    super::register::<Verify, _, _>(module, async |context, _, _| {
        let unlocked = context.session.unlocked()?;
        Ok(verdict(audit::verify(&unlocked).await?))
    })
}

fn shape(stored: StoredEntry) -> Entry {
    Entry {
        entry: stored.entry,
        first_ms: stored.tally.first_ms,
        last_ms: stored.tally.last_ms,
        count: stored.tally.count,
        app: stored.deed.app,
        uid: stored.deed.uid,
        pid: stored.deed.pid,
        method: stored.deed.method,
        object: stored.deed.object.map(hex),
        outcome: stored.deed.outcome,
        hash: hex(stored.hash),
    }
}

pub(crate) fn verdict(stored: StoredVerdict) -> Verdict {
    Verdict {
        intact: stored.broken.is_none(),
        entries: stored.entries,
        head: hex(stored.head),
        broken: stored.broken.map(|broken| match broken {
            StoredBroken::Changed(entry) => Broken {
                entry,
                how: Breach::Changed,
            },
            StoredBroken::Missing(entry) => Broken {
                entry,
                how: Breach::Missing,
            },
        }),
    }
}

fn hex<const N: usize>(bytes: [u8; N]) -> String {
    hex::encode(bytes)
}
