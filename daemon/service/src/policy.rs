//! The policy: read from memory, so that asking costs nothing, and durable before it counts.

use connect_store::policy::{self, Policy};
use connect_store::row::MAX_INTEGER;

use crate::audit;
use crate::error::{Error, Reason};
use crate::unlocked::Unlocked;

/// A hundred years.
const LONGEST_DAYS: u32 = 36_500;

/// What is to be changed; the rest stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Changes {
    pub retention_days: Option<Option<u32>>,
    pub typing: Option<bool>,
    pub read_receipts: Option<bool>,
    pub download_up_to: Option<Option<u64>>,
    pub attachments_quota: Option<u64>,
}

/// Returns the policy as it is then.
pub async fn set(unlocked: &Unlocked, changes: Changes) -> Result<Policy, Error> {
    if let Some(Some(days)) = changes.retention_days
        && !(1..=LONGEST_DAYS).contains(&days)
    {
        return Err(Error::invalid("retention_days", Reason::OutOfRange));
    }
    let bytes = [changes.download_up_to.flatten(), changes.attachments_quota];
    for (field, bytes) in ["download_up_to_bytes", "attachments_quota_bytes"]
        .into_iter()
        .zip(bytes)
    {
        if bytes.is_some_and(|bytes| bytes > MAX_INTEGER) {
            return Err(Error::invalid(field, Reason::OutOfRange));
        }
    }
    // What is in memory follows in the order of the commits.
    let _turn = unlocked.policy_turn.lock().await;
    let mut tx = unlocked.store.begin().await?;
    let known = policy::find_in(&mut tx).await?;
    let policy = Policy {
        retention_days: changes.retention_days.unwrap_or(known.retention_days),
        typing: changes.typing.unwrap_or(known.typing),
        read_receipts: changes.read_receipts.unwrap_or(known.read_receipts),
        download_up_to: changes.download_up_to.unwrap_or(known.download_up_to),
        attachments_quota: changes.attachments_quota.unwrap_or(known.attachments_quota),
    };
    policy::put(&mut tx, &policy).await?;
    audit::commit(tx, unlocked).await?;
    unlocked.policy.send_replace(policy);
    Ok(policy)
}
