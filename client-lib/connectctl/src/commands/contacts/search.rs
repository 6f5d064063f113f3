//! `connectctl contacts search`

use clap::Args;
use connect_api::contacts::{self, FoundUser, SearchParams};

use crate::context::Context;
use crate::error::Error;
use crate::escape;
use crate::output::Output;
use crate::table::Table;

#[derive(Args)]
pub(crate) struct Search {
    /// The beginnings of a name, a profession or an organisation.
    #[arg(value_name = "WORDS", required = true, num_args = 1..)]
    query: Vec<String>,
    /// How many to show at most: 1 to 50.
    #[arg(long, value_name = "N")]
    limit: Option<u32>,
}

impl std::fmt::Debug for Search {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Search(..)")
    }
}

pub(crate) async fn run(args: Search, context: &Context) -> Result<(), Error> {
    let params = SearchParams {
        query: args.query.join(" "),
        limit: args.limit,
    };
    let found = context.call::<contacts::Search>(params).await?;
    context.out.answer(&found, || {
        if found.items.is_empty() {
            "Nobody like that".to_owned()
        } else {
            text(&context.out, &found.items)
        }
    })
}

fn text(out: &Output, found: &[FoundUser]) -> String {
    let mut table = Table::new(&[
        "USER",
        "NAME",
        "PROFESSION",
        "ORGANISATION",
        "ATTESTED",
        "CONTACT",
    ]);
    let told = |is_so: bool| if is_so { "yes" } else { "no" }.to_owned();
    for user in found {
        table.row([
            escape::line(&user.user_id),
            escape::line(&user.display_name),
            escape::line(&user.profession),
            escape::line(&user.organisation),
            told(user.attested),
            told(user.is_contact),
        ]);
    }
    table.render(out)
}
