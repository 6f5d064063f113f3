//! One connection: lines in, calls under way, answers and events out. One task, every part of it bounded.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use connect_api::bytes::Show;
use connect_api::errors::ErrorCode;
use connect_api::method::Method as _;
use connect_api::session::Authenticate;
use connect_ipc::frames::{FrameError, FrameReader};
use connect_ipc::socket::{Peer, ReadHalf, Stream, WriteHalf};
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use jsonrpsee::core::server::{AsyncMethod, ConnectionId, Extensions, MethodCallback, Methods};
use jsonrpsee::types::{Id, Params};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::output::{COALESCE, Output};
use crate::request::{self, Request};
use crate::rpc::attend::note_unknown_method;
use crate::rpc::context::{Caller, Context, Link};
use crate::rpc::failure::error_line;
use crate::rpc::streams;

/// Events that wait in the connection; the others wait in the database.
const EVENTS_WAITING: usize = 16;
/// No further event is taken while this much is unread.
const EVENTS_UNREAD: usize = 256 << 10;

/// A place among the connection's calls in flight: taken before the next line is read, and given back once the
/// answer is written.
type Place = Option<OwnedSemaphorePermit>;
/// A call's turn among those of its app, and among all: given back when it ends, whether or not its answer is read.
type Turn = [Option<OwnedSemaphorePermit>; 2];

struct Connection {
    context: Arc<Context>,
    methods: Methods,
    id: ConnectionId,
    link: Arc<Link>,
    places: Arc<Semaphore>,
    calls: FuturesUnordered<BoxFuture<'static, Answered>>,
    /// The connection shows who it is: what comes after that is read after it.
    is_authenticating: bool,
    /// A call whose turn has not come yet: meanwhile nothing is read.
    waiting: Option<BoxFuture<'static, (Call, Turn, Place)>>,
    output: Output<Place>,
    /// When the other side last read something, or had nothing to read.
    progress: Instant,
    end: Option<End>,
    /// Nothing was said on it yet.
    is_fresh: bool,
    /// It becomes a byte stream.
    ticket: Option<Show>,
}

/// Why a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The client left, or does not keep to the limits.
    Now,
    /// The client says no more: once its calls are answered and the answers written.
    AfterAnswers,
}

/// Serves until either side ends it.
pub(crate) async fn serve(
    stream: Stream,
    peer: Peer,
    id: usize,
    (context, methods): (Arc<Context>, Methods),
    ending: CancellationToken,
) {
    let limits = &context.limits;
    let (read, write) = stream.split();
    let reader = FrameReader::new(read, limits.line_in);
    let connection = Connection {
        id: ConnectionId(id),
        places: Arc::new(Semaphore::new(limits.calls_per_connection)),
        link: Arc::new(Link::new(&context, peer)),
        is_authenticating: false,
        calls: FuturesUnordered::new(),
        waiting: None,
        output: Output::new(limits.unread),
        progress: Instant::now(),
        end: None,
        is_fresh: true,
        ticket: None,
        methods,
        context: Arc::clone(&context),
    };
    connection.run(reader, write, ending).await;
    context.forget_unused_places();
}

impl Connection {
    async fn run(
        mut self,
        mut reader: FrameReader<ReadHalf>,
        mut write: WriteHalf,
        ending: CancellationToken,
    ) {
        let mut ended = pin!(ending.cancelled());
        let (events_to, mut events) = mpsc::channel(EVENTS_WAITING);
        let mut followers = JoinSet::new();
        let authenticated_by = self.progress + self.context.limits.authenticate();
        while !self.is_over() {
            let principal = self.link.principal();
            let must_know_by = principal.is_stranger().then_some(authenticated_by);
            // Looked at in every turn: who never lets the connection rest would never meet the timer below.
            if must_know_by.is_some_and(|by| Instant::now() >= by) {
                break;
            }
            let reading = self.end.is_none()
                && self.waiting.is_none()
                && !self.is_authenticating
                && self.places.available_permits() > 0;
            // Answers to lines that are there already go out together.
            let more_to_take = reading && reader.has_next() && self.output.unread() < COALESCE;
            let writing = !self.output.is_empty() && !more_to_take;
            let stalled = writing.then_some(self.progress + self.context.limits.stalled());
            let deadline = [stalled, must_know_by].into_iter().flatten().min();
            tokio::select! {
                biased;
                () = &mut ended => self.end = Some(End::Now),
                () = principal.revoked() => self.end = Some(End::Now),
                written = self.output.write_some(&mut write), if writing => match written {
                    Ok(()) => self.progress = Instant::now(),
                    Err(_) => self.end = Some(End::Now),
                },
                Some(answered) = self.calls.next(), if !self.calls.is_empty() => {
                    self.answer(&answered.line, answered.place);
                    self.is_authenticating &= !answered.authenticates;
                    let subscriptions = &self.link.subscriptions;
                    subscriptions.start_wanted(&self.context.session, &events_to, &mut followers);
                }
                (call, turn, place) = turn_of(&mut self.waiting), if self.waiting.is_some() => {
                    self.waiting = None;
                    self.start(call, turn, place);
                }
                line = reader.next(), if reading => match line {
                    Ok(Some(line)) => self.take(line),
                    Ok(None) => self.end = Some(End::AfterAnswers),
                    Err(error) => self.refuse(&error),
                },
                Some((subscription, event)) = events.recv(), if self.output.unread() < EVENTS_UNREAD => {
                    if self.link.subscriptions.is_running(subscription) {
                        self.answer(&event, None);
                    }
                }
                () = until(deadline), if deadline.is_some() => self.end = Some(End::Now),
                Some(_) = followers.join_next(), if !followers.is_empty() => {}
            }
        }
        if let Some(ticket) = self.ticket.take() {
            let (read, rest) = reader.into_parts();
            let shown = (ticket, self.link.peer);
            streams::serve(self.context, shown, (read, rest, write), ending.clone()).await;
        }
    }

