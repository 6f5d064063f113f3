//! Receipts: how far a message has come at its recipient, many in one message (§8.2).

use connect_core::message::{MessageRef, Payload, Receipt, ReceiptKind};
use connect_proto::ids::UserId;
use connect_store::codes::RecipientState;
use connect_store::contacts::Contact;
use connect_store::conversations::ConversationRow;
use connect_store::recipients;

use crate::controls;
use crate::error::Error;
use crate::journal::Journal;

/// Messages that one receipt tells of: it stays among the sizes that a text has.
const AT_ONCE: usize = 100;

/// Queues receipts to the author of these messages, within the transaction that stored or read them (D19).
pub(crate) async fn queue(
    journal: &mut Journal,
    author: &Contact,
    kind: ReceiptKind,
    messages: &[MessageRef],
) -> Result<(), Error> {
    for some in messages.chunks(AT_ONCE) {
        let receipt = Payload::Receipt(Receipt {
            kind,
            messages: some.to_vec(),
            at_ms: journal.now_ms(),
        });
        controls::queue(journal, author, &receipt).await?;
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
        let Some(sent) = found.filter(|sent| sent.conversation == conversation) else {
            continue;
        };
        journal.move_recipient(&sent, reader, state, None).await?;
    }
    Ok(())
}
