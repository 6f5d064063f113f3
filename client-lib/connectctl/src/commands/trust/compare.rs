//! `connectctl trust compare`

use clap::Args;
use connect_api::trust::{self, CompareParams};

use crate::context::Context;
use crate::error::Error;
use crate::escape;

#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// The user's id.
    #[arg(value_name = "USER")]
    user_id: String,
    /// What the contact reads out: sixty digits, with or without spaces.
    #[arg(value_name = "DIGITS", required_unless_present = "qr")]
    digits: Vec<String>,
    /// What the contact's QR code says, as a scanner read it.
    #[arg(long, value_name = "TEXT", conflicts_with = "digits")]
    qr: Option<String>,
}

pub(crate) async fn run(args: Compare, context: &Context) -> Result<(), Error> {
    let user = escape::line(&args.user_id);
    let params = CompareParams {
        user_id: args.user_id,
        digits: args.qr.is_none().then(|| args.digits.join(" ")),
        qr: args.qr,
    };
    let compared = context.call::<trust::Compare>(params).await?;
    if !compared.verified {
        context.out.if_json(&compared)?;
        return Err(Error::Data(
            "they are NOT the same: the contact sees another key, or a digit was mistaken. Nothing was changed",
        ));
    }
    context.out.answer(&compared, || {
        format!("They are the same: {user} is verified.")
    })
}
