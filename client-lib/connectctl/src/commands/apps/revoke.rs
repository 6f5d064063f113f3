//! `connectctl apps revoke`

use clap::Args;
use connect_api::apps::{self, RevokeParams};

use crate::context::Context;
use crate::error::Error;

#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// The app's id: connectctl apps list
    app: String,
}

pub(crate) async fn run(args: Revoke, context: &Context) -> Result<(), Error> {
    let params = RevokeParams { app_id: args.app };
    let revoked = context.call::<apps::Revoke>(params).await?;
    context
        .out
        .answer(&revoked, || format!("{} is let in no more", revoked.app_id))
}
