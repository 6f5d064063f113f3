//! `connectctl apps list`

use clap::Args;
use connect_api::apps::{self, App};

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
    let fetch = |after| context.client.call::<apps::List>(args.paging.params(after));
    let pages = paging::read(&context.out, args.paging.all, None, fetch).await?;
    pages.show(
        &context.out,
        "No apps yet: connectctl apps pair NAME --scope SCOPE",
        |items| text(&context.out, items),
    )
}

fn text(out: &Output, apps: &[App]) -> String {
    let mut table = Table::new(&["APP", "NAME", "UID", "PAIRED", "REVOKED", "SCOPES"]);
    for app in apps {
        let scopes: Vec<&str> = app.scopes.iter().map(|scope| scope.name()).collect();
        table.row([
            escape::line(&app.app_id),
            escape::line(&app.name),
            app.uid.map_or_else(|| "any".into(), |uid| uid.to_string()),
            time::local(app.created_ms),
            app.revoked_ms.map_or_else(|| "-".into(), time::local),
            scopes.join(" "),
        ]);
    }
    table.render(out)
}
