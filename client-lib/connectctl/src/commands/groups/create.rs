//! `connectctl groups create`

use clap::Args;
use connect_api::groups::{self, CreateParams};

use super::text;
use crate::context::Context;
use crate::error::Error;

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// What the group is called.
    name: String,
    /// The others' user ids.
    #[arg(value_name = "USER", required = true)]
    members: Vec<String>,
}

pub(crate) async fn run(args: Create, context: &Context) -> Result<(), Error> {
    let params = CreateParams {
        name: args.name,
        members: args.members,
    };
    let group = context.call::<groups::Create>(params).await?;
    context.out.answer(&group, || text(&context.out, &group))
}
