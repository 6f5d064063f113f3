//! `connectctl call`

use std::fmt;
use std::path::Path;

use clap::Args;
use serde_json::{Map, Value};

use crate::context::Context;
use crate::error::Error;
use crate::input;

#[derive(Args)]
pub(crate) struct Call {
    /// As in the contract, e.g. system.health.
    #[arg(value_name = "METHOD")]
    method: String,
    /// The parameters, as a JSON object; - reads them from standard input.
    #[arg(value_name = "JSON", default_value = "{}")]
    params: String,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

pub(crate) async fn run(args: Call, context: &Context) -> Result<(), Error> {
    let text = match args.params.as_str() {
        "-" => input::read(Path::new("-"))?,
        _ => args.params.into(),
    };
    // serde's own error would quote what may be a secret.
    let params: Map<String, Value> = serde_json::from_str(&text)
        .map_err(|_| Error::Data("the parameters are not a JSON object"))?;
    let answer = context.client.call_raw(&args.method, &params).await?;
    let answer: Value = serde_json::from_str(answer.get()).unwrap_or_default();
    context.out.document(&answer)
}
