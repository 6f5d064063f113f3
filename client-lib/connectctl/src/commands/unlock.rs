//! `connectctl unlock`

use clap::Args;
use connect_api::page::Nothing;
use connect_api::session::{self, UnlockParams};

use crate::context::Context;
use crate::error::Error;
use crate::secret::PinSource;
use crate::words;

#[derive(Debug, Args)]
pub(crate) struct Unlock {
    #[command(flatten)]
    pin: PinSource,
    /// Ask for no PIN: let the host ask you for your fingerprint, or whatever it takes. Where `session.presence` is
    /// configured, and the session is only covered.
    #[arg(long)]
    presence: bool,
}

pub(crate) async fn run(args: Unlock, context: &Context) -> Result<(), Error> {
    let answer = if args.presence {
        context.call::<session::Uncover>(Nothing {}).await?
    } else {
        let pin = args.pin.read(&context.out)?;
        context
            .call::<session::Unlock>(UnlockParams { pin })
            .await?
    };
    context.out.answer(&answer, || words::state(answer.state))
}
