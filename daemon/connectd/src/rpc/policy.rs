//! `policy.*`.

use connect_api::policy::{Get, Policy, Set};
use connect_service::policy::{self, Changes};
use connect_store::policy::Policy as StoredPolicy;
use jsonrpsee::core::RegisterMethodError;

use crate::rpc::Module;

pub(super) fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    super::register::<Get, _, _>(module, async |context, _, _| {
        Ok(shape(context.session.unlocked()?.policy()))
    })?;
    super::register::<Set, _, _>(module, async |context, _, params| {
        let changes = Changes {
            retention_days: params.retention_days,
            typing: params.typing,
            read_receipts: params.read_receipts,
            download_up_to: params.download_up_to_bytes,
            attachments_quota: params.attachments_quota_bytes,
        };
        let unlocked = context.session.unlocked()?;
        Ok(shape(policy::set(&unlocked, changes).await?))
    })
}

fn shape(stored: StoredPolicy) -> Policy {
    Policy {
        retention_days: stored.retention_days,
        typing: stored.typing,
        read_receipts: stored.read_receipts,
        download_up_to_bytes: stored.download_up_to,
        attachments_quota_bytes: stored.attachments_quota,
    }
}
