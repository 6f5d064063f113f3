//! `connectctl account profile set`

use clap::{Args, Subcommand};
use connect_api::account::{self, UpdateProfileParams};

use super::show;
use crate::context::Context;
use crate::error::Error;

#[derive(Debug, Args)]
pub(crate) struct Profile {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Change it; what is left out stays. An operator has to attest it anew.
    Set(Set),
}

#[derive(Args)]
#[group(required = true, multiple = true)]
pub(crate) struct Set {
    /// The name that others see.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The profession that others see; "" for none.
    #[arg(long, value_name = "TEXT")]
    profession: Option<String>,
    /// The organisation that others see; "" for none.
    #[arg(long, value_name = "TEXT")]
    organisation: Option<String>,
}

impl std::fmt::Debug for Set {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Set(..)")
    }
}

pub(crate) async fn run(args: Profile, context: &Context) -> Result<(), Error> {
    let Command::Set(args) = args.command;
    let params = UpdateProfileParams {
        display_name: args.name,
        profession: args.profession,
        organisation: args.organisation,
    };
    let account = context.call::<account::UpdateProfile>(params).await?;
    show::show(&account, context)
}
