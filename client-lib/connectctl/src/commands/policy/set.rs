//! `connectctl policy set`

use clap::{Args, ValueEnum};
use connect_api::policy::{self, SetParams};

use super::get::show;
use crate::context::Context;
use crate::error::Error;

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct Set {
    /// Remove messages that are older than so many days, or keep them for good.
    #[arg(long, value_name = "DAYS|forever", value_parser = days)]
    retention_days: Option<Days>,
    /// Whether others are told that something is being written.
    #[arg(long, value_name = "on|off")]
    typing: Option<Switch>,
    /// Whether others are told that something was read.
    #[arg(long, value_name = "on|off")]
    read_receipts: Option<Switch>,
    /// Fetch attachments as they come where they have at most so many bytes, whatever their size, or none of them.
    #[arg(long, value_name = "BYTES|always|never", value_parser = most)]
    download_up_to: Option<Most>,
    /// Bytes of attachments that the daemon may keep.
    #[arg(long, value_name = "BYTES")]
    attachments_quota: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Most(Option<u64>);

fn most(text: &str) -> Result<Most, String> {
    match text {
        "always" => Ok(Most(None)),
        "never" => Ok(Most(Some(0))),
        _ => text
            .parse()
            .map(|most| Most(Some(most)))
            .map_err(|_| "neither a number of bytes nor \"always\" nor \"never\"".into()),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Days(Option<u32>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

fn days(text: &str) -> Result<Days, String> {
    if text == "forever" {
        return Ok(Days(None));
    }
    let days: Option<u32> = text.parse().ok();
    days.map(|days| Days(Some(days)))
        .ok_or_else(|| "neither a number of days nor \"forever\"".into())
}

impl Switch {
    fn is_on(self) -> bool {
        self == Self::On
    }
}

pub(crate) async fn run(args: Set, context: &Context) -> Result<(), Error> {
    let params = SetParams {
        retention_days: args.retention_days.map(|days| days.0),
        typing: args.typing.map(Switch::is_on),
        read_receipts: args.read_receipts.map(Switch::is_on),
        download_up_to_bytes: args.download_up_to.map(|most| most.0),
        attachments_quota_bytes: args.attachments_quota,
    };
    let policy = context.call::<policy::Set>(params).await?;
    show(&policy, context)
}
