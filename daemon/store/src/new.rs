//! A message to store, in or out.

use std::fmt;

use connect_proto::ids::{InstallationId, MessageId, UserId};

use crate::conversations::ConversationRow;

/// What is stored of a message.
#[derive(Clone)]
pub struct NewMessage<'a> {
    pub conversation: ConversationRow,
    pub sender: &'a UserId,
    pub message_id: MessageId,
    pub timestamp_ms: u64,
    pub stored_ms: u64,
    pub installation_id: InstallationId,
    pub sequence: u64,
    pub retired_key: bool,
    pub text: &'a str,
    pub reply_to: Option<MessageId>,
}

impl fmt::Debug for NewMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewMessage({})", self.message_id)
    }
}
