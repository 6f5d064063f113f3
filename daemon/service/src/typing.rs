//! Telling that somebody is writing: at once or not at all (§8.2).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use connect_core::message::Payload;
use connect_core::outbound::Draft;
use connect_proto::ids::{CaseId, MessageId, UserId};
use connect_store::codes::{EventKind, StateReason};
use connect_store::conversations::{self, Conversation, ConversationRow};
use connect_store::events::NewEvent;

use crate::audience::{self, Audience, Instead};
use crate::casework::write;
use crate::error::{Error, Reason};
use crate::journal::Journal;
use crate::seal::seal;
use crate::unlocked::Unlocked;

/// Whether somebody types is told for this long.
const TYPING_MS: u64 = 60_000;

/// Somebody else writes, or ceased to, at that time. An old one says nothing about now. It is told by the relay's clock,
/// and never refused for its date (D30).
pub(crate) async fn hear(
    journal: &mut Journal,
    conversation: ConversationRow,
    author: &UserId,
    (timestamp_ms, active): (u64, bool),
) -> Result<(), Error> {
    let offset_ms = journal.unlocked().uplink.clock_offset_ms();
    let now_ms = journal.now_ms().saturating_add_signed(offset_ms);
    if now_ms.abs_diff(timestamp_ms) > TYPING_MS {
        return Ok(());
    }
    let event = NewEvent {
        conversation: Some(conversation),
        user_id: Some(author.as_str()),
        range: Some((u64::from(active), u64::from(active))),
        ..NewEvent::of(EventKind::Typing, journal.now_ms())
    };
    Ok(journal.append(&event).await?)
}

/// Returns whether it is being told: not while the last one is still under way, and not unless the policy says so.
pub async fn tell(
    unlocked: &Arc<Unlocked>,
    conversation: &Conversation,
    active: bool,
) -> Result<bool, Error> {
    // It may be lost without harm: it stands beside what was said last, not after it.
    let sequence = conversations::last_sequence(&unlocked.store, conversation).await?;
    let sequence = sequence.max(1);
    let mut journal = Journal::begin(unlocked).await?;
    let envelope = if let Conversation::Case(case_id) = conversation {
        in_case(&mut journal, *case_id, sequence, active).await?
    } else {
        let audience = audience::to_write(&mut journal, conversation).await?;
        boxed(unlocked, &audience, sequence, active)?
    };
    drop(journal);
    if !unlocked.policy().typing || unlocked.is_telling.swap(true, Ordering::AcqRel) {
        return Ok(false);
    }
    let telling = Arc::clone(unlocked);
    unlocked.loops.spawn(async move {
        let mut chance = telling.chance.clone();
        let now_ms = telling.clock.now_ms();
        let uplink = &telling.uplink;
        let me = telling.me();
        tokio::select! {
            () = telling.ended() => {}
            _ = uplink.send(me.credentials(), now_ms, &mut chance, &envelope) => {}
        }
        telling.is_telling.store(false, Ordering::Release);
    });
    Ok(true)
}

async fn in_case(
    journal: &mut Journal,
    case_id: CaseId,
    sequence: u64,
    active: bool,
) -> Result<Vec<u8>, Error> {
    let (case, control) = write::find_open(journal, case_id).await?;
    let readers = write::readers(journal, &[&control]).await?;
    let draft = write::Draft {
        message_id: MessageId::random(&mut journal.unlocked().chance.clone()),
        timestamp_ms: journal.now_ms(),
        sequence,
        installation_id: None,
        ephemeral: true,
        payload: &Payload::Typing(active),
    };
    let envelope = write::seal(journal, &case, draft, &readers).await?;
    envelope.ok_or(Error::invalid("conversation", Reason::Empty))
}

fn boxed(
    unlocked: &Unlocked,
    audience: &Audience,
    sequence: u64,
    active: bool,
) -> Result<Vec<u8>, Error> {
    let draft = Draft {
        message_id: MessageId::random(&mut unlocked.chance.clone()),
        timestamp_ms: unlocked.clock.now_ms(),
        group_id: audience.group_id(),
        roster: audience.roster,
        sequence,
        ephemeral: true,
        payload: &Payload::Typing(active),
    };
    let sealed = seal(unlocked, draft, audience, &Instead::default())?;
    let waits = sealed.holds.iter().flatten().next();
    sealed.envelope.ok_or(match waits {
        Some(StateReason::KeyChanged | StateReason::KeyRejected) => Error::KeyChangeHold,
        _ => Error::KeyRevoked,
    })
}
