//! `connectctl contacts block` and `connectctl contacts unblock`

use clap::Args;
use connect_api::contacts::{self, BlockParams};

use super::show;
use crate::context::Context;
use crate::error::Error;

#[derive(Debug, Args)]
pub(crate) struct Block {
    /// The user's id.
    #[arg(value_name = "USER")]
    user_id: String,
}

pub(crate) async fn run(args: Block, blocked: bool, context: &Context) -> Result<(), Error> {
    let params = BlockParams {
        user_id: args.user_id,
        blocked,
    };
    let contact = context.call::<contacts::Block>(params).await?;
    context
        .out
        .answer(&contact, || show::text(&context.out, &contact))
}
