//! The calls about attachments: created, put and got in chunks, deleted (§8.2.2).

use std::time::Duration;

use bytes::Bytes;
use connect_proto::ids::AttachmentId;
use connect_proto::{codec, routes, wire};
use rand_core::CryptoRngCore;
use reqwest::{Method, Response, StatusCode};

use crate::body;
use crate::call::Outbound;
use crate::error::UplinkError;
use crate::uplink::{CALL_TIMEOUT, Credentials, Uplink, refused, retry_after_ms};

/// A chunk over a poor line: the relay gives up after two minutes by itself, which are 17 KiB/s.
const CHUNK_TIMEOUT: Duration = Duration::from_secs(150);

/// What became of a call about an attachment. Any of them may be made again: the relay answers the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttachmentOutcome {
    /// Durable at the relay, now or since an earlier call; of a deletion: gone.
    Done,
    /// Something else is there under the same id, or other bytes at the same index.
    Conflict,
    /// The relay has no such attachment of the caller's: it expired, or was deleted.
    NotFound,
    /// Over the relay's limit of one file, or of its readers.
    TooLarge,
    /// The owner's quota or the relay's disk is used up.
    QuotaFull { retry_after_ms: Option<u64> },
    /// The relay knows none of the readers.
    UnknownReader,
    /// Not as it should be; it would be refused again.
    Refused,
    /// The relay is there, and cannot cope with this one now.
    Odd(u16),
}

impl Uplink {
    /// Announces an attachment and its readers; nobody else will ever get a chunk of it.
    pub async fn create_attachment(
        &self,
        credentials: Credentials<'_>,
        now_ms: u64,
        rng: &mut impl CryptoRngCore,
        create: &wire::CreateAttachment,
    ) -> Result<AttachmentOutcome, UplinkError> {
        let body = Bytes::from(codec::encode(create));
        let path = routes::ATTACHMENTS;
        let response = self
            .post(credentials, now_ms, rng, path, body, CALL_TIMEOUT)
            .await?;
        match response.status() {
            StatusCode::NOT_FOUND => Ok(AttachmentOutcome::UnknownReader),
            _ => outcome(&response),
        }
    }

    /// Stores one chunk of the caller's own; they count from 1, and may come in any order and side by side.
    pub async fn put_chunk(
        &self,
        credentials: Credentials<'_>,
        now_ms: u64,
        rng: &mut impl CryptoRngCore,
        id: AttachmentId,
        index: u32,
        ciphertext: Bytes,
    ) -> Result<AttachmentOutcome, UplinkError> {
        let request = Outbound {
            method: Method::PUT,
            path: &routes::chunk(&id, index),
            content_type: Some(routes::CHUNK_CONTENT_TYPE),
            body: ciphertext,
            limit: CHUNK_TIMEOUT,
        };
        outcome(&self.call(credentials, now_ms, rng, request).await?)
    }

    /// One chunk, or nothing: unknown, expired, not there yet, or not for the caller, which the relay does not tell apart.
    pub async fn get_chunk(
        &self,
        credentials: Credentials<'_>,
        now_ms: u64,
        rng: &mut impl CryptoRngCore,
        id: AttachmentId,
        index: u32,
    ) -> Result<Option<Bytes>, UplinkError> {
        let request = Outbound {
            method: Method::GET,
            path: &routes::chunk(&id, index),
            content_type: None,
            body: Bytes::new(),
            limit: CHUNK_TIMEOUT,
        };
        let response = self.call(credentials, now_ms, rng, request).await?;
        match response.status() {
            StatusCode::REQUEST_TIMEOUT => Err(UplinkError::Unreachable),
            StatusCode::OK => body::read(response, routes::CHUNK_CIPHERTEXT)
                .await
                .map(Some),
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(refused(&response)),
        }
    }

    /// Removes the caller's own attachment for all its readers.
    pub async fn delete_attachment(
        &self,
        credentials: Credentials<'_>,
        now_ms: u64,
        rng: &mut impl CryptoRngCore,
        id: AttachmentId,
    ) -> Result<AttachmentOutcome, UplinkError> {
        let request = Outbound {
            method: Method::DELETE,
            path: &routes::attachment(&id),
            content_type: None,
            body: Bytes::new(),
            limit: CALL_TIMEOUT,
        };
        outcome(&self.call(credentials, now_ms, rng, request).await?)
    }
}

fn outcome(response: &Response) -> Result<AttachmentOutcome, UplinkError> {
    Ok(match response.status() {
        status if status.is_success() => AttachmentOutcome::Done,
        StatusCode::CONFLICT => AttachmentOutcome::Conflict,
        StatusCode::NOT_FOUND => AttachmentOutcome::NotFound,
        StatusCode::PAYLOAD_TOO_LARGE => AttachmentOutcome::TooLarge,
        StatusCode::INSUFFICIENT_STORAGE => AttachmentOutcome::QuotaFull {
            retry_after_ms: retry_after_ms(response),
        },
        StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN | StatusCode::UNPROCESSABLE_ENTITY => {
            AttachmentOutcome::Refused
        }
        // Not even the relay could tell more: the line was too slow for it.
        StatusCode::REQUEST_TIMEOUT => return Err(UplinkError::Unreachable),
        // These are not about the attachment.
        StatusCode::UNAUTHORIZED
        | StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => return Err(refused(response)),
        status => AttachmentOutcome::Odd(status.as_u16()),
    })
}
