//! `connectctl trust accept` and `connectctl trust reject`

use clap::Args;
use connect_api::trust::{self, DecideParams, Decision};

use crate::context::Context;
use crate::error::Error;
use crate::escape;

#[derive(Debug, Args)]
pub(crate) struct Decide {
    /// The user's id.
    #[arg(value_name = "USER")]
    user_id: String,
    /// The key that you looked at, as `connectctl trust pending` shows it: where the contact has another one by now,
    /// nothing is decided.
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
}

pub(crate) async fn run(args: Decide, decision: Decision, context: &Context) -> Result<(), Error> {
    let params = DecideParams {
        user_id: args.user_id,
        decision,
        key: args.key,
    };
    let contact = context.call::<trust::Decide>(params).await?;
    context.out.answer(&contact, || {
        let user = escape::line(&contact.user_id);
        match decision {
            Decision::Accept => format!(
                "Accepted. Nobody has compared it yet: connectctl trust show {user}"
            ),
            Decision::Reject => format!(
                "Rejected. What waited for {user} has failed, and nothing is sent until there is another key or you \
                 accept this one."
            ),
        }
    })
}
