//! A relay and as many daemons as a story needs, in one process: real sockets, real TLS, real databases, one clock.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use connect_api::account::{Enroll, EnrollParams, EnrollmentCode};
use connect_api::contacts::{Add, Contact, UserParams};
use connect_api::conversation::Conversation;
use connect_api::errors::ErrorCode;
use connect_api::events::{Event, EventBody};
use connect_api::messages::{self, Message, MessageState};
use connect_api::session::{Pin, Unlock, UnlockParams};
use connect_client::client::Client;
use connect_client::endpoint::Endpoint;
use connect_client::error::CallError;
use connect_client::events::EventStream;
use connect_ipc::socket::Audience;
use connect_proto::keys::SignPublicKey;
use connect_relay::relay::{Relay, RelayConfig};
use connect_relay::{clock as relay_clock, identity, operator};
use connect_service::chance::Chance;
use connect_service::clock::Clock;
use connect_service::session::Session;
use connect_service::upkeep;
use connect_store::database::Store;
use connect_vault::vault::KdfCost;
use connectd::config::{Config, SessionConfig};
use connectd::lifecycle::{self, Daemon};
use connectd::limits::Limits;
use tempfile::TempDir;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::block_in_place;
use tokio::time::timeout;

use crate::at_rest;
pub use crate::at_rest::PIN;
use crate::canary::{self, Kind};
use crate::descriptors;

/// With a daemon that does not end.
const PATIENCE: Duration = Duration::from_secs(10);

/// A relay whose clock the story moves, and a place for daemons. The clock starts at today's time, since TLS asks the
/// system's; then it goes only where it is put.
#[derive(Debug)]
pub struct World {
    dir: TempDir,
    /// Of who is no daemon of ours: no canary is searched for there.
    elsewhere: TempDir,
    relay: Option<Relay>,
    address: SocketAddr,
    pins: [String; 2],
    hand: Arc<AtomicU64>,
    /// Each daemon has a clock of its own; they go together unless one is told to jump.
    daemons: Mutex<Vec<Arc<AtomicU64>>>,
}

