//! `connectctl contacts remove`

use clap::Args;
use connect_api::contacts::{self, UserParams};

use crate::context::Context;
use crate::error::Error;
use crate::escape;

#[derive(Debug, Args)]
pub(crate) struct Remove {
    /// The user's id.
    #[arg(value_name = "USER")]
    user_id: String,
}

pub(crate) async fn run(args: Remove, context: &Context) -> Result<(), Error> {
    let params = UserParams {
        user_id: args.user_id,
    };
    let contact = context.call::<contacts::Remove>(params).await?;
    context.out.answer(&contact, || {
        let user = escape::line(&contact.user_id);
        format!("{user} is off the list; the conversation stays")
    })
}
