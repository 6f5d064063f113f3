//! `connectctl contacts add`

use clap::Args;
use connect_api::contacts::{self, UserParams};

use super::show;
use crate::context::Context;
use crate::error::Error;

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// The user's id.
    #[arg(value_name = "USER")]
    user_id: String,
}

pub(crate) async fn run(args: Add, context: &Context) -> Result<(), Error> {
    let params = UserParams {
        user_id: args.user_id,
    };
    let contact = context.call::<contacts::Add>(params).await?;
    context
        .out
        .answer(&contact, || show::text(&context.out, &contact))
}