    fn is_over(&self) -> bool {
        match self.end {
            None => false,
            Some(End::Now) => true,
            Some(End::AfterAnswers) => {
                self.waiting.is_none() && self.calls.is_empty() && self.output.is_empty()
            }
        }
    }

    fn answer(&mut self, json: &str, place: Place) {
        if self.output.is_empty() {
            self.progress = Instant::now();
        }
        if self.output.push(json, place).is_err() {
            tracing::warn!("a connection was closed: too much is unread");
            self.end = Some(End::Now);
        }
    }

    fn take(&mut self, line: &str) {
        if std::mem::take(&mut self.is_fresh)
            && let Some(ticket) = streams::shown(line)
        {
            self.ticket = Some(ticket);
            return self.end = Some(End::Now);
        }
        let place = Arc::clone(&self.places).try_acquire_owned().ok();
        match request::parse(line) {
            Ok(request) => self.begin(request, place),
            Err(malformed) => {
                let line = error_line(&self.context, &malformed.id, malformed.code);
                self.answer(&line, place);
            }
        }
    }

    /// A line that is no text leaves the next one readable; one that is too long does not.
    fn refuse(&mut self, error: &FrameError) {
        let code = match error {
            FrameError::TooLarge => ErrorCode::FrameTooLarge,
            FrameError::NotUtf8 => ErrorCode::ParseError,
            FrameError::Io(_) => return self.end = Some(End::Now),
        };
        let place = Arc::clone(&self.places).try_acquire_owned().ok();
        let line = error_line(&self.context, &Id::Null, code);
        self.answer(&line, place);
        if code == ErrorCode::FrameTooLarge {
            self.end = Some(End::AfterAnswers);
        }
    }

    fn begin(&mut self, request: Request<'_>, place: Place) {
        let Some((name, MethodCallback::Async(method))) =
            self.methods.method_with_name(&request.method)
        else {
            // Which methods there are is not for strangers either.
            let code = if self.link.principal().is_stranger() {
                note_unknown_method(&self.context.session, &self.link);
                ErrorCode::Unauthenticated
            } else {
                ErrorCode::MethodNotFound
            };
            let line = error_line(&self.context, &request.id, code);
            return self.answer(&line, place);
        };
        let authenticates = name == Authenticate::NAME;
        self.is_authenticating |= authenticates;
        let mut extensions = Extensions::new();
        extensions.insert(Arc::new(Caller {
            principal: self.link.principal(),
            link: Arc::clone(&self.link),
        }));
        let call = Call {
            method: Arc::clone(method),
            id: request.id,
            params: Params::new(request.params).into_owned(),
            connection: self.id,
            extensions,
            context: Arc::clone(&self.context),
            limit: self.context.limits.call(name),
            authenticates,
        };
        let of_app = self.link.app_places();
        let of_all = Arc::clone(&self.context.places);
        match (
            Arc::clone(&of_app).try_acquire_owned(),
            Arc::clone(&of_all).try_acquire_owned(),
        ) {
            (Ok(app), Ok(all)) => self.start(call, [Some(app), Some(all)], place),
            _ => {
                self.waiting = Some(Box::pin(async move {
                    let app = of_app.acquire_owned().await.ok();
                    let all = of_all.acquire_owned().await.ok();
                    (call, [app, all], place)
                }));
            }
        }
    }

    fn start(&mut self, call: Call, turn: Turn, place: Place) {
        self.calls.push(Box::pin(async move {
            let authenticates = call.authenticates;
            let line = call.run().await;
            drop(turn);
            Answered {
                line,
                place,
                authenticates,
            }
        }));
    }
}

/// One call, on its way through jsonrpsee to its method.
struct Call {
    method: AsyncMethod<'static>,
    id: Id<'static>,
    params: Params<'static>,
    connection: ConnectionId,
    extensions: Extensions,
    context: Arc<Context>,
    limit: Duration,
    authenticates: bool,
}

struct Answered {
    line: String,
    place: Place,
    authenticates: bool,
}

impl Call {
    async fn run(self) -> String {
        let (context, id) = (self.context, self.id);
        let work = async {
            let method = &self.method;
            let answer = method(
                id.clone(),
                self.params,
                self.connection,
                usize::MAX,
                self.extensions,
            );
            answer.await.into_json()
        };
        match timeout(self.limit, work).await {
            Ok(json) if json.get().len() <= context.limits.line_out => {
                String::from(Box::<str>::from(json))
            }
            Ok(_) => error_line(&context, &id, ErrorCode::TooLarge),
            Err(_) => error_line(&context, &id, ErrorCode::Timeout),
        }
    }
}

async fn turn_of<T>(waiting: &mut Option<BoxFuture<'static, T>>) -> T {
    match waiting {
        Some(waiting) => waiting.await,
        None => std::future::pending().await,
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
