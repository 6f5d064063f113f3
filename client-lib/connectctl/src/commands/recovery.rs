//! `connectctl recover` and `connectctl recovery-key`

use std::path::{Path, PathBuf};

use clap::Args;
use connect_api::errors::ErrorCode;
use connect_api::recovery::RecoveryKey;
use connect_api::session::{self, RecoverParams, SetRecoveryKeyParams};
use connect_client::error::CallError;
use rand_core::OsRng;
use serde::Serialize;

use crate::context::Context;
use crate::error::Error;
use crate::secret::{self, PinSource};
use crate::{table, words};

/// Said wherever one is shown.
pub(crate) const KEEP_IT: &str = "write the recovery key down and keep it apart from this machine: it is shown this once, and opens everything";

#[derive(Debug, Args)]
pub(crate) struct Recover {
    /// Read the recovery key from this file; - is standard input. Left out: you are asked for it.
    #[arg(long, value_name = "FILE")]
    recovery_key_file: Option<PathBuf>,
    /// Read the new PIN or passphrase from this file. Left out: you are asked for it, twice.
    #[arg(long, value_name = "FILE")]
    new_pin_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct NewRecoveryKey {
    #[command(flatten)]
    pin: PinSource,
}

#[derive(Serialize)]
struct Made {
    recovery_key: String,
}

pub(crate) async fn recover(args: Recover, context: &Context) -> Result<(), Error> {
    let from_stdin = |path: &Option<PathBuf>| path.as_deref() == Some(Path::new("-"));
    if from_stdin(&args.recovery_key_file) && from_stdin(&args.new_pin_file) {
        return Err(Error::Usage(
            "only one of the two can come from standard input".into(),
        ));
    }
    let recovery_key = match &args.recovery_key_file {
        Some(path) => {
            let text = secret::from_file(&context.out, path)?;
            RecoveryKey::new(text.as_str().to_owned())
        }
        None => RecoveryKey::new(secret::ask("Recovery key: ")?.into_inner()),
    };
    if recovery_key.bytes().is_none() {
        return Err(Error::Data(
            "it is no recovery key, or has a mistake in it: recover1, then 38 letters and digits",
        ));
    }
    let new = PinSource {
        pin_file: args.new_pin_file,
    };
    let params = RecoverParams {
        recovery_key,
        new_pin: new.choose(&context.out)?,
    };
    let answer = context.call::<session::Recover>(params).await?;
    context.out.answer(&answer, || words::state(answer.state))
}

/// The daemon has it before it is shown: what is written down is in force.
pub(crate) async fn renew(args: NewRecoveryKey, context: &Context) -> Result<(), Error> {
    let recovery_key = RecoveryKey::generate(&mut OsRng);
    let params = SetRecoveryKeyParams {
        pin: args.pin.read(&context.out)?,
        recovery_key: recovery_key.clone(),
    };
    if let Err(error) = context.call::<session::SetRecoveryKey>(params).await {
        if may_be_done(&error) {
            context
                .out
                .warn("the recovery key before may open nothing any more: run this again");
        }
        return Err(error);
    }
    let made = Made {
        recovery_key: recovery_key.expose().to_string(),
    };
    let shown = || table::pairs(&context.out, &[("recovery key", made.recovery_key.clone())]);
    context.out.answer(&made, shown)?;
    context.out.warn(KEEP_IT);
    Ok(())
}

/// Nobody heard whether the daemon did it.
pub(crate) fn may_be_done(error: &Error) -> bool {
    let Error::Call(error) = error else {
        return false;
    };
    match error {
        CallError::Daemon { code, .. } => *code == ErrorCode::Timeout,
        CallError::Disconnected | CallError::Timeout | CallError::Protocol => true,
        CallError::Unreachable(_) => false,
    }
}
