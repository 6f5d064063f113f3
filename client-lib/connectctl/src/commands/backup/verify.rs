//! `connectctl backup verify`

use std::path::PathBuf;

use clap::Args;
use connect_api::backup::{BeginVerify, BeginVerifyParams};

use super::upload;
use crate::context::Context;
use crate::error::Error;

#[derive(Debug, Args)]
pub(crate) struct Verify {
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Read the recovery key from this file; - is standard input. Left out: you are asked for it.
    #[arg(long, value_name = "FILE")]
    recovery_key_file: Option<PathBuf>,
}

pub(crate) async fn run(args: Verify, context: &Context) -> Result<(), Error> {
    let source = upload::open(&args.file)?;
    let params = BeginVerifyParams {
        recovery_key: upload::recovery_key(args.recovery_key_file.as_deref(), context)?,
        size: source.size,
    };
    let issued = context.call::<BeginVerify>(params).await?;
    let sent = upload::send(source, &args.file, (issued.ticket, "verifying"), context);
    super::tell(&sent.await?, context)
}
