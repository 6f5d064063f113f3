//! The client: calls by type, and short forms of the usual ones.

use std::sync::Arc;
use std::time::Duration;

use connect_api::bytes::Ticket;
use connect_api::conversation::Conversation;
use connect_api::messages::{self, SendParams, Sent};
use connect_api::method::Method;
use connect_api::page::Nothing;
use connect_api::system::{self, Health, HelloAnswer, HelloParams};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::Semaphore;

use crate::bytes::ByteStream;
use crate::credentials::Credentials;
use crate::endpoint::{self, ConnectError, Endpoint};
use crate::error::CallError;
use crate::events::EventStream;
use crate::follow::Follow;
use crate::link::Link;

/// The daemon reads no further while this many calls of one connection are in flight.
const IN_FLIGHT: usize = 16;
/// Longer than the daemon takes for its slowest call (unlocking, 60 s), so that it is the daemon that says `timeout`.
const TIMEOUT: Duration = Duration::from_secs(65);
const NAME: &str = concat!("connect-client ", env!("CARGO_PKG_VERSION"));

/// A connection to the daemon that is made again when it is lost. Clones share it; it may be used from many tasks.
#[derive(Debug, Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    link: Link,
    permits: Arc<Semaphore>,
    timeout: Duration,
    name: String,
    credentials: Option<Credentials>,
}

impl Client {
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Connects to the daemon that listens there.
    pub async fn connect(endpoint: Endpoint) -> Result<Self, ConnectError> {
        Self::builder().endpoint(endpoint).connect().await
    }

    /// Calls a method of the contract.
    pub async fn call<M: Method>(&self, params: M::Params) -> Result<M::Answer, CallError> {
        let answer = self.call_raw(M::NAME, &params).await?;
        serde_json::from_str(answer.get()).map_err(|_| CallError::Protocol)
    }

    /// Calls a method by name, for contracts newer than this client; `params` must serialize to an object.
    pub async fn call_raw(
        &self,
        method: &str,
        params: &impl Serialize,
    ) -> Result<Box<RawValue>, CallError> {
        tokio::time::timeout(self.shared.timeout, self.exchange(method, params))
            .await
            .unwrap_or(Err(CallError::Timeout))
    }

    /// Sends a text. The answer comes once the message is durable at the daemon.
    ///
    /// With a `client_ref` it is safe to send again after any error: the same `client_ref` and text are one message.
    pub async fn send_text(
        &self,
        conversation: Conversation,
        text: impl Into<String>,
        client_ref: Option<String>,
    ) -> Result<Sent, CallError> {
        let params = SendParams {
            attachment: None,
            conversation,
            text: Some(text.into()),
            reply_to: None,
            client_ref,
        };
        self.call::<messages::Send>(params).await
    }

    /// How the daemon, its relay and its queues are.
    pub async fn health(&self) -> Result<Health, CallError> {
        self.call::<system::GetHealth>(Nothing {}).await
    }

    /// Says who we are, and learns who the daemon is and what we may do.
    pub async fn hello(&self) -> Result<HelloAnswer, CallError> {
        let params = HelloParams {
            client: Some(self.shared.name.clone()),
            api_version: Some(connect_api::API_VERSION),
        };
        self.call::<system::Hello>(params).await
    }

    /// Events after the given one, or from now on; waits for a daemon that is locked or not running.
    pub fn events(&self, after: Option<u64>) -> EventStream {
        self.follow(Follow { after, wait: true })
    }

    /// As [`events`](Self::events), with more to choose.
    pub fn follow(&self, follow: Follow) -> EventStream {
        let credentials = self.shared.credentials.clone();
        EventStream::start(self.shared.link.endpoints().to_vec(), credentials, follow)
    }

    /// Shows a ticket on a connection of its own. No time is too long for it, but the daemon ends a stream that stands still.
    pub async fn redeem(&self, ticket: Ticket) -> Result<ByteStream, CallError> {
        ByteStream::open(self.shared.link.endpoints(), ticket).await
    }

    async fn exchange(
        &self,
        method: &str,
        params: &impl Serialize,
    ) -> Result<Box<RawValue>, CallError> {
        let permit = Arc::clone(&self.shared.permits)
            .acquire_owned()
            .await
            .map_err(|_| CallError::Disconnected)?;
        let connection = self.shared.link.connection().await?;
        if let Some(credentials) = &self.shared.credentials {
            connection.authenticate(credentials).await?;
        }
        connection.call(method, params, permit).await
    }
}

/// How to make a [`Client`].
#[derive(Debug)]
#[must_use]
pub struct Builder {
    endpoints: Vec<Endpoint>,
    timeout: Duration,
    in_flight: usize,
    name: String,
    credentials: Option<Credentials>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            endpoints: Vec::new(),
            timeout: TIMEOUT,
            in_flight: IN_FLIGHT,
            name: NAME.into(),
            credentials: None,
        }
    }
}

impl Builder {
    /// Where the daemon listens. Said more than once: the first place where one answers. Left out: the user's own
    /// daemon, then the system's.
    pub fn endpoint(mut self, endpoint: Endpoint) -> Self {
        self.endpoints.push(endpoint);
        self
    }

    /// How long a call may take in all, connecting and waiting for its turn included.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How many calls may be in flight at once. More than the daemon takes (16) only waits elsewhere.
    pub fn in_flight(mut self, calls: usize) -> Self {
        self.in_flight = calls.max(1);
        self
    }

    /// Name and version of the program, for the daemon's log: see [`Client::hello`].
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// What is shown on every connection before anything else: the calls are a paired app's then.
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// Connects now. Credentials are shown with the first call.
    pub async fn connect(self) -> Result<Client, ConnectError> {
        let client = self.lazy();
        client.shared.link.connection().await?;
        Ok(client)
    }

    /// Connects with the first call.
    pub fn lazy(self) -> Client {
        let endpoints = match self.endpoints {
            none if none.is_empty() => endpoint::defaults(),
            some => some,
        };
        Client {
            shared: Arc::new(Shared {
                link: Link::new(endpoints),
                permits: Arc::new(Semaphore::new(self.in_flight)),
                timeout: self.timeout,
                name: self.name,
                credentials: self.credentials,
            }),
        }
    }
}
