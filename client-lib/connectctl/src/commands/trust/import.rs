//! `connectctl trust import`

use std::path::PathBuf;

use clap::Args;
use connect_api::trust::{self, ImportOutcome, Imported, SignedVerification};

use crate::context::Context;
use crate::error::Error;
use crate::table::Table;
use crate::{escape, input};

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// As `connectd organisation-key sign` made it; - is standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(crate) async fn run(args: Import, context: &Context) -> Result<(), Error> {
    let json = input::read(&args.file)?;
    let file: SignedVerification = serde_json::from_str(&json)
        .map_err(|_| Error::Data("the file is not one that an organisation signed"))?;
    let imported = context.call::<trust::Import>(file).await?;
    context.out.answer(&imported, || text(context, &imported))
}

/// Those who are verified are counted, the others told one by one.
fn text(context: &Context, imported: &Imported) -> String {
    let mut table = Table::new(&["USER", "NOT VERIFIED BECAUSE"]);
    let mut others = 0;
    for entry in &imported.entries {
        if let Some(why) = why_not(entry.outcome) {
            table.row([escape::line(&entry.user_id), why.to_owned()]);
            others += 1;
        }
    }
    let already = imported
        .entries
        .iter()
        .filter(|entry| entry.outcome == ImportOutcome::Already)
        .count();
    let head = format!(
        "{}, file {}: {} verified now, {already} before.",
        escape::line(&imported.organisation),
        imported.serial,
        imported.verified
    );
    if others == 0 {
        return head;
    }
    format!("{head}\n{}", table.render(&context.out))
}

fn why_not(outcome: ImportOutcome) -> Option<&'static str> {
    match outcome {
        ImportOutcome::Verified | ImportOutcome::Already => None,
        ImportOutcome::UnknownContact => Some("not a contact"),
        ImportOutcome::OtherKey => Some("has another key than the organisation says"),
        ImportOutcome::Revoked => Some("has no key that is in use"),
        ImportOutcome::Rejected => Some("the key was rejected here"),
        ImportOutcome::Other => Some("of a reason that this connectctl does not know"),
    }
}
