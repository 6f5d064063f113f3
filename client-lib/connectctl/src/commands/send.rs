//! `connectctl send`

use std::fmt;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use connect_api::conversation::Conversation;
use connect_api::events::EventBody;
use connect_api::messages::{
    self, AttachParams, Message, MessageParams, MessageState, SendParams, Sent, StateReason,
};
use connect_client::follow::Follow;

use super::attachments::upload;
use crate::context::Context;
use crate::error::Error;
use crate::{escape, input, target, words};

#[derive(Args)]
pub(crate) struct Send {
    /// The user's id, or user:ID, group:ID, case:ID.
    #[arg(value_name = "USER", value_parser = target::parse)]
    conversation: Conversation,
    /// The text; - reads it from standard input.
    // Beside a file, its caption.
    #[arg(
        value_name = "TEXT",
        allow_hyphen_values = true,
        required_unless_present = "attach"
    )]
    pub(crate) text: Option<String>,
    /// A file to send; the text is its caption then, and may be left out.
    #[arg(long, value_name = "FILE")]
    attach: Option<PathBuf>,
    /// What the file is, for instance image/png. By its name's ending when left out.
    #[arg(long, value_name = "TYPE", requires = "attach")]
    media_type: Option<String>,
    /// The id of the message that this one answers.
    #[arg(long, value_name = "ID", conflicts_with = "attach")]
    reply_to: Option<String>,
    /// A name of your own for this message: sending again with the same one sends nothing twice.
    #[arg(long, value_name = "REF")]
    client_ref: Option<String>,
    /// Come back only once every recipient's relay or device has it, or --timeout is over.
    #[arg(long, value_name = "STATE")]
    pub(crate) wait: Option<Goal>,
}

impl fmt::Debug for Send {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Send(..)")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Goal {
    /// The relay has it.
    Sent,
    /// The recipient's device has it.
    Delivered,
}

pub(crate) async fn run(args: Send, context: &Context) -> Result<(), Error> {
    let text = match args.text.as_deref() {
        Some("-") => Some(input::without_line_end(&input::read(Path::new("-"))?).to_owned()),
        _ => args.text,
    };
    let (text, attachment) = match &args.attach {
        None => (text, None),
        Some(file) => {
            let uploaded = upload::send(file, args.media_type, context).await?;
            let attach = AttachParams {
                attachment_id: uploaded.attachment_id,
                caption: text,
            };
            (None, Some(attach))
        }
    };
    let params = SendParams {
        conversation: args.conversation,
        text,
        attachment,
        reply_to: args.reply_to,
        client_ref: args.client_ref,
    };
    let attached = params
        .attachment
        .as_ref()
        .map(|attach| attach.attachment_id.clone());
    let Some(goal) = args.wait else {
        let sent = context.call::<messages::Send>(params).await?;
        return answer(context, &sent);
    };
    // Asked for before sending, so that no change of state is missed.
    let before = context.client.health().await?.events.last_event_id;
    let sent = context.call::<messages::Send>(params).await?;
    let reached = async {
        if let Some(attachment_id) = &attached {
            upload::follow(attachment_id, context).await?;
        }
        reach(context, &sent, goal, before).await
    };
    let outcome = match context.timeout {
        Some(timeout) => tokio::time::timeout(timeout, reached)
            .await
            .unwrap_or(Err(Error::NotYet)),
        None => reached.await,
    };
    // Whatever became of the wait, the message has an id by now.
    let state = *outcome.as_ref().unwrap_or(&sent.state);
    answer(context, &Sent { state, ..sent })?;
    outcome.map(drop)
}

fn answer(context: &Context, sent: &Sent) -> Result<(), Error> {
    context.out.answer(sent, || {
        format!(
            "{}  {}",
            escape::line(&sent.message_id),
            words::message_state(sent.state)
        )
    })
}

/// Follows the message until it has reached the goal at every recipient.
async fn reach(
    context: &Context,
    sent: &Sent,
    goal: Goal,
    after: u64,
) -> Result<MessageState, Error> {
    let mut events = context.client.follow(Follow {
        after: Some(after),
        wait: false,
    });
    // With a client_ref that was used before, the goal may be behind us.
    loop {
        let params = MessageParams {
            message_id: sent.message_id.clone(),
        };
        let message = context.call::<messages::Get>(params).await?;
        if let Some(state) = judge(&message, goal)? {
            return Ok(state);
        }
        loop {
            let event = events.next().await.ok_or(Error::NotYet)??;
            if matches!(event.body, EventBody::MessageState { message_id, .. } if message_id == sent.message_id)
            {
                break;
            }
        }
    }
}

/// The state, once it is far enough; an error, once it cannot get there by itself.
fn judge(message: &Message, goal: Goal) -> Result<Option<MessageState>, Error> {
    for recipient in &message.recipients {
        match (recipient.state, recipient.reason) {
            (MessageState::Failed, reason) => return Err(Error::Undelivered(reason)),
            (
                MessageState::Held,
                Some(reason @ (StateReason::KeyChanged | StateReason::KeyRevoked)),
            ) => {
                return Err(Error::Held(Some(reason)));
            }
            _ => {}
        }
    }
    let is_there = match message.state {
        MessageState::Queued | MessageState::Held | MessageState::Other => false,
        MessageState::Sent => goal == Goal::Sent,
        MessageState::Delivered | MessageState::Read | MessageState::Received => true,
        MessageState::Failed => return Err(Error::Undelivered(None)),
    };
    Ok(is_there.then_some(message.state))
}

#[cfg(test)]
mod tests {
    use connect_api::messages::{Auth, RecipientState};

    use super::*;

    fn message(state: MessageState, reason: Option<StateReason>) -> Message {
        let recipient = RecipientState {
            user_id: "u".into(),
            state,
            reason,
            changed_ms: 0,
        };
        Message {
            message_id: "m".into(),
            conversation: Conversation::User("u".into()),
            author: "me".into(),
            outgoing: true,
            text: String::new(),
            sent_ms: 0,
            stored_ms: 0,
            reply_to: None,
            client_ref: None,
            edited_ms: None,
            deleted_ms: None,
            attachment: None,
            auth: Auth::Current,
            state,
            recipients: vec![recipient],
        }
    }

    #[test]
    fn the_goal_is_reached_there_or_beyond() {
        let reached = |state, goal| judge(&message(state, None), goal).unwrap().is_some();
        assert!(!reached(MessageState::Queued, Goal::Sent));
        assert!(reached(MessageState::Sent, Goal::Sent));
        assert!(!reached(MessageState::Sent, Goal::Delivered));
        assert!(reached(MessageState::Read, Goal::Delivered));
    }

    #[test]
    fn what_cannot_get_there_by_itself_is_not_waited_for() {
        let held = message(MessageState::Held, Some(StateReason::KeyChanged));
        assert!(matches!(judge(&held, Goal::Sent), Err(Error::Held(_))));
        let full = message(MessageState::Held, Some(StateReason::MailboxFull));
        assert!(judge(&full, Goal::Sent).unwrap().is_none());
        let failed = message(MessageState::Failed, Some(StateReason::Expired));
        assert!(matches!(
            judge(&failed, Goal::Sent),
            Err(Error::Undelivered(_))
        ));
    }
}
