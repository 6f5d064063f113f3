//! `connectctl audit export`

use clap::Args;
use connect_api::audit::{self, ListParams};
use connect_api::page::MAX_LIMIT;

use crate::context::Context;
use crate::error::Error;
use crate::escape;

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Only entries after this one: the last that was exported before.
    #[arg(long, value_name = "ENTRY")]
    after: Option<u64>,
}

pub(crate) async fn run(args: Export, context: &Context) -> Result<(), Error> {
    let mut after = args.after;
    loop {
        let params = ListParams {
            after,
            limit: Some(MAX_LIMIT),
        };
        let page = context.call::<audit::List>(params).await?;
        let mut lines = String::new();
        for entry in &page.items {
            let line = serde_json::to_string(entry).map_err(|_| Error::Data("an odd entry"))?;
            lines += &escape::json(&line);
            lines.push('\n');
        }
        context.out.bytes(lines.as_bytes())?;
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}
