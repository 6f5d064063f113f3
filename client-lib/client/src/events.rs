//! Events as a stream that has no holes and no doubles, whatever happens to the connection or the daemon.

use std::pin::Pin;
use std::task::{Context, Poll};

use connect_api::events::Event;
use futures_util::Stream;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use crate::credentials::Credentials;
use crate::endpoint::Endpoint;
use crate::error::CallError;
use crate::follow::Follow;
use crate::follower::Follower;

/// How far the daemon may be ahead of a slow consumer; beyond it, nothing more is read from the socket, and the daemon
/// falls back to its rows.
const AHEAD: usize = 64;

/// Events, in order, each once. It has a connection of its own, so that a slow consumer delays no call.
///
/// An event that this client does not know is left out. After an error the stream ends; it ends in no other way.
#[derive(Debug)]
pub struct EventStream {
    events: mpsc::Receiver<Result<Event, CallError>>,
    _task: AbortOnDropHandle<()>,
}

impl EventStream {
    pub(crate) fn start(
        endpoints: Vec<Endpoint>,
        credentials: Option<Credentials>,
        follow: Follow,
    ) -> Self {
        let (out, events) = mpsc::channel(AHEAD);
        let task = tokio::spawn(Follower::new(endpoints, credentials, follow, out).run());
        Self {
            events,
            _task: AbortOnDropHandle::new(task),
        }
    }

    /// The next event. Cancel safe.
    pub async fn next(&mut self) -> Option<Result<Event, CallError>> {
        self.events.recv().await
    }
}

impl Stream for EventStream {
    type Item = Result<Event, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.events.poll_recv(cx)
    }
}
