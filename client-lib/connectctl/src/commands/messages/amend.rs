//! `connectctl messages edit`, `delete` and `versions`

use std::fmt;
use std::path::Path;

use clap::Args;
use connect_api::messages::{self, EditParams, Message, MessageParams, Versions};

use crate::context::Context;
use crate::error::Error;
use crate::{escape, input, time, words};

#[derive(Args)]
pub(crate) struct Edit {
    /// The id of a message of your own.
    #[arg(value_name = "ID")]
    message_id: String,
    /// The new text; - reads it from standard input.
    #[arg(value_name = "TEXT", allow_hyphen_values = true)]
    text: String,
}

impl fmt::Debug for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Edit(..)")
    }
}

#[derive(Debug, Args)]
pub(crate) struct Named {
    /// The message's id.
    #[arg(value_name = "ID")]
    message_id: String,
}

impl Named {
    fn into_params(self) -> MessageParams {
        MessageParams {
            message_id: self.message_id,
        }
    }
}

pub(crate) async fn edit(args: Edit, context: &Context) -> Result<(), Error> {
    let text = match args.text.as_str() {
        "-" => input::without_line_end(&input::read(Path::new("-"))?).to_owned(),
        _ => args.text,
    };
    let params = EditParams {
        message_id: args.message_id,
        text,
    };
    answer(context, &context.call::<messages::Edit>(params).await?)
}

pub(crate) async fn delete(args: Named, context: &Context) -> Result<(), Error> {
    let params = args.into_params();
    answer(context, &context.call::<messages::Delete>(params).await?)
}

fn answer(context: &Context, message: &Message) -> Result<(), Error> {
    context.out.answer(message, || {
        format!(
            "{}  {}",
            escape::line(&message.message_id),
            words::standing(message)
        )
    })
}

pub(crate) async fn versions(args: Named, context: &Context) -> Result<(), Error> {
    let versions = context
        .call::<messages::ListVersions>(args.into_params())
        .await?;
    context.out.answer(&versions, || text(&versions))
}

fn text(versions: &Versions) -> String {
    if versions.items.is_empty() {
        return "It was never changed.".to_owned();
    }
    let blocks: Vec<String> = versions
        .items
        .iter()
        .map(|version| {
            let written = time::local(version.written_ms);
            format!("{written}\n{}", escape::lines(&version.text))
        })
        .collect();
    blocks.join("\n\n")
}
