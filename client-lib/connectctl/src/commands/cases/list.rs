//! `connectctl cases list`

use clap::Args;
use connect_api::cases::{self, CaseSummary};
use connect_api::page::Page;

use crate::context::Context;
use crate::error::Error;
use crate::output::Output;
use crate::paging::{self, Paging};
use crate::table::Table;
use crate::{escape, time, words};

#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    paging: Paging,
    /// Go on behind this place: `next` of the page before.
    #[arg(long, value_name = "ID")]
    after: Option<String>,
}

pub(crate) async fn run(args: List, context: &Context) -> Result<(), Error> {
    let fetch = async |after| {
        let params = args.paging.params(after);
        let page: Page<CaseSummary> = context.client.call::<cases::List>(params).await?;
        Ok(page)
    };
    let pages = paging::read(&context.out, args.paging.all, args.after.clone(), fetch).await?;
    pages.show(&context.out, "No cases yet.", |items| {
        text(&context.out, items)
    })
}

fn text(out: &Output, cases: &[CaseSummary]) -> String {
    let mut table = Table::new(&["CASE", "TITLE", "PATIENT", "STATE", "PEOPLE", "CHANGED"]);
    for case in cases {
        table.row([
            escape::line(&case.case),
            escape::line(&case.title),
            escape::line(case.patient_reference.as_deref().unwrap_or("")),
            words::spaced(&case.state),
            case.participants.len().to_string(),
            time::local(case.changed_ms),
        ]);
    }
    table.render(out)
}
