//! `connectctl groups show`

use clap::Args;
use connect_api::groups::{self, GroupParams};

use super::{id, text};
use crate::context::Context;
use crate::error::Error;

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The group: connectctl groups list
    #[arg(value_parser = id)]
    group: String,
}

pub(crate) async fn run(args: Show, context: &Context) -> Result<(), Error> {
    let params = GroupParams { group: args.group };
    let group = context.call::<groups::Get>(params).await?;
    context.out.answer(&group, || text(&context.out, &group))
}
