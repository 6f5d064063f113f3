//! The task behind an event stream: subscribes, follows, and subscribes again from the last event that it passed on.

use std::time::Duration;

use connect_api::events::{self, Event, EventBody, SubscribeParams};
use connect_api::method::Method;
use connect_api::page::Nothing;
use connect_api::session::{Authenticate, Authenticated};
use connect_api::system::{GetHealth, Health, State};
use connect_ipc::frames::{FrameError, FrameReader, write_frame};
use connect_ipc::socket::{ReadHalf, WriteHalf};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use crate::backoff::Backoff;
use crate::credentials::Credentials;
use crate::endpoint::{Endpoint, dial};
use crate::error::CallError;
use crate::follow::Follow;
use crate::wire::{self, Incoming};

const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

const AUTHENTICATE_ID: u64 = 3;
const HEALTH_ID: u64 = 1;
const SUBSCRIBE_ID: u64 = 2;

/// Why following ended.
enum End {
    /// Subscribe again at once.
    Again,
    Failed(CallError),
    /// Nobody listens to us any more.
    Unheard,
}

impl<E: Into<CallError>> From<E> for End {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

#[derive(Debug)]
pub(crate) struct Follower {
    endpoints: Vec<Endpoint>,
    credentials: Option<Credentials>,
    /// The last event that was passed on, or after which to start.
    last: Option<u64>,
    wait: bool,
    out: mpsc::Sender<Result<Event, CallError>>,
    backoff: Backoff,
    subscribed: bool,
}

impl Follower {
    pub(crate) fn new(
        endpoints: Vec<Endpoint>,
        credentials: Option<Credentials>,
        follow: Follow,
        out: mpsc::Sender<Result<Event, CallError>>,
    ) -> Self {
        Self {
            endpoints,
            credentials,
            last: follow.after,
            wait: follow.wait,
            out,
            backoff: Backoff::new(FIRST_WAIT, LONGEST_WAIT),
            subscribed: false,
        }
    }

    pub(crate) async fn run(mut self) {
        loop {
            self.subscribed = false;
            match self.follow().await {
                End::Again => continue,
                End::Unheard => return,
                // A daemon that restarts: whether it is back is for the next attempt to find out.
                End::Failed(CallError::Disconnected) if self.subscribed => {}
                End::Failed(error) if self.wait && error.passes() => {}
                End::Failed(error) => {
                    let _ = self.out.send(Err(error)).await;
                    return;
                }
            }
            tokio::time::sleep(self.backoff.next()).await;
        }
    }

    /// One connection's time.
    async fn follow(&mut self) -> End {
        match self.subscribe().await {
            Ok(mut session) => loop {
                if let Err(end) = self.step(&mut session).await {
                    return end;
                }
            },
            Err(end) => end,
        }
    }

    async fn subscribe(&mut self) -> Result<Session, End> {
        let mut session = Session::open(&self.endpoints).await?;
        if let Some(credentials) = &self.credentials {
            session.authenticate(credentials).await?;
        }
        let mut last = self.last;
        if last.is_none() {
            // "From now on" has to be a number: what happens before a reconnect would be a hole otherwise.
            session
                .request(HEALTH_ID, GetHealth::NAME, &Nothing {})
                .await?;
            let health: Health = session.answer(HEALTH_ID).await?;
            // Only an open database knows its last event; a locked one is about to refuse us below.
            last = (health.state == State::Unlocked).then_some(health.events.last_event_id);
        }
        session
            .request(
                SUBSCRIBE_ID,
                events::SUBSCRIBE,
                &SubscribeParams { after: last },
            )
            .await?;
        session.starting_at = last;
        Ok(session)
    }

