//! The colleague: a client of the second daemon, as any plugin would be, who answers whatever comes in.

use connect_api::conversation::Conversation;
use connect_api::events::EventBody;
use connect_api::messages::{Get, MarkRead, MarkReadParams, MessageParams};
use connect_client::client::Client;
use connect_client::error::CallError;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::house::Member;

#[derive(Debug)]
pub(super) struct Colleague {
    ending: CancellationToken,
    tasks: TaskTracker,
}

impl Colleague {
    pub(super) fn start(member: &Member) -> Self {
        let ending = CancellationToken::new();
        let tasks = TaskTracker::new();
        let client = member.client.clone();
        let ended = ending.clone();
        tasks.spawn(async move {
            tokio::select! {
                () = answer_everything(&client) => {}
                () = ended.cancelled() => {}
            }
        });
        tasks.close();
        Self { ending, tasks }
    }

    pub(super) async fn stop(self) {
        self.ending.cancel();
        self.tasks.wait().await;
    }
}

async fn answer_everything(client: &Client) {
    let mut events = client.events(None);
    while let Some(event) = events.next().await {
        let Ok(event) = event else { continue };
        if let EventBody::MessageReceived(received) = event.body {
            let answered = answer(client, received.conversation, received.message_id).await;
            if let Err(error) = answered {
                tracing::warn!(%error, "the colleague did not answer");
            }
        }
    }
}

/// The reference makes a repeat after a lost connection the same answer.
async fn answer(
    client: &Client,
    conversation: Conversation,
    message_id: String,
) -> Result<(), CallError> {
    let params = MessageParams {
        message_id: message_id.clone(),
    };
    let asked = client.call::<Get>(params).await?.text;
    let letters = asked.chars().count();
    let text = format!("Read it ({letters} characters), thank you. I will look at it right away.");
    let reference = format!("answer-{message_id}");
    client
        .send_text(conversation.clone(), text, Some(reference))
        .await?;
    let params = MarkReadParams {
        conversation,
        up_to: message_id,
    };
    client.call::<MarkRead>(params).await?;
    Ok(())
}
