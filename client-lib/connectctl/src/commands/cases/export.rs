//! `connectctl cases export`

use clap::Args;
use connect_api::cases::{ExportCase, ExportCaseParams};

use super::case_id;
use crate::commands::conversations::export::{How, Ready, save};
use crate::context::Context;
use crate::error::Error;

#[derive(Debug, Args)]
pub(crate) struct Export {
    #[arg(value_parser = case_id)]
    case: String,
    #[command(flatten)]
    how: How,
}

pub(crate) async fn run(args: Export, context: &Context) -> Result<(), Error> {
    args.how.check()?;
    let (from_ms, to_ms) = args.how.between();
    let params = ExportCaseParams {
        case: args.case,
        format: args.how.format(),
        from_ms,
        to_ms,
        files_up_to_bytes: args.how.files(),
    };
    let export = context.call::<ExportCase>(params).await?;
    let ready = Ready {
        ticket: export.ticket,
        media_type: export.media_type,
        filename: export.filename,
    };
    save(&args.how, ready, context).await
}
