//! `connectctl cases add`, `remove`, `leave` and `close`

use clap::Args;
use connect_api::cases::{self, CaseParams, ParticipantParams};

use super::case_id;
use crate::context::Context;
use crate::error::Error;
use crate::escape;

#[derive(Debug, Args)]
pub(crate) struct WithUser {
    #[arg(value_name = "CASE", value_parser = case_id)]
    case: String,
    /// The user's id.
    #[arg(value_name = "USER")]
    user_id: String,
}

#[derive(Debug, Args)]
pub(crate) struct Alone {
    #[arg(value_name = "CASE", value_parser = case_id)]
    case: String,
}

impl WithUser {
    fn params(self) -> ParticipantParams {
        ParticipantParams {
            case: self.case,
            user_id: self.user_id,
        }
    }
}

pub(crate) async fn add(args: WithUser, context: &Context) -> Result<(), Error> {
    let user = escape::line(&args.user_id);
    let case = context.call::<cases::AddParticipant>(args.params()).await?;
    context.out.answer(&case, || {
        format!("{user} takes part, and is sent all that was written before.")
    })
}

pub(crate) async fn remove(args: WithUser, context: &Context) -> Result<(), Error> {
    let user = escape::line(&args.user_id);
    let case = context
        .call::<cases::RemoveParticipant>(args.params())
        .await?;
    context.out.answer(&case, || {
        format!("{user} reads nothing that is written from now on.")
    })
}

pub(crate) async fn leave(args: Alone, context: &Context) -> Result<(), Error> {
    let params = CaseParams { case: args.case };
    let case = context.call::<cases::Leave>(params).await?;
    context.out.answer(&case, || {
        "You take part no more; what you could read stays here.".to_owned()
    })
}

pub(crate) async fn close(args: Alone, context: &Context) -> Result<(), Error> {
    let params = CaseParams { case: args.case };
    let case = context.call::<cases::Close>(params).await?;
    context.out.answer(&case, || {
        "Closed: it stays readable, and nothing is written into it any more.".to_owned()
    })
}
