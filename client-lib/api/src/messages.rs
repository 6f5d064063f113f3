//! `messages.*`: sending and reading.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::attachments::Attachment;
use crate::conversation::Conversation;
use crate::method::{Access, Needs, method};
use crate::page::Page;
use crate::scope::Scope;

/// What has become of a message for one recipient (D20), or that it came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MessageState {
    /// Durable here, on its way to the relay.
    Queued,
    /// Waits for a decision or for room in a mailbox; `reason` says which.
    Held,
    /// Durable at the relay.
    Sent,
    Delivered,
    Read,
    /// Given up; `reason` says why.
    Failed,
    /// Came in from another user.
    Received,
    /// One that a later daemon may say.
    #[serde(other)]
    #[schemars(skip)]
    Other,
}

/// Why a message is held or failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StateReason {
    /// The recipient's key changed, and someone has to decide.
    KeyChanged,
    KeyRevoked,
    /// Somebody here decided against the recipient's key.
    KeyRejected,
    /// The recipient's mailbox at the relay is full; it is tried again.
    MailboxFull,
    /// The relay has other content under this message's id.
    IdConflict,
    /// The relay does not take a message of this size.
    TooLarge,
    /// The relay does not know the recipient.
    UnknownRecipient,
    /// The relay refuses the message in another way.
    Refused,
    /// The relay gave the message up after 30 days (D21).
    Expired,
    RecipientDeleted,
    /// The recipient was taken off the roster before it had gone out.
    NotAMember,
    /// It was still waiting a day after its case was closed, or its author was taken out of it or left (D16).
    TooLate,
    /// Its author deleted it before it had gone out.
    Withdrawn,
    /// One that a later daemon may say.
    #[serde(other)]
    #[schemars(skip)]
    Other,
}

/// Which of the sender's keys a message came under (D24).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Auth {
    Current,
    RetiredKey,
    /// One that a later daemon may say.
    #[serde(other)]
    #[schemars(skip)]
    Other,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RecipientState {
    pub user_id: String,
    pub state: MessageState,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<StateReason>,
    pub changed_ms: u64,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Message {
    pub message_id: String,
    pub conversation: Conversation,
    /// The author's user id.
    pub author: String,
    pub outgoing: bool,
    pub text: String,
    /// When its author says that it was written.
    pub sent_ms: u64,
    /// When it was stored here.
    pub stored_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reply_to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub client_ref: Option<String>,
    /// When its author last edited it; the earlier texts are in `messages.versions`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub edited_ms: Option<u64>,
    /// When its author deleted it; then `text` is empty.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub deleted_ms: Option<u64>,
    pub auth: Auth,
    /// What goes with it; `text` is its caption then.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub attachment: Option<Attachment>,
    /// The least advanced of its recipients, or `received`.
    pub state: MessageState,
    /// Empty for a message that came in.
    pub recipients: Vec<RecipientState>,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("message_id", &self.message_id)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SendParams {
    /// Where it goes. The user must be a contact, and of a group this user a member.
    pub conversation: Conversation,
    /// 1 byte to 16 KiB of UTF-8. This or an attachment.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub text: Option<String>,
    /// A file that was uploaded: the message goes out once all of it is at the relay.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub attachment: Option<AttachParams>,
    /// The message that this one answers; not beside an attachment.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reply_to: Option<String>,
    /// 1 to 128 characters of the caller's own: a repeat with the same content returns the first message (D20).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub client_ref: Option<String>,
}

/// Names an upload, which no other message has named.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AttachParams {
    /// As answered by `attachments.begin_upload`.
    pub attachment_id: String,
    /// Up to 16 KiB of UTF-8.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub caption: Option<String>,
}

impl fmt::Debug for AttachParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AttachParams({})", self.attachment_id)
    }
}

impl fmt::Debug for SendParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SendParams(..)")
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sent {
    pub message_id: String,
    pub state: MessageState,
}

/// A page of a conversation, newest first. `next` (into `after`) goes on to older messages; a message's own id
/// is a place in the list too: `before` it stand the newer ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListParams {
    /// Whose messages.
    pub conversation: Conversation,
    /// Only messages newer than this one: the nearest of them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub before: Option<String>,
    /// Only messages older than this one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub after: Option<String>,
    /// 1 to 500; 50 when left out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub limit: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MessageParams {
    /// The message's id: 32 digits of hex.
    pub message_id: String,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EditParams {
    /// A message of our own: its id.
    pub message_id: String,
    /// 1 byte to 16 KiB of UTF-8.
    pub text: String,
}

impl fmt::Debug for EditParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EditParams({})", self.message_id)
    }
}

/// A text that a message once had.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Version {
    pub text: String,
    /// When its author says that it was written.
    pub written_ms: u64,
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Version(..)")
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Versions {
    /// The first text first; without the one that is shown now.
    pub items: Vec<Version>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TypingParams {
    /// To whom it is told.
    pub conversation: Conversation,
    /// True while something is being written, false once it is not any more.
    pub active: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Told {
    /// False where the policy does not allow it, or the last one is still under way.
    pub told: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MarkReadParams {
    /// Which conversation was read.
    pub conversation: Conversation,
    /// The newest message that was read.
    pub up_to: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Marked {
    /// Messages still unread in the conversation.
    pub unread: u64,
}

method! {
    /// Queues a message: the answer comes once it is durable here, not once it is sent (D20).
    Send = "messages.send"(SendParams) -> Sent, Access::Scope(Scope::MessagesSend), Needs::Unlocked, [Invalid, TooLarge, UnknownContact, NotFound, NotAParticipant, ClientRefConflict, RateLimited]
}
method! {
    /// A conversation's messages, newest first.
    List = "messages.list"(ListParams) -> Page<Message>, Access::Scope(Scope::MessagesRead), Needs::Unlocked, [Invalid, NotFound]
}
method! {
    /// One message, with its state per recipient.
    Get = "messages.get"(MessageParams) -> Message, Access::Scope(Scope::MessagesRead), Needs::Unlocked, [Invalid, NotFound]
}
method! {
    /// Marks a conversation as read up to a message.
    MarkRead = "messages.mark_read"(MarkReadParams) -> Marked, Access::Scope(Scope::MessagesRead), Needs::Unlocked, [Invalid, NotFound]
}
method! {
    /// Gives a message of our own another text, here and at its recipients (D12); not while its attachment is on its way to
    /// the relay (`invalid`, `uploading`).
    Edit = "messages.edit"(EditParams) -> Message, Access::Scope(Scope::MessagesSend), Needs::Unlocked, [Invalid, TooLarge, UnknownContact, NotFound, NotAParticipant, RateLimited]
}
method! {
    /// Takes a message of our own back, here and at its recipients; one that is held does not go out at all (D12).
    Delete = "messages.delete"(MessageParams) -> Message, Access::Scope(Scope::MessagesSend), Needs::Unlocked, [Invalid, UnknownContact, NotFound, NotAParticipant, RateLimited]
}
method! {
    /// The earlier texts of a message, for whoever audits (D12).
    ListVersions = "messages.versions"(MessageParams) -> Versions, Access::Scope(Scope::AuditRead), Needs::Unlocked, [Invalid, NotFound]
}
method! {
    /// Tells that we are writing, or no longer; never stored (§8.2).
    TellTyping = "messages.typing"(TypingParams) -> Told, Access::Scope(Scope::MessagesSend), Needs::Unlocked, [Invalid, UnknownContact, NotFound, NotAParticipant, KeyChangeHold, KeyRevoked, RateLimited]
}
