//! `connectctl quarantine list`

use clap::Args;
use connect_api::quarantine::{self, Quarantined};

use crate::context::Context;
use crate::error::Error;
use crate::output::Output;
use crate::paging::{self, Paging};
use crate::table::Table;
use crate::{escape, time};

#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    paging: Paging,
}

pub(crate) async fn run(args: List, context: &Context) -> Result<(), Error> {
    let fetch = |after| {
        context
            .client
            .call::<quarantine::List>(args.paging.params(after))
    };
    let pages = paging::read(&context.out, args.paging.all, None, fetch).await?;
    pages.show(&context.out, "Nothing was refused.", |items| {
        text(&context.out, items)
    })
}

fn text(out: &Output, refused: &[Quarantined]) -> String {
    let mut table = Table::new(&["PUT ASIDE", "SENDER", "REASON", "ID"]);
    for one in refused {
        table.row([
            time::local(one.stored_ms),
            escape::line(one.sender.as_deref().unwrap_or("?")),
            escape::line(&one.reason),
            escape::line(&one.quarantine_id),
        ]);
    }
    table.render(out)
}