impl World {
    pub async fn new() -> Result<Self> {
        canary::begin();
        descriptors::as_many_as_permitted();
        let dir = tempfile::tempdir()?;
        let hand = Arc::new(AtomicU64::new(Clock::system().now_ms()));
        let mut chance = Chance::system();
        let relay_dir = dir.path().join("relay");
        let hosts = ["localhost".to_owned()];
        let identity = identity::init(&relay_dir, &hosts, &relay_clock(&hand), &mut chance)?;
        let mut world = Self {
            dir,
            elsewhere: tempfile::tempdir()?,
            relay: None,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            pins: identity.pins,
            hand,
            daemons: Mutex::default(),
        };
        world.start_relay().await?;
        Ok(world)
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn elsewhere(&self) -> &Path {
        self.elsewhere.path()
    }

    pub fn relay_dir(&self) -> PathBuf {
        self.dir.path().join("relay")
    }

    pub fn relay_url(&self) -> String {
        format!("https://{}", self.address)
    }

    pub fn relay_address(&self) -> String {
        self.address.to_string()
    }

    pub fn pins(&self) -> Vec<String> {
        self.pins.to_vec()
    }

    pub fn ca_pem(&self) -> Result<String> {
        Ok(std::fs::read_to_string(self.relay_dir().join("ca.pem"))?)
    }

    pub fn now_ms(&self) -> u64 {
        self.hand.load(Ordering::SeqCst)
    }

    /// Moves the clock of the relay and of every daemon.
    pub fn advance(&self, ms: u64) {
        self.hand.fetch_add(ms, Ordering::SeqCst);
        for hand in self.hands().iter() {
            hand.fetch_add(ms, Ordering::SeqCst);
        }
    }

    fn hands(&self) -> MutexGuard<'_, Vec<Arc<AtomicU64>>> {
        self.daemons.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As `advance`, the other way.
    pub fn set_back(&self, ms: u64) {
        self.hand.fetch_sub(ms, Ordering::SeqCst);
        for hand in self.hands().iter() {
            hand.fetch_sub(ms, Ordering::SeqCst);
        }
    }

    /// The first time on any port, then always on the same.
    pub async fn start_relay(&mut self) -> Result<()> {
        let unthrottled = 1_000_000.try_into()?;
        let relay = connect_relay::relay::start(RelayConfig {
            state_dir: self.relay_dir(),
            listen: self.address,
            clock: relay_clock(&self.hand),
            limits: connect_relay::limits::Limits {
                requests_per_second: unthrottled,
                request_burst: unthrottled,
                enrollments_per_minute: unthrottled,
                rotations_per_day: unthrottled,
                ..connect_relay::limits::Limits::default()
            },
        })
        .await?;
        self.address = relay.local_addr();
        self.relay = Some(relay);
        Ok(())
    }

    pub async fn stop_relay(&mut self) {
        if let Some(relay) = self.relay.take() {
            relay.shutdown().await;
        }
    }

    pub async fn issue_code(&self, user: &str) -> Result<String> {
        let clock = relay_clock(&self.hand);
        let user = user.parse()?;
        let mut chance = Chance::system();
        Ok(operator::issue_code(&self.relay_dir(), &user, &clock, &mut chance).await?)
    }

    /// A daemon that is not enrolled yet.
    pub async fn stranger(&self, name: &str) -> Result<Person> {
        self.stranger_with(name, unhurried()).await
    }

    pub async fn stranger_with(&self, name: &str, limits: Limits) -> Result<Person> {
        let endpoint = Endpoint::new(self.dir.path().join(name).join("connectd.sock"));
        self.daemon(name, endpoint, Audience::User, limits).await
    }

    /// As a service has it: the socket in a directory of its own, for the daemon's group.
    pub async fn service(&self, name: &str, limits: Limits) -> Result<Person> {
        let endpoint = Endpoint::new(self.dir.path().join(name).join("run").join("connectd.sock"));
        self.daemon(name, endpoint, Audience::Group, limits).await
    }

    async fn daemon(
        &self,
        name: &str,
        endpoint: Endpoint,
        audience: Audience,
        limits: Limits,
    ) -> Result<Person> {
        let state_dir = self.dir.path().join(name);
        let (clock, hand) = Clock::manual(self.now_ms());
        self.hands().push(Arc::clone(&hand));
        let mut person = Person {
            name: name.to_owned(),
            daemon: None,
            client: Client::builder().endpoint(endpoint.clone()).lazy(),
            endpoint,
            state_dir,
            audience,
            session: SessionConfig::default(),
            organisation_keys: Vec::new(),
            limits,
            clock,
            hand,
        };
        person.start().await?;
        Ok(person)
    }

    /// A daemon with an account of its own, unlocked.
    pub async fn person(&self, name: &str) -> Result<Person> {
        let person = self.stranger(name).await?;
        person
            .client
            .call::<Enroll>(self.enrollment(name).await?)
            .await?;
        Ok(person)
    }

    /// The same user on another machine, with nothing of what was there before.
    pub async fn reinstalled(&self, name: &str) -> Result<Person> {
        let mut person = self.stranger(&format!("{name}-again")).await?;
        let mut enrollment = self.enrollment(name).await?;
        enrollment.replace_existing_installation = true;
        person.client.call::<Enroll>(enrollment).await?;
        name.clone_into(&mut person.name);
        Ok(person)
    }

    pub async fn enrollment(&self, name: &str) -> Result<EnrollParams> {
        let code = self.issue_code(name).await?;
        let (_, secret) = code.split_once('/').context("user/secret")?;
        for spelled in [secret, &secret.replace('-', "")] {
            canary::note(Kind::Code, spelled.as_bytes());
        }
        Ok(EnrollParams {
            relay_url: self.relay_url(),
            relay_pins: self.pins(),
            relay_ca_pem: Some(self.ca_pem()?),
            enrollment_code: EnrollmentCode(code),
            user_id: None,
            display_name: format!("Dr. {name}"),
            profession: "physician".to_owned(),
            organisation: "Ward 3".to_owned(),
            pin: Pin::new(PIN.to_owned()),
            recovery_key: None,
            replace_existing_installation: false,
        })
    }
}

impl Drop for World {
    fn drop(&mut self) {
        canary::gather(self.dir.path());
    }
}

fn relay_clock(hand: &Arc<AtomicU64>) -> relay_clock::Clock {
    let hand = Arc::clone(hand);
    relay_clock::Clock::new(move || hand.load(Ordering::SeqCst))
}

/// A story sends faster than a person.
pub fn unhurried() -> Limits {
    Limits {
        sends_per_second: 1_000_000,
        send_burst: 1_000_000,
        // Its clocks leap by days.
        idle_lock_s: 0,
        ..Limits::default()
    }
}

/// A daemon and a client on its socket.
#[derive(Debug)]
pub struct Person {
    pub name: String,
    daemon: Option<Daemon>,
    pub client: Client,
    pub endpoint: Endpoint,
    pub state_dir: PathBuf,
    audience: Audience,
    /// Counts from the next start on.
    pub session: SessionConfig,
    /// Whose word verifies contacts, from the next start on.
    pub organisation_keys: Vec<SignPublicKey>,
    limits: Limits,
    clock: Clock,
    hand: Arc<AtomicU64>,
}

impl Person {
    pub async fn start(&mut self) -> Result<()> {
        let config = Config {
            state_dir: self.state_dir.clone(),
            endpoint: self.endpoint.clone(),
            keystore: at_rest::keystore(&self.state_dir),
            owner_uids: Vec::new(),
            audience: self.audience,
            session: self.session.clone(),
            organisation_keys: self.organisation_keys.clone(),
            limits: self.limits.clone(),
        };
        let clock = self.clock.clone();
        let daemon = lifecycle::start(config, KdfCost::for_tests(), clock, Chance::system());
        self.daemon = Some(daemon.await?);
        Ok(())
    }

