//! `connectctl policy get`

use clap::Args;
use connect_api::page::Nothing;
use connect_api::policy::{self, Policy};

use crate::commands::attachments::bytes;
use crate::context::Context;
use crate::error::Error;
use crate::table;

#[derive(Debug, Args)]
pub(crate) struct Get {}

pub(crate) async fn run(_: Get, context: &Context) -> Result<(), Error> {
    let policy = context.call::<policy::Get>(Nothing {}).await?;
    show(&policy, context)
}

pub(crate) fn show(policy: &Policy, context: &Context) -> Result<(), Error> {
    let told = |is_told: bool| if is_told { "told" } else { "not told" };
    let kept = match policy.retention_days {
        None => "for good".to_owned(),
        Some(1) => "1 day".to_owned(),
        Some(days) => format!("{days} days"),
    };
    let fetched = match policy.download_up_to_bytes {
        None => "as they come".to_owned(),
        Some(0) => "when asked for".to_owned(),
        Some(most) => format!("as they come up to {}", bytes(most)),
    };
    let pairs = [
        ("messages kept", kept),
        ("typing", told(policy.typing).to_owned()),
        ("reading", told(policy.read_receipts).to_owned()),
        ("attachments fetched", fetched),
        (
            "attachments kept",
            format!("up to {}", bytes(policy.attachments_quota_bytes)),
        ),
    ];
    context
        .out
        .answer(policy, || table::pairs(&context.out, &pairs))
}
