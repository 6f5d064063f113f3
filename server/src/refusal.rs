//! Every way in which the relay says no: the one file that spells the words and picks the statuses.

use axum::response::{IntoResponse, Response};
use connect_proto::routes::CONTENT_TYPE;
use connect_proto::{codec, wire};
use http::header::{CONTENT_TYPE as CONTENT_TYPE_HEADER, RETRY_AFTER};
use http::{HeaderValue, StatusCode};

use crate::chunks::ChunkError;
use crate::store::ChangeError;

/// Seconds until it may go better: what ends by itself, and what takes an administrator.
const SOON: u64 = 1;
const LATER: u64 = 30;

/// What the content of a request has wrong; the answer is 400 and the word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Wrong {
    #[error("malformed")]
    Malformed,
    #[error("wrong_sender")]
    Sender,
    #[error("wrong_message_id")]
    MessageId,
    #[error("wrong_group_id")]
    GroupId,
    #[error("wrong_case_id")]
    CaseId,
    #[error("wrong_recipient_id")]
    RecipientId,
    #[error("no_recipient")]
    NoRecipient,
    #[error("too_many_recipients")]
    TooManyRecipients,
    #[error("duplicate_recipient")]
    DuplicateRecipient,
    #[error("wrong_key_id")]
    KeyId,
    #[error("wrong_nonce")]
    Nonce,
    #[error("wrong_box")]
    Box,
    #[error("sealed_and_case_sealed")]
    TwoKinds,
    #[error("relay_only_field")]
    RelayOnly,
    #[error("too_many_entries")]
    TooManyEntries,
    #[error("wrong_user_id")]
    UserId,
    #[error("wrong_profile")]
    Profile,
    #[error("wrong_bundle")]
    Bundle,
    #[error("wrong_query")]
    Query,
    #[error("wrong_attachment_id")]
    AttachmentId,
}

/// Why a request is not served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("header_too_long")]
    HeaderTooLong,
    /// Whatever it was: one answer for all, so that nobody learns who is enrolled.
    #[error("unauthenticated")]
    Unauthenticated,
    #[error("slow_down")]
    SlowDown { seconds: u64 },
    #[error("too_large")]
    TooLarge,
    #[error("too_slow")]
    TooSlow,
    #[error("{0}")]
    Wrong(#[from] Wrong),
    #[error("code_refused")]
    CodeRefused,
    #[error("already_enrolled")]
    AlreadyEnrolled,
    /// The body is an `EnrollResponse` or `DirectoryEntry`: what the next bundle must follow on.
    #[error("wrong_chain")]
    WrongChain(Vec<u8>),
    /// The signature is a former key's: the body is a `ContactUpdate` about it.
    #[error("key_ended")]
    KeyEnded(Box<wire::ContactUpdate>),
    #[error("wrong_countersignature")]
    Countersignature,
    #[error("other_installation")]
    OtherInstallation,
    #[error("key_used_before")]
    KeyUsedBefore,
    /// A recipient's key was revoked: nothing can be sealed for it until it has enrolled anew.
    #[error("recipient_without_key")]
    RecipientWithoutKey,
    #[error("unknown_recipient")]
    UnknownRecipient,
    #[error("message_conflict")]
    MessageConflict,
    #[error("mailbox_full")]
    MailboxFull,
    /// So many chunks do not make that size.
    #[error("wrong_size")]
    WrongSize,
    #[error("wrong_length")]
    WrongLength,
    #[error("attachment_conflict")]
    AttachmentConflict,
    #[error("chunk_conflict")]
    ChunkConflict,
    /// The owner has as many attachments, or as large ones, as it may.
    #[error("quota_full")]
    QuotaFull,
    /// There is no room for chunks, whoever's they are.
    #[error("store_full")]
    StoreFull,
    #[error("not_found")]
    NotFound,
    #[error("method_not_allowed")]
    MethodNotAllowed,
    #[error("unavailable")]
    Unavailable { seconds: u64 },
}

impl Refusal {
    /// What the relay has too much of for the moment.
    pub(crate) const BUSY: Self = Self::Unavailable { seconds: SOON };

    /// A full disk concerns attachments as a full store does: 507, and when to try again.
    pub(crate) fn of_attachment(error: ChangeError) -> Self {
        match error {
            ChangeError::NoRoom => Self::StoreFull,
            ChangeError::Replayed | ChangeError::Unavailable => error.into(),
        }
    }

    const fn status(&self) -> StatusCode {
        match self {
            Self::Wrong(_) => StatusCode::BAD_REQUEST,
            Self::Unauthenticated | Self::KeyEnded(_) => StatusCode::UNAUTHORIZED,
            Self::Countersignature
            | Self::OtherInstallation
            | Self::KeyUsedBefore
            | Self::WrongSize
            | Self::WrongLength => StatusCode::UNPROCESSABLE_ENTITY,
            Self::RecipientWithoutKey => StatusCode::LOCKED,
            Self::CodeRefused => StatusCode::FORBIDDEN,
            Self::UnknownRecipient | Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::AlreadyEnrolled
            | Self::WrongChain(_)
            | Self::MessageConflict
            | Self::AttachmentConflict
            | Self::ChunkConflict => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::SlowDown { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::HeaderTooLong => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::MailboxFull | Self::QuotaFull | Self::StoreFull => {
                StatusCode::INSUFFICIENT_STORAGE
            }
        }
    }

    /// Seconds after which it may go better.
    const fn retry_after(&self) -> Option<u64> {
        match self {
            Self::SlowDown { seconds } | Self::Unavailable { seconds } => Some(*seconds),
            Self::StoreFull => Some(LATER),
            _ => None,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, retry_after) = (self.status(), self.retry_after());
        let mut response = match self {
            Self::WrongChain(latest) => protobuf(latest),
            Self::KeyEnded(update) => protobuf(codec::encode(update.as_ref())),
            other => other.to_string().into_response(),
        };
        *response.status_mut() = status;
        if let Some(seconds) = retry_after {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

fn protobuf(body: Vec<u8>) -> Response {
    let kind = HeaderValue::from_static(CONTENT_TYPE);
    ([(CONTENT_TYPE_HEADER, kind)], body).into_response()
}

impl From<ChangeError> for Refusal {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Replayed => Self::Unauthenticated,
            ChangeError::Unavailable => Self::Unavailable { seconds: SOON },
            // Not 507: that says that one mailbox is full, and nothing about the others.
            ChangeError::NoRoom => Self::Unavailable { seconds: LATER },
        }
    }
}

impl From<connect_points::Failed> for Refusal {
    fn from(_: connect_points::Failed) -> Self {
        Self::Unavailable { seconds: SOON }
    }
}

/// Where they lie goes into the log, not to the client.
impl From<ChunkError> for Refusal {
    fn from(error: ChunkError) -> Self {
        match error {
            ChunkError::Full => Self::StoreFull,
            error => {
                tracing::error!(%error, "a chunk was not written or read");
                Self::Unavailable { seconds: SOON }
            }
        }
    }
}

/// What the database said goes into the log, not to the client.
impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        tracing::error!(%error, "a read failed");
        Self::Unavailable { seconds: SOON }
    }
}
