//! `connectctl audit list`

use clap::Args;
use connect_api::audit::{self, Entry, ListParams};

use crate::context::Context;
use crate::error::Error;
use crate::output::Output;
use crate::paging::{self, Paging};
use crate::table::Table;
use crate::{escape, time};

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only entries after this one.
    #[arg(long, value_name = "ENTRY")]
    after: Option<u64>,
    #[command(flatten)]
    paging: Paging,
}

pub(crate) async fn run(args: List, context: &Context) -> Result<(), Error> {
    let fetch = |after| {
        context.client.call::<audit::List>(ListParams {
            after,
            limit: args.paging.limit,
        })
    };
    let pages = paging::read(&context.out, args.paging.all, args.after, fetch).await?;
    pages.show(&context.out, "Nothing was done.", |items| {
        text(&context.out, items)
    })
}

fn text(out: &Output, entries: &[Entry]) -> String {
    let mut table = Table::new(&[
        "ENTRY", "WHEN", "TIMES", "APP", "UID", "PID", "METHOD", "OBJECT", "OUTCOME",
    ]);
    let known = |number: Option<u32>| number.map_or_else(|| "-".into(), |known| known.to_string());
    let told = |text: &Option<String>| text.as_deref().map_or_else(|| "-".into(), escape::line);
    for entry in entries {
        table.row([
            entry.entry.to_string(),
            time::local(entry.last_ms),
            entry.count.to_string(),
            told(&entry.app),
            known(entry.uid),
            known(entry.pid),
            escape::line(&entry.method),
            told(&entry.object),
            escape::line(&entry.outcome),
        ]);
    }
    table.render(out)
}
