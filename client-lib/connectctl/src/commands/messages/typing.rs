//! `connectctl messages typing`

use clap::{Args, ValueEnum};
use connect_api::conversation::Conversation;
use connect_api::messages::{self, TypingParams};

use crate::context::Context;
use crate::error::Error;
use crate::target;

#[derive(Debug, Args)]
pub(crate) struct Typing {
    /// The user's id, or user:ID, group:ID, case:ID.
    #[arg(value_name = "USER", value_parser = target::parse)]
    conversation: Conversation,
    #[arg(value_name = "STATE", default_value = "on")]
    state: Switch,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

pub(crate) async fn run(args: Typing, context: &Context) -> Result<(), Error> {
    let params = TypingParams {
        conversation: args.conversation,
        active: args.state == Switch::On,
    };
    let told = context.call::<messages::TellTyping>(params).await?;
    context.out.answer(&told, || {
        let said = if told.told {
            "told"
        } else {
            "not told: the policy does not allow it, or the last one is still under way"
        };
        said.to_owned()
    })
}
