//! `connectctl hello`

use clap::Args;

use crate::context::Context;
use crate::error::Error;
use crate::{escape, table, words};

#[derive(Debug, Args)]
pub(crate) struct Hello {}

pub(crate) async fn run(_: Hello, context: &Context) -> Result<(), Error> {
    let hello = context.client.hello().await?;
    context.out.answer(&hello, || {
        let scopes = serde_json::to_value(&hello.scopes).unwrap_or_default();
        let scopes: Vec<&str> = scopes
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|scope| scope.as_str())
            .collect();
        let principal = hello.principal.as_deref().unwrap_or("nobody yet");
        table::pairs(
            &context.out,
            &[
                ("connectd", escape::line(&hello.daemon_version)),
                ("contract", hello.api_version.to_string()),
                ("state", words::state(hello.state)),
                ("you are", escape::line(principal)),
                ("you may", scopes.join(" ")),
            ],
        )
    })
}
