//! One connection with many calls in flight, whose answers find their callers by id.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use connect_api::method::Method as _;
use connect_api::session::Authenticate;
use connect_ipc::frames::{FrameError, FrameReader, write_frame};
use connect_ipc::socket::{ReadHalf, Stream, WriteHalf};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;
use zeroize::Zeroizing;

use crate::credentials::Credentials;
use crate::error::CallError;
use crate::wire::{self, Incoming, Line};

type Outcome = Result<Box<RawValue>, CallError>;

#[derive(Debug)]
pub(crate) struct Connection {
    /// Unbounded, and bounded all the same: every line in it holds a permit.
    lines: mpsc::UnboundedSender<Line>,
    waiting: Arc<WaitingCalls>,
    next_id: AtomicU64,
    /// Set once the daemon has taken our credentials.
    authenticated: OnceCell<()>,
    _task: AbortOnDropHandle<()>,
}

impl Connection {
    pub(crate) fn start(stream: Stream) -> Self {
        let (lines, queue) = mpsc::unbounded_channel();
        let waiting = Arc::new(WaitingCalls::default());
        let task = tokio::spawn(run(stream, queue, Arc::clone(&waiting)));
        Self {
            lines,
            waiting,
            next_id: AtomicU64::new(1),
            authenticated: OnceCell::new(),
            _task: AbortOnDropHandle::new(task),
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.waiting.is_open()
    }

    /// Shows the credentials, once; whoever comes meanwhile waits. What was not taken is shown again for the next call.
    pub(crate) async fn authenticate(&self, credentials: &Credentials) -> Result<(), CallError> {
        let show = async || {
            // The permits are for calls that wait for this one.
            let permit = Arc::new(Semaphore::new(1)).acquire_owned().await;
            let permit = permit.map_err(|_| CallError::Disconnected)?;
            let params = credentials.params();
            let answer = self.call(Authenticate::NAME, &params, permit).await;
            drop(Zeroizing::new(params.token.into_inner()));
            answer.map(|_| ())
        };
        self.authenticated.get_or_try_init(show).await.copied()
    }

    /// One call. The permit comes back with the answer, not when the caller loses interest: until then the daemon is
    /// still at it.
    pub(crate) async fn call(
        &self,
        method: &str,
        params: &impl Serialize,
        permit: OwnedSemaphorePermit,
    ) -> Outcome {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let line = wire::request(id, method, params)?;
        let (reply, answer) = oneshot::channel();
        if !self.waiting.add(
            id,
            WaitingCall {
                reply,
                _permit: permit,
            },
        ) || self.lines.send(line).is_err()
        {
            return Err(CallError::Disconnected);
        }
        answer.await.unwrap_or(Err(CallError::Disconnected))
    }
}

#[derive(Debug)]
struct WaitingCall {
    reply: oneshot::Sender<Outcome>,
    _permit: OwnedSemaphorePermit,
}

/// Who waits for which answer; `None` once the connection is lost.
#[derive(Debug)]
struct WaitingCalls(Mutex<Option<HashMap<u64, WaitingCall>>>);

impl Default for WaitingCalls {
    fn default() -> Self {
        Self(Mutex::new(Some(HashMap::new())))
    }
}

impl WaitingCalls {
    fn is_open(&self) -> bool {
        self.with(|calls| calls.is_some())
    }

    fn add(&self, id: u64, call: WaitingCall) -> bool {
        self.with(|calls| calls.as_mut().map(|calls| calls.insert(id, call)).is_some())
    }

    /// An answer without an id can be given to a caller only where there is just one.
    fn take(&self, id: Option<u64>) -> Option<WaitingCall> {
        self.with(|calls| {
            let calls = calls.as_mut()?;
            let only = || calls.keys().next().copied().filter(|_| calls.len() == 1);
            let id = id.or_else(only)?;
            calls.remove(&id)
        })
    }

    fn close(&self) -> HashMap<u64, WaitingCall> {
        self.with(Option::take).unwrap_or_default()
    }

    fn with<T>(&self, f: impl FnOnce(&mut Option<HashMap<u64, WaitingCall>>) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whoever still waits when the connection ends is told, also when the task is aborted.
struct CloseOnDrop(Arc<WaitingCalls>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.close();
    }
}

async fn run(stream: Stream, queue: mpsc::UnboundedReceiver<Line>, waiting: Arc<WaitingCalls>) {
    let (read, write) = stream.split();
    let waiting = CloseOnDrop(waiting);
    // Both at once: a daemon that waits for us to read does not read what we write.
    tokio::select! {
        broken = read_answers(read, &waiting.0) => {
            if broken {
                for (_, call) in waiting.0.close() {
                    let _ = call.reply.send(Err(CallError::Protocol));
                }
            }
        }
        () = write_lines(write, queue) => {}
    }
}

/// Until the end; true when what came was not of this contract.
async fn read_answers(read: ReadHalf, waiting: &WaitingCalls) -> bool {
    let mut frames = FrameReader::new(read, wire::MAX_LINE);
    loop {
        let line = match frames.next().await {
            Ok(Some(line)) => line,
            Ok(None) | Err(FrameError::Io(_)) => return false,
            Err(FrameError::TooLarge | FrameError::NotUtf8) => return true,
        };
        match wire::read(line) {
            Ok(Incoming::Answer { id, outcome }) => {
                if let Some(call) = waiting.take(id) {
                    // Whoever asked may be gone; the permit was what counted.
                    let _ = call.reply.send(outcome.map(ToOwned::to_owned));
                }
            }
            Ok(Incoming::Notification { .. }) => {}
            Err(_) => return true,
        }
    }
}

async fn write_lines(mut write: WriteHalf, mut queue: mpsc::UnboundedReceiver<Line>) {
    while let Some(line) = queue.recv().await {
        if write_frame(&mut write, &*line).await.is_err() {
            return;
        }
    }
}
