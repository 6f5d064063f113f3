//! Lists come as pages: one of them, or all.

use clap::Args;
use connect_api::page::{ListParams, MAX_LIMIT, Page};
use connect_client::error::CallError;
use serde::Serialize;

use crate::error::Error;
use crate::output::Output;

/// How much of a list.
#[derive(Debug, Clone, Args)]
pub(crate) struct Paging {
    /// How many at a time.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_LIMIT)))]
    pub(crate) limit: Option<u32>,
    /// Everything, not one page only.
    #[arg(long)]
    pub(crate) all: bool,
}

impl Paging {
    pub(crate) fn params(&self, after: Option<String>) -> ListParams {
        ListParams {
            after,
            limit: self.limit,
        }
    }
}

/// What was read for people; programs got each page as it came.
#[derive(Debug)]
pub(crate) struct Pages<T> {
    pub(crate) items: Vec<T>,
    pub(crate) more: bool,
}

pub(crate) async fn read<T, C, F>(
    out: &Output,
    all: bool,
    after: Option<C>,
    fetch: impl Fn(Option<C>) -> F,
) -> Result<Pages<T>, Error>
where
    T: Serialize,
    C: Serialize,
    F: Future<Output = Result<Page<T, C>, CallError>>,
{
    let mut items = Vec::new();
    let mut after = after;
    loop {
        let page = fetch(after).await?;
        if out.is_json() {
            out.document(&page)?;
        } else {
            items.extend(page.items);
        }
        match page.next {
            Some(next) if all => after = Some(next),
            next => {
                let more = next.is_some();
                return Ok(Pages { items, more });
            }
        }
    }
}

impl<T> Pages<T> {
    /// Hands everything to people at once.
    pub(crate) fn show(
        &self,
        out: &Output,
        nothing: &str,
        text: impl FnOnce(&[T]) -> String,
    ) -> Result<(), Error> {
        if out.is_json() {
            return Ok(());
        }
        if self.items.is_empty() {
            out.note(nothing);
            return Ok(());
        }
        out.text(text(&self.items))?;
        if self.more {
            out.note("There are more: --all shows them.");
        }
        Ok(())
    }
}
