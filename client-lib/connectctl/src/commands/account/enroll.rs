//! `connectctl account enroll`

use std::fmt;
use std::path::{Path, PathBuf};

use clap::Args;
use connect_api::account::{self, EnrollParams};
use connect_api::recovery::RecoveryKey;
use rand_core::OsRng;
use serde::Serialize;

use crate::commands::recovery;
use crate::context::Context;
use crate::error::Error;
use crate::secret::{CodeSource, PinSource};
use crate::{escape, input, table};

#[derive(Args)]
pub(crate) struct Enroll {
    /// The relay: https://host[:port]
    #[arg(long, value_name = "URL")]
    relay: String,
    /// A key that the relay may show, as sha256/BASE64. At least two: the current one and the spare.
    #[arg(long = "relay-pin", value_name = "PIN", required = true)]
    relay_pins: Vec<String>,
    /// The certificate authority that signed the relay's certificate (PEM). Left out: the public ones.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    #[command(flatten)]
    code: CodeSource,
    /// The user that the code was issued for, where the code does not say it.
    #[arg(long, value_name = "USER")]
    user_id: Option<String>,
    /// The name that others see.
    #[arg(long, value_name = "NAME")]
    name: String,
    /// The profession that others see.
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    profession: String,
    /// The organisation that others see.
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    organisation: String,
    /// Revoke the installation that the user has elsewhere, or had here.
    #[arg(long)]
    replace_existing_installation: bool,
    /// Make no recovery key. Without one, a forgotten PIN ends the account.
    #[arg(long)]
    no_recovery_key: bool,
    #[command(flatten)]
    pin: PinSource,
}

impl fmt::Debug for Enroll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Enroll(..)")
    }
}

#[derive(Serialize)]
struct Made {
    #[serde(flatten)]
    enrolled: account::Enrolled,
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery_key: Option<String>,
}

pub(crate) async fn run(args: Enroll, context: &Context) -> Result<(), Error> {
    let is_stdin = |path: &Option<PathBuf>| path.as_deref() == Some(Path::new("-"));
    if is_stdin(&args.code.code_file) && is_stdin(&args.pin.pin_file) {
        return Err(Error::Usage(
            "standard input cannot be the code and the PIN".into(),
        ));
    }
    let code = args.code.read(&context.out)?;
    let relay_ca_pem = match &args.ca {
        Some(path) => Some(input::read(path)?.as_str().to_owned()),
        None => None,
    };
    let recovery_key = (!args.no_recovery_key).then(|| RecoveryKey::generate(&mut OsRng));
    let params = EnrollParams {
        relay_url: args.relay,
        relay_pins: args.relay_pins,
        relay_ca_pem,
        enrollment_code: code,
        user_id: args.user_id,
        display_name: args.name,
        profession: args.profession,
        organisation: args.organisation,
        pin: args.pin.choose(&context.out)?,
        recovery_key: recovery_key.clone(),
        replace_existing_installation: args.replace_existing_installation,
    };
    let enrolled = match context.call::<account::Enroll>(params).await {
        Ok(enrolled) => enrolled,
        Err(error) => {
            if recovery_key.is_some() && recovery::may_be_done(&error) {
                context.out.warn("if there is an account now, its recovery key was not shown: run connectctl recovery-key");
            }
            return Err(error);
        }
    };
    let made = Made {
        enrolled,
        recovery_key: recovery_key.as_ref().map(|key| key.expose().to_string()),
    };
    context.out.answer(&made, || {
        let mut rows = vec![
            ("user", escape::line(&made.enrolled.user_id)),
            ("fingerprint", escape::line(&made.enrolled.fingerprint)),
        ];
        rows.extend(made.recovery_key.clone().map(|key| ("recovery key", key)));
        table::pairs(&context.out, &rows)
    })?;
    if made.recovery_key.is_some() {
        context.out.warn(recovery::KEEP_IT);
    }
    Ok(())
}