    /// Has the word of an organisation count.
    pub async fn trusts(&mut self, organisation: SignPublicKey) -> Result<()> {
        self.organisation_keys.push(organisation);
        self.stop().await;
        self.start().await
    }

    pub async fn stop(&mut self) {
        if let Some(daemon) = self.daemon.take() {
            daemon.shut_down().await;
        }
    }

    pub async fn restart(&mut self) -> Result<()> {
        self.stop().await;
        self.start().await?;
        self.unlock().await
    }

    /// Of the daemon that runs.
    pub fn running_session(&self) -> Result<Arc<Session>> {
        let daemon = self.daemon.as_ref().context("the daemon runs")?;
        Ok(Arc::clone(daemon.session()))
    }

    pub async fn unlock(&self) -> Result<()> {
        let pin = Pin::new(PIN.to_owned());
        self.client.call::<Unlock>(UnlockParams { pin }).await?;
        Ok(())
    }

    /// Moves the clock of this daemon alone.
    pub fn clock_jumps(&self, ms: u64) {
        self.hand.fetch_add(ms, Ordering::SeqCst);
    }

    /// Removes what is old, as the daemon does by itself now and then.
    pub async fn tidies_up(&self) -> Result<()> {
        let daemon = self.daemon.as_ref().context("the daemon runs")?;
        let unlocked = daemon.session().unlocked()?;
        Ok(upkeep::expire(&unlocked).await?)
    }

    /// The database itself, while the daemon is stopped.
    pub async fn database(&self) -> Result<Store> {
        ensure!(self.daemon.is_none(), "the daemon has it");
        at_rest::database(&self.state_dir).await
    }

    pub fn conversation(&self) -> Conversation {
        Conversation::User(self.name.clone())
    }

    pub async fn adds(&self, other: &Self) -> Result<Contact> {
        let user_id = other.name.clone();
        Ok(self.client.call::<Add>(UserParams { user_id }).await?)
    }

    /// Returns the message's id once it is durable here.
    pub async fn writes(&self, to: &Self, text: &str) -> Result<String> {
        let sent = self.client.send_text(to.conversation(), text, None).await?;
        Ok(sent.message_id)
    }

    /// A conversation's messages, oldest first, page by page.
    pub async fn reads(&self, with: &Self) -> Result<Vec<Message>> {
        let mut all = Vec::new();
        let mut after = None;
        loop {
            let params = messages::ListParams {
                conversation: with.conversation(),
                before: None,
                after,
                limit: Some(50),
            };
            let page = self.client.call::<messages::List>(params).await?;
            all.extend(page.items);
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        all.reverse();
        Ok(all)
    }

    /// Everything that ever happened, from the first event on.
    pub fn events(&self) -> EventStream {
        self.client.events(Some(0))
    }

    /// Follows the log from its beginning until an event is as wanted.
    pub async fn sees(&self, wanted: impl Fn(&EventBody) -> bool) -> Result<Event> {
        let mut events = self.events();
        while let Some(event) = events.next().await {
            let event = event?;
            if wanted(&event.body) {
                return Ok(event);
            }
        }
        bail!("the events ended")
    }

    pub async fn receives(&self, message_id: &str) -> Result<Message> {
        self.sees(|body| {
            matches!(body, EventBody::MessageReceived(received) if received.message_id == message_id)
        })
        .await?;
        let message_id = message_id.to_owned();
        let params = messages::MessageParams { message_id };
        Ok(self.client.call::<messages::Get>(params).await?)
    }

    /// Waits until a message of ours has come as far as that.
    pub async fn sees_state(&self, id: &str, wanted: MessageState) -> Result<Event> {
        self.sees(|body| {
            matches!(body, EventBody::MessageState { message_id, state, .. } if message_id == id && *state == wanted)
        })
        .await
    }
}

/// SQLCipher is taken down at the process's exit, under whatever thread still closes a database: none may be left.
impl Drop for Person {
    fn drop(&mut self) {
        let Some(daemon) = self.daemon.take() else {
            return;
        };
        if let Ok(runtime) = Handle::try_current()
            && runtime.runtime_flavor() == RuntimeFlavor::MultiThread
        {
            block_in_place(|| {
                runtime.block_on(async { timeout(PATIENCE, daemon.shut_down()).await.ok() })
            });
        }
    }
}

/// The code that a call is refused with.
pub fn refusal<T>(result: Result<T, CallError>) -> Result<ErrorCode> {
    match result {
        Ok(_) => bail!("the call was not refused"),
        Err(error) => error
            .code()
            .context("the call failed before it was answered"),
    }
}
