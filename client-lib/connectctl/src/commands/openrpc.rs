//! `connectctl openrpc`

use clap::Args;
use connect_api::page::Nothing;
use connect_api::rpc;

use crate::context::Context;
use crate::error::Error;

#[derive(Debug, Args)]
pub(crate) struct Openrpc {}

pub(crate) async fn run(_: Openrpc, context: &Context) -> Result<(), Error> {
    let document = context.call::<rpc::Discover>(Nothing {}).await?;
    context.out.document(&document.to_value())
}
