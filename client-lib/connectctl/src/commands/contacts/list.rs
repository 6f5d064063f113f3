//! `connectctl contacts list`

use clap::Args;
use connect_api::contacts::{self, Contact};

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
            .call::<contacts::List>(args.paging.params(after))
    };
    let pages = paging::read(&context.out, args.paging.all, None, fetch).await?;
    pages.show(
        &context.out,
        "No contacts yet: connectctl contacts add USER",
        |items| text(&context.out, items),
    )
}

fn text(out: &Output, contacts: &[Contact]) -> String {
    let mut table = Table::new(&["USER", "NAME", "PROFESSION", "ORGANISATION", "KEY"]);
    for contact in contacts {
        table.row([
            escape::line(&contact.user_id),
            escape::line(&contact.display_name),
            escape::line(&contact.profession),
            escape::line(&contact.organisation),
            words::trust(contact.trust),
        ]);
    }
    table.render(out)
}
