//! `connectctl change-pin`

use std::path::{Path, PathBuf};

use clap::Args;
use connect_api::session::{self, ChangePinParams};

use crate::context::Context;
use crate::error::Error;
use crate::secret::PinSource;

#[derive(Debug, Args)]
pub(crate) struct ChangePin {
    #[command(flatten)]
    pin: PinSource,
    /// Read the new PIN or passphrase from this file. Left out: you are asked for it, twice.
    #[arg(long, value_name = "FILE")]
    new_pin_file: Option<PathBuf>,
}

pub(crate) async fn run(args: ChangePin, context: &Context) -> Result<(), Error> {
    let from_stdin = |path: &Option<PathBuf>| path.as_deref() == Some(Path::new("-"));
    if from_stdin(&args.pin.pin_file) && from_stdin(&args.new_pin_file) {
        return Err(Error::Usage(
            "only one of the two can come from standard input".into(),
        ));
    }
    let pin = args.pin.read(&context.out)?;
    let new = PinSource {
        pin_file: args.new_pin_file,
    };
    let new_pin = new.choose(&context.out)?;
    let answer = context
        .call::<session::ChangePin>(ChangePinParams { pin, new_pin })
        .await?;
    context
        .out
        .answer(&answer, || "the PIN is changed".to_owned())
}
