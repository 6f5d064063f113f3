//! What happens on your side while the sandbox stays: each message that comes in or goes out.

use connect_api::events::{Event, EventBody};
use connect_api::messages::{Get, MessageParams, MessageState};

use super::house::House;
use super::story::say;

pub(super) async fn watch(house: &House) {
    let mut events = house.you.client.events(None);
    while let Some(event) = events.next().await {
        if let Ok(event) = event {
            tell(house, event).await;
        }
    }
}

async fn tell(house: &House, event: Event) {
    let message_id = match event.body {
        EventBody::MessageReceived(received) => received.message_id,
        EventBody::MessageState {
            message_id,
            state: MessageState::Sent,
            ..
        } => message_id,
        _ => return,
    };
    // Locked in between: the event comes again after the next unlock for whoever follows from its id.
    if let Ok(message) = house
        .you
        .client
        .call::<Get>(MessageParams { message_id })
        .await
    {
        say(&format!(
            "  {}: {}",
            message.author,
            message.text.escape_debug()
        ));
    }
}
