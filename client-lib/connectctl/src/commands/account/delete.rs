//! `connectctl account delete`

use clap::Args;
use connect_api::account::{self, DeleteParams};
use connect_api::system::State;

use crate::context::Context;
use crate::error::Error;
use crate::secret::PinSource;

#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// Remove keys and messages from this host as well. Of a revoked installation, remove what is left.
    #[arg(long)]
    erase: bool,
    #[command(flatten)]
    pin: PinSource,
}

/// The PIN is the question whether one is sure.
pub(crate) async fn run(args: Delete, context: &Context) -> Result<(), Error> {
    let params = DeleteParams {
        pin: args.pin.read(&context.out)?,
        erase: args.erase,
    };
    let answer = context.call::<account::Delete>(params).await?;
    context.out.answer(&answer, || {
        if answer.state == State::Unenrolled {
            "the account is deleted, and nothing of it is left on this host"
        } else {
            "the account is deleted. Its messages stay here, sealed: connectctl account delete --erase removes them"
        }
        .to_owned()
    })
}
