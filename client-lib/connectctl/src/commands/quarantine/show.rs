//! `connectctl quarantine show`

use clap::Args;
use connect_api::quarantine::{self, QuarantineParams, QuarantinedMessage};

use crate::context::Context;
use crate::error::Error;
use crate::output::Output;
use crate::{escape, table, time};

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// As listed.
    #[arg(value_name = "ID")]
    quarantine_id: String,
}

pub(crate) async fn run(args: Show, context: &Context) -> Result<(), Error> {
    let params = QuarantineParams {
        quarantine_id: args.quarantine_id,
    };
    let message = context.call::<quarantine::Get>(params).await?;
    context
        .out
        .answer(&message, || text(&context.out, &message))
}

fn text(out: &Output, message: &QuarantinedMessage) -> String {
    let refused = &message.quarantined;
    let mut pairs = vec![
        ("put aside", time::local(refused.stored_ms)),
        (
            "claims to be from",
            escape::line(refused.sender.as_deref().unwrap_or("nobody")),
        ),
        ("reason", escape::line(&refused.reason)),
    ];
    let Some(content) = &message.unproven else {
        pairs.push(("content", "cannot be shown".to_owned()));
        return table::pairs(out, &pairs);
    };
    pairs.push(("claims to be of", time::local(content.claimed_ms)));
    pairs.push(("kind", escape::line(&content.kind)));
    let text = content.text.as_deref().map(escape::lines);
    format!(
        "{}\n\nUNPROVEN. Whoever has this key may have written it:\n{}",
        table::pairs(out, &pairs),
        text.unwrap_or_else(|| "(no text)".to_owned())
    )
}
