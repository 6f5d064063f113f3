//! `connectctl cases set`

use clap::Args;
use connect_api::cases::{self, Case, CaseParams, SetFieldParams};

use super::case_id;
use crate::context::Context;
use crate::error::Error;
use crate::escape;

#[derive(Debug, Args)]
pub(crate) struct Set {
    #[arg(value_name = "CASE", value_parser = case_id)]
    case: String,
    /// The field's name.
    name: String,
    /// Its value from now on.
    #[arg(allow_hyphen_values = true)]
    value: String,
    /// What kind of content it is.
    #[arg(long, value_name = "TYPE")]
    media_type: Option<String>,
    /// The revision that you read: where there is a newer one by now, nothing is set. Without it, the one that is there
    /// when the command begins.
    #[arg(long, value_name = "N")]
    revision: Option<u64>,
}

pub(crate) async fn run(args: Set, context: &Context) -> Result<(), Error> {
    let expected_revision = if let Some(revision) = args.revision {
        revision
    } else {
        let case = args.case.clone();
        let case = context.call::<cases::Get>(CaseParams { case }).await?;
        revision_of(&case, &args.name)
    };
    let params = SetFieldParams {
        case: args.case,
        name: args.name.clone(),
        value: args.value,
        media_type: args.media_type,
        expected_revision,
    };
    let case = context.call::<cases::SetField>(params).await?;
    context.out.answer(&case, || {
        format!(
            "{} is at revision {}.",
            escape::line(&args.name),
            revision_of(&case, &args.name)
        )
    })
}

fn revision_of(case: &Case, name: &str) -> u64 {
    let field = case.fields.iter().find(|field| field.name == name);
    field.map_or(0, |field| field.newest.revision)
}
