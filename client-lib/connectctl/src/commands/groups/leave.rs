//! `connectctl groups leave`

use clap::Args;
use connect_api::groups::{self, GroupParams};

use super::{id, text};
use crate::context::Context;
use crate::error::Error;

#[derive(Debug, Args)]
pub(crate) struct Leave {
    /// The group: connectctl groups list
    #[arg(value_parser = id)]
    group: String,
}

pub(crate) async fn run(args: Leave, context: &Context) -> Result<(), Error> {
    let params = GroupParams { group: args.group };
    let group = context.call::<groups::Leave>(params).await?;
    context.out.answer(&group, || text(&context.out, &group))
}
