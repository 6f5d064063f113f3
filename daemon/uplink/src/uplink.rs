//! The calls to the relay: each signed (D8), bounded in time, its answer bounded in size, and never repeated here.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use connect_proto::ids::UserId;
use connect_proto::list::{Piece, decode_list};
use connect_proto::sign::SignSecretKey;
use connect_proto::{codec, routes, wire};
use rand_core::CryptoRngCore;
use reqwest::{Client, Response, StatusCode, header, redirect};
use tokio::sync::watch;
use url::Url;

use crate::address::RelayAddress;
use crate::error::UplinkError;
use crate::offset::ClockOffset;
use crate::{body, tls};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// What a long poll may take beyond the time that it was asked to wait.
const POLL_GRACE: Duration = Duration::from_secs(15);
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);
/// The long poll has one, and chunks go side by side.
const IDLE_CONNECTIONS: usize = 8;
/// An envelope list's own framing comes on top of what it carries.
const MAX_LIST: usize = routes::MAX_RECEIVE_BYTES + (64 << 10);
pub(crate) const MAX_ENTRIES: usize = 4 << 20;
/// No relay keeps the daemon waiting for longer than this, nor hurries it below a second.
const LONGEST_RETRY_S: u64 = 300;

/// Who signs.
#[derive(Debug, Clone, Copy)]
pub struct Credentials<'a> {
    pub user_id: &'a UserId,
    pub sign_key: &'a SignSecretKey,
}

#[derive(Debug)]
pub enum EnrollOutcome {
    Enrolled(wire::EnrollResponse),
    /// The user has an installation, and a new bundle has to follow its last one.
    ChainOn(wire::DirectoryEntry),
    AlreadyEnrolled,
    /// The code is wrong, used or expired.
    CodeRefused,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendOutcome {
    /// Durable at the relay.
    Accepted,
    /// Other bytes are there under the same id.
    Conflict,
    TooLarge,
    MailboxFull {
        retry_after_ms: Option<u64>,
    },
    UnknownRecipient,
    Refused,
    /// The relay is there, and cannot cope with this one now.
    Odd(u16),
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Uplink(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) client: Client,
    pub(crate) base: Url,
    pub(crate) authority: String,
    pub(crate) client_type: String,
    pub(crate) offset: ClockOffset,
    pub(crate) dismissal: watch::Sender<Option<Arc<wire::ContactUpdate>>>,
}

impl std::fmt::Debug for Uplink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Uplink({})", self.0.authority)
    }
}

impl Uplink {
    pub fn new(address: &RelayAddress) -> Result<Self, UplinkError> {
        let client = Client::builder()
            .tls_backend_preconfigured(tls::config(address)?)
            .https_only(true)
            .no_proxy()
            .http1_only()
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .tcp_nodelay(true)
            .build()
            .map_err(|_| UplinkError::Setup)?;
        Ok(Self(Arc::new(Inner {
            client,
            base: address.base.clone(),
            authority: address.authority.clone(),
            client_type: format!("connectd/{}", std::env::consts::OS),
            offset: ClockOffset::default(),
            dismissal: watch::Sender::default(),
        })))
    }

    /// The relay's clock minus ours, where it matters (D30).
    pub fn clock_offset_ms(&self) -> i64 {
        self.0.offset.ms()
    }

    /// What the relay said, beside a refusal, of the key that a call was signed with. It is not checked here.
    pub fn dismissals(&self) -> watch::Receiver<Option<Arc<wire::ContactUpdate>>> {
        self.0.dismissal.subscribe()
    }

    pub async fn enroll(
        &self,
        credentials: Credentials<'_>,
        now_ms: u64,
        rng: &mut impl CryptoRngCore,
        request: &wire::EnrollRequest,
    ) -> Result<EnrollOutcome, UplinkError> {
        let body = Bytes::from(codec::encode(request));
        let response = self
            .post(credentials, now_ms, rng, routes::ENROLL, body, CALL_TIMEOUT)
            .await?;
        let status = response.status();
        match status {
            StatusCode::OK => {
                let answer = body::read(response, MAX_ENTRIES).await?;
                let answer = codec::decode(&answer).map_err(|_| UplinkError::BadAnswer)?;
                Ok(EnrollOutcome::Enrolled(answer))
            }
            StatusCode::FORBIDDEN => Ok(EnrollOutcome::CodeRefused),
            StatusCode::CONFLICT => {
                let is_entry = is_protobuf(&response);
                let answer = body::read(response, MAX_ENTRIES).await?;
                Ok(chain_on(is_entry, &answer))
            }
            _ => Err(refused(&response)),
        }
    }

