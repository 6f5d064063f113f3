//! `connectctl unlock`

use clap::Args;
use connect_api::session::{self, UnlockParams};

use crate::context::Context;
use crate::error::Error;
use crate::secret::PinSource;
use crate::words;

#[derive(Debug, Args)]
pub(crate) struct Unlock {
    #[command(flatten)]
    pin: PinSource,
}

pub(crate) async fn run(args: Unlock, context: &Context) -> Result<(), Error> {
    let pin = args.pin.read(&context.out)?;
    let answer = context
        .call::<session::Unlock>(UnlockParams { pin })
        .await?;
    context.out.answer(&answer, || words::state(answer.state))
}
