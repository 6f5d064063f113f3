//! `connectctl backup restore`

use std::fmt;
use std::path::{Path, PathBuf};

use clap::Args;
use connect_api::backup::{BeginRestore, BeginRestoreParams};

use super::upload;
use crate::context::Context;
use crate::error::Error;
use crate::input;
use crate::secret::{CodeSource, PinSource};

#[derive(Args)]
pub(crate) struct Restore {
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    code: CodeSource,
    /// Read the recovery key from this file; - is standard input. Left out: you are asked for it.
    #[arg(long, value_name = "FILE")]
    recovery_key_file: Option<PathBuf>,
    /// The relay, where it has moved since the backup: https://host[:port]
    #[arg(long, value_name = "URL")]
    relay: Option<String>,
    /// A key that the relay may show, as sha256/BASE64, where they have changed since the backup. At least two.
    #[arg(long = "relay-pin", value_name = "PIN")]
    relay_pins: Vec<String>,
    /// The certificate authority that signed the relay's certificate (PEM), where it is another one by now.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    #[command(flatten)]
    pin: PinSource,
}

impl fmt::Debug for Restore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Restore(..)")
    }
}

pub(crate) async fn run(args: Restore, context: &Context) -> Result<(), Error> {
    let is_stdin = |path: &Option<PathBuf>| path.as_deref() == Some(Path::new("-"));
    let from_stdin = [
        &args.code.code_file,
        &args.recovery_key_file,
        &args.pin.pin_file,
    ];
    if from_stdin.iter().filter(|path| is_stdin(path)).count() > 1 {
        return Err(Error::Usage(
            "only one of them can come from standard input".into(),
        ));
    }
    let source = upload::open(&args.file)?;
    let code = args.code.read(&context.out)?;
    let relay_ca_pem = match &args.ca {
        Some(path) => Some(input::read(path)?.as_str().to_owned()),
        None => None,
    };
    let params = BeginRestoreParams {
        recovery_key: upload::recovery_key(args.recovery_key_file.as_deref(), context)?,
        enrollment_code: code,
        pin: args.pin.choose(&context.out)?,
        size: source.size,
        relay_url: args.relay,
        relay_pins: (!args.relay_pins.is_empty()).then_some(args.relay_pins),
        relay_ca_pem,
    };
    let issued = context.call::<BeginRestore>(params).await?;
    let sent = upload::send(source, &args.file, (issued.ticket, "restoring"), context);
    super::tell(&sent.await?, context)
}