    /// One request per 200 users; unknown ones are missing in the answer.
    pub async fn lookup(
        &self,
        credentials: Credentials<'_>,
        now_ms: u64,
        rng: &mut impl CryptoRngCore,
        user_ids: &[UserId],
    ) -> Result<Vec<wire::DirectoryEntry>, UplinkError> {
        let mut entries = Vec::with_capacity(user_ids.len());
        for some in user_ids.chunks(routes::MAX_LOOKUP) {
            let request = wire::LookupRequest {
                user_ids: some.iter().map(ToString::to_string).collect(),
            };
            let body = Bytes::from(codec::encode(&request));
            let response = self
                .post(credentials, now_ms, rng, routes::LOOKUP, body, CALL_TIMEOUT)
                .await?;
            let answer: wire::DirectoryEntries = decoded(response, MAX_ENTRIES).await?;
            entries.extend(answer.entries);
        }
        Ok(entries)
    }

    /// Sends an encoded envelope.
    pub async fn send(
        &self,
        credentials: Credentials<'_>,
        now_ms: u64,
        rng: &mut impl CryptoRngCore,
        envelope: &[u8],
    ) -> Result<SendOutcome, UplinkError> {
        let body = Bytes::copy_from_slice(envelope);
        let response = self
            .post(credentials, now_ms, rng, routes::SEND, body, CALL_TIMEOUT)
            .await?;
        Ok(match response.status() {
            StatusCode::NO_CONTENT => SendOutcome::Accepted,
            StatusCode::CONFLICT => SendOutcome::Conflict,
            StatusCode::PAYLOAD_TOO_LARGE => SendOutcome::TooLarge,
            StatusCode::NOT_FOUND => SendOutcome::UnknownRecipient,
            StatusCode::INSUFFICIENT_STORAGE => SendOutcome::MailboxFull {
                retry_after_ms: retry_after_ms(&response),
            },
            StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN | StatusCode::UNPROCESSABLE_ENTITY => {
                SendOutcome::Refused
            }
            // These are not about the message.
            StatusCode::UNAUTHORIZED
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => return Err(refused(&response)),
            status => SendOutcome::Odd(status.as_u16()),
        })
    }

    /// Acknowledges and receives; waits as long as the ack says, and a little for the way.
    pub async fn receive(
        &self,
        credentials: Credentials<'_>,
        now_ms: u64,
        rng: &mut impl CryptoRngCore,
        ack: &wire::Ack,
    ) -> Result<Vec<Piece>, UplinkError> {
        let body = Bytes::from(codec::encode(ack));
        let limit = Duration::from_millis(ack.wait_ms.into()) + POLL_GRACE;
        let response = self
            .post(credentials, now_ms, rng, routes::RECEIVE, body, limit)
            .await?;
        let list = answered(response, MAX_LIST).await?;
        let pieces = decode_list(list).map_err(|_| UplinkError::BadAnswer)?;
        if pieces.len() > routes::MAX_RECEIVE_ENVELOPES {
            return Err(UplinkError::BadAnswer);
        }
        Ok(pieces)
    }
}

pub(crate) async fn decoded<M: codec::Wire>(
    response: Response,
    max: usize,
) -> Result<M, UplinkError> {
    let body = answered(response, max).await?;
    codec::decode(&body).map_err(|_| UplinkError::BadAnswer)
}

async fn answered(response: Response, max: usize) -> Result<Bytes, UplinkError> {
    if response.status() != StatusCode::OK {
        return Err(refused(&response));
    }
    body::read(response, max).await
}

fn chain_on(is_entry: bool, answer: &[u8]) -> EnrollOutcome {
    let entry = codec::decode::<wire::EnrollResponse>(answer)
        .ok()
        .filter(|_| is_entry)
        .and_then(|response| response.entry);
    entry.map_or(EnrollOutcome::AlreadyEnrolled, EnrollOutcome::ChainOn)
}

pub(crate) fn is_protobuf(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind == routes::CONTENT_TYPE)
}

pub(crate) fn refused(response: &Response) -> UplinkError {
    match response.status() {
        StatusCode::UNAUTHORIZED => UplinkError::Unauthorized,
        StatusCode::TOO_MANY_REQUESTS => UplinkError::RateLimited {
            retry_after_ms: retry_after_ms(response).unwrap_or(1000),
        },
        StatusCode::SERVICE_UNAVAILABLE if let Some(retry_after_ms) = retry_after_ms(response) => {
            UplinkError::RateLimited { retry_after_ms }
        }
        status if status.is_server_error() => UplinkError::Unreachable,
        status => UplinkError::Refused(status.as_u16()),
    }
}

/// The header counts in seconds.
pub(crate) fn retry_after_ms(response: &Response) -> Option<u64> {
    let value = response.headers().get(header::RETRY_AFTER)?;
    let seconds: u64 = value.to_str().ok()?.trim().parse().ok()?;
    Some(seconds.clamp(1, LONGEST_RETRY_S) * 1000)
}
