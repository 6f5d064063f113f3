//! `connectctl trust pending`

use clap::Args;
use connect_api::contacts::KeyDecision;
use connect_api::trust::{self, ListPending};

use crate::context::Context;
use crate::error::Error;
use crate::output::Output;
use crate::paging::{self, Paging};
use crate::table::Table;
use crate::{escape, time};

#[derive(Debug, Args)]
pub(crate) struct Pending {
    #[command(flatten)]
    paging: Paging,
}

pub(crate) async fn run(args: Pending, context: &Context) -> Result<(), Error> {
    let fetch = |after| {
        context
            .client
            .call::<ListPending>(args.paging.params(after))
    };
    let pages = paging::read(&context.out, args.paging.all, None, fetch).await?;
    pages.show(&context.out, "No contact waits for a decision.", |items| {
        text(&context.out, items)
    })
}

fn text(out: &Output, pending: &[trust::Pending]) -> String {
    let mut table = Table::new(&["USER", "NAME", "HELD", "SINCE", "CHANGE", "KEY"]);
    for one in pending {
        let key = one.contact.keys.first();
        table.row([
            escape::line(&one.contact.user_id),
            escape::line(&one.contact.display_name),
            one.held.to_string(),
            key.map(|key| time::local(key.changed_ms))
                .unwrap_or_default(),
            how(&one.contact).to_owned(),
            escape::line(one.contact.key.as_deref().unwrap_or("none")),
        ]);
    }
    table.render(out)
}

fn how(contact: &connect_api::contacts::Contact) -> &'static str {
    match contact.keys.first() {
        Some(key) if key.decision == Some(KeyDecision::Rejected) => "rejected",
        Some(key) if key.countersigned => "signed by the old key",
        _ => "WITHOUT the old key",
    }
}
