//! Telling that somebody is writing: at once or not at all (§8.2).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use connect_core::message::Payload;
use connect_core::outbound::Draft;
use connect_proto::ids::MessageId;
use connect_store::codes::StateReason;
use connect_store::contacts;
use connect_store::conversations::{self, Conversation};

use crate::error::Error;
use crate::seal::seal;
use crate::unlocked::Unlocked;

/// Returns whether it is being told: not while the last one is still under way, and not unless the policy says so.
pub async fn tell(
    unlocked: &Arc<Unlocked>,
    conversation: &Conversation,
    active: bool,
) -> Result<bool, Error> {
    let Conversation::User(recipient) = conversation else {
        return Err(Error::NotFound);
    };
    let contact = contacts::find(&unlocked.store, recipient)
        .await?
        .ok_or(Error::UnknownContact)?;
    // It may be lost without harm: it stands beside what was said last, not after it.
    let sequence = conversations::last_sequence(&unlocked.store, conversation).await?;
    let draft = Draft {
        message_id: MessageId::random(&mut unlocked.chance.clone()),
        timestamp_ms: unlocked.clock.now_ms(),
        group_id: None,
        sequence: sequence.max(1),
        ephemeral: true,
        payload: &Payload::Typing(active),
    };
    let envelope = seal(unlocked, draft, &contact)?.map_err(|reason| match reason {
        StateReason::KeyChanged => Error::KeyChangeHold,
        _ => Error::KeyRevoked,
    })?;
    if !unlocked.policy().typing || unlocked.is_telling.swap(true, Ordering::AcqRel) {
        return Ok(false);
    }
    let telling = Arc::clone(unlocked);
    unlocked.loops.spawn(async move {
        let mut chance = telling.chance.clone();
        let now_ms = telling.clock.now_ms();
        let uplink = &telling.uplink;
        tokio::select! {
            () = telling.ended() => {}
            _ = uplink.send(telling.credentials(), now_ms, &mut chance, &envelope) => {}
        }
        telling.is_telling.store(false, Ordering::Release);
    });
    Ok(true)
}
