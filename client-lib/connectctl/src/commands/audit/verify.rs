//! `connectctl audit verify`

use clap::Args;
use connect_api::audit::{self, Breach, Verdict};
use connect_api::page::Nothing;

use crate::context::Context;
use crate::error::Error;

#[derive(Debug, Args)]
pub(crate) struct Verify {}

pub(crate) async fn run(_: Verify, context: &Context) -> Result<(), Error> {
    let verdict = context.call::<audit::Verify>(Nothing {}).await?;
    context.out.answer(&verdict, || text(&verdict))?;
    if verdict.intact {
        Ok(())
    } else {
        Err(Error::Data(
            "the audit log was tampered with, or is damaged",
        ))
    }
}

fn text(verdict: &Verdict) -> String {
    let held = format!("{} entries hold; head {}", verdict.entries, verdict.head);
    match verdict.broken {
        None => held,
        Some(broken) => {
            let how = match broken.how {
                Breach::Changed => "was changed",
                Breach::Missing => "is missing",
                Breach::Other => "does not hold",
            };
            format!("{held}\nEntry {} {how}", broken.entry)
        }
    }
}
