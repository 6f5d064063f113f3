//! Receipts: how far a message has come at its recipient, many in one message (§8.2).

use connect_core::message::{MessageRef, Payload, Receipt, ReceiptKind};
use connect_proto::ids::UserId;
use connect_store::codes::RecipientState;
use connect_store::contacts::Contact;
use connect_store::conversations::{self, Conversation, ConversationRow};
use connect_store::recipients;

use crate::audience;
use crate::controls::{self, Order};
use crate::error::Error;
use crate::journal::Journal;

/// Messages that one receipt tells of: it stays among the sizes that a text has.
const AT_ONCE: usize = 100;

/// Queues receipts to the author of these messages and to nobody else who has the conversation in common, within the
/// transaction that stored or read them (D19).
pub(crate) async fn queue(
    journal: &mut Journal,
    conversation: &Conversation,
    author: &Contact,
    kind: ReceiptKind,
    messages: &[MessageRef],
) -> Result<(), Error> {
    if author.blocked {
        return Ok(());
    }
    if messages.is_empty() {
        return Ok(());
    }
    let audience = audience::author(journal, conversation, author).await?;
    for some in messages.chunks(AT_ONCE) {
        let receipt = Payload::Receipt(Receipt {
            kind,
            messages: some.to_vec(),
            at_ms: journal.now_ms(),
        });
        controls::queue(journal, &audience, Order::Aside, &receipt).await?;
    }
    Ok(())
}

/// Takes in a receipt for messages of ours; what it says of others' is nothing to us.
pub(crate) async fn apply(
    journal: &mut Journal,
    reader: &UserId,
    conversation: ConversationRow,
    receipt: &Receipt,
) -> Result<(), Error> {
    let me = journal.unlocked().user_id().clone();
    let state = match receipt.kind {
        ReceiptKind::Delivered => RecipientState::Delivered,
        ReceiptKind::Read => RecipientState::Read,
    };
    for reference in &receipt.messages {
        if reference.sender != me {
            continue;
        }
        let found = recipients::find_sent(journal.tx(), &me, reference.message_id).await?;
        let Some(sent) = found else {
            continue;
        };
        // One for what was said in a case comes from one to the other (D164).
        if sent.conversation != conversation
            && !matches!(
                conversations::find_named(journal.tx(), sent.conversation).await?,
                Conversation::Case(_)
            )
        {
            continue;
        }
        journal.move_recipient(&sent, reader, state, None).await?;
    }
    Ok(())
}