    /// Takes one line.
    async fn step(&mut self, session: &mut Session) -> Result<(), End> {
        let line = next_line(&mut session.frames).await?;
        match wire::read(line)? {
            Incoming::Answer { outcome, .. } => {
                outcome?;
                self.subscribed = true;
                if session.starting_at.is_none() {
                    // It was unlocked between the two requests: ask again for the last event.
                    return Err(CallError::Disconnected.into());
                }
                self.last = self.last.max(session.starting_at);
                self.backoff.reset();
                Ok(())
            }
            // The daemon may send events before it says that we are subscribed.
            Incoming::Notification { method, params } if method == events::NOTIFICATION => {
                let event = match read_event(params)? {
                    Some(Notified::Known(event)) => event,
                    Some(Notified::Unknown { event_id }) => {
                        self.last = self.last.max(Some(event_id));
                        return Ok(());
                    }
                    // The subscription ended, and the daemon says so.
                    None => return Err(CallError::Disconnected.into()),
                };
                let locks = matches!(event.body, EventBody::SessionLocked {});
                self.pass_on(event).await?;
                // A subscription need not outlive the lock. An old lock in the middle of a replay is no reason to leave.
                if locks && !session.frames.has_next() {
                    return Err(End::Again);
                }
                Ok(())
            }
            Incoming::Notification { .. } => Ok(()),
        }
    }

    async fn pass_on(&mut self, event: Event) -> Result<(), End> {
        let reached = match event.body {
            // It has no id of its own, and stands for all that it names.
            EventBody::EventsExpired { to, .. } => to,
            _ if Some(event.event_id) <= self.last => return Ok(()),
            _ => event.event_id,
        };
        self.out.send(Ok(event)).await.map_err(|_| End::Unheard)?;
        self.last = self.last.max(Some(reached));
        Ok(())
    }
}

/// The connection, on its way to a subscription and with it.
struct Session {
    frames: FrameReader<ReadHalf>,
    write: WriteHalf,
    starting_at: Option<u64>,
}

impl Session {
    async fn open(endpoints: &[Endpoint]) -> Result<Self, CallError> {
        let (read, write) = dial(endpoints).await?.split();
        Ok(Self {
            frames: FrameReader::new(read, wire::MAX_LINE),
            write,
            starting_at: None,
        })
    }

    async fn authenticate(&mut self, credentials: &Credentials) -> Result<(), CallError> {
        let params = credentials.params();
        let asked = self
            .request(AUTHENTICATE_ID, Authenticate::NAME, &params)
            .await;
        drop(Zeroizing::new(params.token.into_inner()));
        asked?;
        self.answer::<Authenticated>(AUTHENTICATE_ID).await?;
        Ok(())
    }

    async fn request(
        &mut self,
        id: u64,
        method: &str,
        params: &impl Serialize,
    ) -> Result<(), CallError> {
        let line = wire::request(id, method, params)?;
        write_frame(&mut self.write, &*line)
            .await
            .map_err(|_| CallError::Disconnected)
    }

    async fn answer<T: for<'de> Deserialize<'de>>(
        &mut self,
        expected: u64,
    ) -> Result<T, CallError> {
        loop {
            let line = next_line(&mut self.frames).await?;
            if let Incoming::Answer { id, outcome } = wire::read(line)?
                && id.is_none_or(|id| id == expected)
            {
                return serde_json::from_str(outcome?.get()).map_err(|_| CallError::Protocol);
            }
        }
    }
}

async fn next_line(frames: &mut FrameReader<ReadHalf>) -> Result<&str, CallError> {
    match frames.next().await {
        Ok(Some(line)) => Ok(line),
        Ok(None) | Err(FrameError::Io(_)) => Err(CallError::Disconnected),
        Err(FrameError::TooLarge | FrameError::NotUtf8) => Err(CallError::Protocol),
    }
}

enum Notified {
    Known(Event),
    /// Of a contract that is newer than ours.
    Unknown {
        event_id: u64,
    },
}

/// What a notification tells; nothing when it tells that the subscription ended.
fn read_event(params: &RawValue) -> Result<Option<Notified>, CallError> {
    #[derive(Deserialize)]
    struct Params<'a> {
        #[serde(borrow)]
        result: Option<&'a RawValue>,
    }
    #[derive(Deserialize)]
    struct Numbered {
        event_id: u64,
    }
    let params: Params<'_> = serde_json::from_str(params.get()).map_err(|_| CallError::Protocol)?;
    let Some(result) = params.result else {
        return Ok(None);
    };
    if let Ok(event) = serde_json::from_str::<Event>(result.get())
        && event.body != EventBody::Other
    {
        return Ok(Some(Notified::Known(event)));
    }
    let Numbered { event_id } =
        serde_json::from_str(result.get()).map_err(|_| CallError::Protocol)?;
    Ok(Some(Notified::Unknown { event_id }))
}
