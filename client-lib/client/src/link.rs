//! The one connection of a client's calls: made when it is needed, and made again after it was lost.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use connect_ipc::socket::ConnectError;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::backoff::Backoff;
use crate::connection::Connection;
use crate::endpoint::{Endpoint, dial};

const FIRST_WAIT: Duration = Duration::from_millis(20);
const LONGEST_WAIT: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(crate) struct Link {
    endpoints: Vec<Endpoint>,
    /// Counts failures, so that callers who waited for one attempt share its failure instead of queueing up for more.
    failures: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    connection: Option<Arc<Connection>>,
    backoff: Backoff,
    not_before: Option<Instant>,
    last_error: ConnectError,
}

impl Link {
    pub(crate) fn new(endpoints: Vec<Endpoint>) -> Self {
        Self {
            endpoints,
            failures: AtomicU64::new(0),
            state: Mutex::new(State {
                connection: None,
                backoff: Backoff::new(FIRST_WAIT, LONGEST_WAIT),
                not_before: None,
                last_error: ConnectError::NotRunning,
            }),
        }
    }

    pub(crate) fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// A connection that was open a moment ago. After a failure the next attempt waits its turn, and is one attempt.
    pub(crate) async fn connection(&self) -> Result<Arc<Connection>, ConnectError> {
        let seen = self.failures.load(Ordering::Acquire);
        let mut state = self.state.lock().await;
        if let Some(connection) = state.connection.as_ref().filter(|c| c.is_open()) {
            return Ok(Arc::clone(connection));
        }
        state.connection = None;
        if self.failures.load(Ordering::Acquire) != seen {
            return Err(copy(&state.last_error));
        }
        if let Some(turn) = state.not_before {
            tokio::time::sleep_until(turn).await;
        }
        match dial(&self.endpoints).await {
            Ok(stream) => {
                let connection = Arc::new(Connection::start(stream));
                state.connection = Some(Arc::clone(&connection));
                state.backoff.reset();
                state.not_before = None;
                Ok(connection)
            }
            Err(error) => {
                let wait = state.backoff.next();
                state.not_before = Some(Instant::now() + wait);
                state.last_error = copy(&error);
                self.failures.fetch_add(1, Ordering::Release);
                Err(error)
            }
        }
    }
}

fn copy(error: &ConnectError) -> ConnectError {
    match error {
        ConnectError::NotRunning => ConnectError::NotRunning,
        ConnectError::Forbidden => ConnectError::Forbidden,
        ConnectError::Io(error) => ConnectError::Io(match error.raw_os_error() {
            Some(number) => io::Error::from_raw_os_error(number),
            None => error.kind().into(),
        }),
    }
}
