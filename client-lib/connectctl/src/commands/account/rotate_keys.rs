//! `connectctl account rotate-keys`

use clap::Args;
use connect_api::account;
use connect_api::page::Nothing;

use super::show;
use crate::context::Context;
use crate::error::Error;

#[derive(Debug, Args)]
pub(crate) struct RotateKeys {}

pub(crate) async fn run(_: RotateKeys, context: &Context) -> Result<(), Error> {
    let account = context.call::<account::RotateKeys>(Nothing {}).await?;
    show::show(&account, context)
}
