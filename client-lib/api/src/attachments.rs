//! `attachments.*`: files that go with messages. Their bytes go by ticket (`bytes`).

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bytes::Ticket;
use crate::conversation::Conversation;
use crate::method::{Access, Needs, method};
use crate::page::Page;
use crate::scope::Scope;

/// How far an attachment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AttachmentState {
    /// Its bytes are coming from a client, or stopped coming: then it is given up.
    Incomplete,
    /// All of it is sealed and durable here; a message can name it.
    Sealed,
    /// A message names it, and it is on its way to the relay.
    Uploading,
    /// The relay has it, and it is not here.
    Available,
    /// On its way here.
    Downloading,
    /// All of it is here and agrees with what its sender said; of one's own, the relay has it too.
    Ready,
    /// `reason` says why; one that came in can be tried again.
    Failed,
    /// Somebody here ended it, or its author took the message back.
    Cancelled,
    /// One that a later daemon may say.
    #[serde(other)]
    #[schemars(skip)]
    Other,
}

/// Why an attachment failed or was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AttachmentReason {
    /// The relay does not have it, or not for us: it keeps attachments for 30 days.
    Expired,
    /// A chunk is shorter or longer than it has to be.
    ChunkSize,
    /// A chunk does not open at its place: changed, swapped, or of another attachment.
    ChunkDamaged,
    /// Every chunk opens, and together they are not what its sender sealed.
    DigestMismatch,
    /// What lay here was changed or is gone.
    FileDamaged,
    StorageFull,
    StorageFailed,
    /// Its id is another attachment's.
    IdConflict,
    /// The relay does not take one of this size.
    TooLarge,
    /// The relay does not know one of those it is for.
    UnknownReader,
    /// The relay refuses it in another way.
    Refused,
    Cancelled,
    /// Its author took the message back.
    Withdrawn,
    /// One that a later daemon may say.
    #[serde(other)]
    #[schemars(skip)]
    Other,
}

/// What goes with a message.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attachment {
    pub attachment_id: String,
    /// As its sender gave it: any text at all, and no path. To show or to save, take `safe_name`.
    pub filename: String,
    /// A name made of it that hides nothing, is no path, and is never empty.
    pub safe_name: String,
    /// As its sender says.
    pub media_type: String,
    /// Bytes.
    pub size: u64,
    /// Whether there is a small picture of it: `attachments.begin_download` with `thumbnail`.
    pub has_thumbnail: bool,
    pub state: AttachmentState,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<AttachmentReason>,
}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Attachment({}, {:?})", self.attachment_id, self.state)
    }
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BeginUploadParams {
    /// Bytes that will come: 0 to 1 TiB.
    pub size: u64,
    /// For instance `image/png`: what those who get it are told. Up to 255 bytes.
    pub media_type: String,
    /// What those who get it are shown. Up to 1 KiB.
    pub filename: String,
}

impl fmt::Debug for BeginUploadParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BeginUploadParams({})", self.size)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Upload {
    /// What `messages.send` names, once all bytes have come.
    pub attachment_id: String,
    /// The first line of a connection of its own, within 60 s: `{"ticket": "…"}`. Then all bytes, and a line with the result.
    pub ticket: Ticket,
}

/// The result of an upload: every byte is sealed and durable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Uploaded {
    pub attachment_id: String,
    pub size: u64,
    pub has_thumbnail: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BeginDownloadParams {
    /// 32 digits of hex.
    pub attachment_id: String,
    /// Bytes that the caller has already, from the beginning; 0 when left out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub offset: Option<u64>,
    /// The small picture of it instead of itself.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub thumbnail: Option<bool>,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Download {
    /// The first line of a connection of its own, within 60 s: `{"ticket": "…"}`. The bytes come once all of them are here.
    pub ticket: Ticket,
    /// Bytes that will come.
    pub size: u64,
    pub media_type: String,
    /// As its sender gave it.
    pub filename: String,
    /// To save it under.
    pub safe_name: String,
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Download({})", self.size)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AttachmentParams {
    /// 32 digits of hex.
    pub attachment_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Standing {
    #[serde(flatten)]
    pub attachment: Attachment,
    /// Whether it is of our own making.
    pub outgoing: bool,
    /// Bytes that have been moved, as far as they are durable.
    pub transferred: u64,
    /// The message that names it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub message_id: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListParams {
    /// Of this conversation alone.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub conversation: Option<Conversation>,
    /// Goes on after this one, to older ones.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub after: Option<String>,
    /// 1 to 500; 50 when left out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub limit: Option<u32>,
}

/// An attachment, and the message that names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Listed {
    #[serde(flatten)]
    pub attachment: Attachment,
    pub message_id: String,
}

method! {
    /// Announces a file: a ticket for its bytes, which are sealed as they come. A stream that breaks off is begun anew, under another id.
    BeginUpload = "attachments.begin_upload"(BeginUploadParams) -> Upload, Access::Scope(Scope::AttachmentsWrite), Needs::Unlocked, [Invalid, TooLarge, RateLimited]
}
method! {
    /// A ticket for an attachment's bytes. What is not here is fetched first; no byte comes before all of it is here and agrees.
    BeginDownload = "attachments.begin_download"(BeginDownloadParams) -> Download, Access::Scope(Scope::AttachmentsRead), Needs::Unlocked, [Invalid, NotFound, RateLimited]
}
method! {
    /// How far an attachment is.
    Get = "attachments.get"(AttachmentParams) -> Standing, Access::Scope(Scope::AttachmentsRead), Needs::Unlocked, [Invalid, NotFound]
}
method! {
    /// The attachments of messages, newest first.
    List = "attachments.list"(ListParams) -> Page<Listed>, Access::Scope(Scope::AttachmentsRead), Needs::Unlocked, [Invalid]
}
method! {
    /// Ends what is under way. An upload takes its message along: it does not go out.
    Cancel = "attachments.cancel"(AttachmentParams) -> Standing, Access::Scope(Scope::AttachmentsWrite), Needs::Unlocked, [Invalid, NotFound]
}
method! {
    /// Removes the bytes that lie here. The relay's stay, and can be fetched again within its 30 days.
    DiscardLocal = "attachments.discard_local"(AttachmentParams) -> Standing, Access::Scope(Scope::AttachmentsWrite), Needs::Unlocked, [Invalid, NotFound]
}
