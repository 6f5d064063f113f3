//! `connectctl groups add`, `remove`, `promote`, `rename`

use clap::Args;
use connect_api::groups::{self, UpdateParams};

use super::{id, text};
use crate::context::Context;
use crate::error::Error;

#[derive(Debug, Args)]
pub(crate) struct Members {
    /// The group: connectctl groups list
    #[arg(value_parser = id)]
    group: String,
    /// Their user ids.
    #[arg(value_name = "USER", required = true)]
    members: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Rename {
    /// The group: connectctl groups list
    #[arg(value_parser = id)]
    group: String,
    /// What it is called from now on.
    name: String,
}

pub(crate) async fn add(args: Members, context: &Context) -> Result<(), Error> {
    let params = UpdateParams {
        group: args.group,
        add: args.members,
        ..UpdateParams::default()
    };
    update(params, context).await
}

pub(crate) async fn remove(args: Members, context: &Context) -> Result<(), Error> {
    let params = UpdateParams {
        group: args.group,
        remove: args.members,
        ..UpdateParams::default()
    };
    update(params, context).await
}

pub(crate) async fn promote(args: Members, context: &Context) -> Result<(), Error> {
    let params = UpdateParams {
        group: args.group,
        promote: args.members,
        ..UpdateParams::default()
    };
    update(params, context).await
}

pub(crate) async fn rename(args: Rename, context: &Context) -> Result<(), Error> {
    let params = UpdateParams {
        group: args.group,
        name: Some(args.name),
        ..UpdateParams::default()
    };
    update(params, context).await
}

async fn update(params: UpdateParams, context: &Context) -> Result<(), Error> {
    let group = context.call::<groups::Update>(params).await?;
    context.out.answer(&group, || text(&context.out, &group))
}
