//! `connectctl watch`

use clap::Args;
use clap::builder::PossibleValuesParser;
use connect_api::errors::ErrorCode;
use connect_api::events::{self, AckParams, Event, EventBody};
use connect_api::messages::{self, Message, MessageParams};
use connect_api::system::State;
use connect_client::endpoint::ConnectError;
use connect_client::error::CallError;
use connect_client::follow::Follow;
use serde::Serialize;

use super::events::list::describe;
use crate::context::Context;
use crate::error::Error;
use crate::{escape, words};

#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// Begin behind this event. Left out: with what happens from now on.
    #[arg(long, value_name = "ID")]
    after: Option<u64>,
    /// Begin behind the last event that was acknowledged (the first time: with the oldest that is kept), and acknowledge
    /// each that was printed. All your programs share one place.
    #[arg(long, conflicts_with = "types")]
    ack: bool,
    /// Only these types of events.
    #[arg(long, value_name = "TYPES", value_delimiter = ',',
          value_parser = PossibleValuesParser::new(words::EVENT_TYPES))]
    types: Vec<String>,
    /// Fetch the text of messages that come in.
    #[arg(long)]
    text: bool,
}

/// An event, with its message where that was asked for.
#[derive(Debug, Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    event: &'a Event,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Message>,
}

pub(crate) async fn run(args: Watch, context: &Context) -> Result<(), Error> {
    tokio::select! {
        ended = follow(&args, context) => ended,
        pressed = tokio::signal::ctrl_c() => Err(pressed.map_or_else(Error::Output, |()| Error::Interrupted)),
    }
}

async fn follow(args: &Watch, context: &Context) -> Result<(), Error> {
    say_what_is_waited_for(context).await;
    let after = match args.after {
        None if args.ack => Some(acknowledged(context).await?),
        after => after,
    };
    let mut events = context.client.follow(Follow { after, wait: true });
    while let Some(event) = events.next().await {
        let event = event?;
        if is_wanted(args, &event) {
            tell(args, context, &event).await?;
        }
        if args.ack {
            acknowledge(context, event.event_id).await?;
        }
    }
    Ok(())
}

/// Otherwise a daemon that is away would look like one where nothing happens.
async fn say_what_is_waited_for(context: &Context) {
    match context.client.health().await {
        Ok(health) if health.state == State::Unlocked => {}
        Ok(health) => context.out.note(&format!(
            "Waiting: connectd is {}.",
            words::state(health.state)
        )),
        Err(CallError::Unreachable(ConnectError::NotRunning)) => {
            context.out.note("Waiting: connectd is not running.");
        }
        // The stream meets it too, and says more.
        Err(_) => {}
    }
}

/// Where the last watch with `--ack` has got: an acknowledgement never moves that back.
async fn acknowledged(context: &Context) -> Result<u64, Error> {
    let nothing = AckParams { event_id: 0 };
    Ok(context.call::<events::Ack>(nothing).await?.event_id)
}

/// What was printed stands, even where the daemon was locked or stopped since: then it is printed again another time.
async fn acknowledge(context: &Context, event_id: u64) -> Result<(), Error> {
    match context
        .client
        .call::<events::Ack>(AckParams { event_id })
        .await
    {
        Ok(_) | Err(CallError::Disconnected | CallError::Unreachable(_)) => Ok(()),
        Err(error) if error.code() == Some(ErrorCode::Locked) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// A gap is told to everyone.
fn is_wanted(args: &Watch, event: &Event) -> bool {
    let name = words::event_type(&event.body);
    args.types.is_empty()
        || args.types.iter().any(|wanted| wanted == name)
        || matches!(event.body, EventBody::EventsExpired { .. })
}

async fn tell(args: &Watch, context: &Context, event: &Event) -> Result<(), Error> {
    let message = match &event.body {
        EventBody::MessageReceived(received) if args.text => {
            fetch(context, &received.message_id).await
        }
        _ => None,
    };
    let told = Told { event, message };
    context.out.answer(&told, || {
        let line = describe(event);
        match &told.message {
            Some(message) => format!("{line}  {}", escape::line(&message.text)),
            None => line,
        }
    })
}

/// The event stands without it: the daemon may have been locked since.
async fn fetch(context: &Context, message_id: &str) -> Option<Message> {
    let params = MessageParams {
        message_id: message_id.to_owned(),
    };
    match context.client.call::<messages::Get>(params).await {
        Ok(message) => Some(message),
        Err(error) => {
            context.out.warn(&format!(
                "the text of {} was not read: {error}",
                escape::line(message_id)
            ));
            None
        }
    }
}
