//! `connectctl groups list`

use clap::Args;
use connect_api::groups::{self, Summary};

use crate::context::Context;
use crate::error::Error;
use crate::output::Output;
use crate::paging::{self, Paging};
use crate::table::Table;
use crate::{escape, words};

#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    paging: Paging,
}

pub(crate) async fn run(args: List, context: &Context) -> Result<(), Error> {
    let fetch = |after| {
        context
            .client
            .call::<groups::List>(args.paging.params(after))
    };
    let pages = paging::read(&context.out, args.paging.all, None, fetch).await?;
    pages.show(
        &context.out,
        "No groups yet: connectctl groups create NAME USER…",
        |items| text(&context.out, items),
    )
}

fn text(out: &Output, groups: &[Summary]) -> String {
    let mut table = Table::new(&["GROUP", "NAME", "YOU ARE", "MEMBERS", "REVISION"]);
    for group in groups {
        table.row([
            format!("group:{}", escape::line(&group.group)),
            escape::line(&group.name),
            words::spaced(&group.standing),
            group.members.to_string(),
            group.revision.to_string(),
        ]);
    }
    table.render(out)
}
