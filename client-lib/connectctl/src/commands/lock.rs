//! `connectctl lock`

use clap::Args;
use connect_api::page::Nothing;
use connect_api::session;

use crate::context::Context;
use crate::error::Error;
use crate::words;

#[derive(Debug, Args)]
pub(crate) struct Lock {}

pub(crate) async fn run(_: Lock, context: &Context) -> Result<(), Error> {
    let answer = context.call::<session::Lock>(Nothing {}).await?;
    context.out.answer(&answer, || words::state(answer.state))
}
