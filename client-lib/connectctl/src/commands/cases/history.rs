//! `connectctl cases history`

use clap::Args;
use connect_api::cases::{self, FieldHistory, FieldParams};

use super::{case_id, show};
use crate::context::Context;
use crate::error::Error;

#[derive(Debug, Args)]
pub(crate) struct History {
    #[arg(value_name = "CASE", value_parser = case_id)]
    case: String,
    /// The field's name.
    name: String,
}

pub(crate) async fn run(args: History, context: &Context) -> Result<(), Error> {
    let params = FieldParams {
        case: args.case,
        name: args.name,
    };
    let history = context.call::<cases::ListFieldHistory>(params).await?;
    context.out.answer(&history, || text(context, &history))
}

fn text(context: &Context, history: &FieldHistory) -> String {
    let one = |version| show::version(&context.out, version);
    let all: Vec<String> = history.items.iter().map(one).collect();
    all.join("\n")
}
