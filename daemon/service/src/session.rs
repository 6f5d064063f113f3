//! The session: which state the daemon is in, and the only place that makes an `Unlocked` (invariant 5).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use connect_core::secret::{DatabaseKey, PseudonymKey};
use connect_store::audit::Verdict;
use connect_store::codes::EventKind;
use connect_store::database::Store;
use connect_uplink::address::RelayAddress;
use connect_uplink::uplink::Uplink;
use connect_vault::attempts::host_boot_time;
use connect_vault::keys::Keys;
use connect_vault::keystore::Keystore;
use connect_vault::vault::{KdfCost, Vault};
use tokio::sync::{Mutex, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use zeroize::Zeroizing;

use crate::attachments::background::{self, AT_ONCE, Way};
use crate::attachments::here;
use crate::audit::Act;
use crate::cases::{copies, errands};
use crate::chance::Chance;
use crate::clock::Clock;
use crate::counters::Counters;
use crate::doors::Doors;
use crate::error::Error;
use crate::journal::Journal;
use crate::opened::assemble;
use crate::opening::open_vault;
use crate::pending::Pending;
use crate::revoked::is_marked;
use crate::rotation::Rotation;
use crate::transfers::Transfers;
use crate::unlocked::Unlocked;
use crate::{audit, indexing, outbox, revocation, rotate, rounds, storage, sync, upkeep};

pub(crate) const DATABASE: &str = "messages.db";
/// Holds a finished account; it appears in one rename.
const ACCOUNT_DIR: &str = "account";
/// Holds an account that the relay may or may not know yet.
const ENROLLING_DIR: &str = "enrolling";
/// In the account's directory: which apps may come in while the database is closed.
const APPS: &str = "apps.json";

/// Where and how the session keeps its keys.
#[derive(Debug, Clone)]
pub struct Config {
    pub state_dir: PathBuf,
    pub keystore: Keystore,
    pub kdf_cost: KdfCost,
    pub locking: Locking,
}

/// When and how far a session locks by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Locking {
    /// After so long without an interactive call (D23); `None`: it stays open.
    pub idle_lock_ms: Option<u64>,
    /// Then it is covered: locked for its callers, while keys stay and sync goes on. Otherwise the keys are wiped.
    pub covers: bool,
    /// For so long after the last PIN, whoever shows the host to be the owner lifts a cover without it; `None`: never.
    pub presence_ms: Option<u64>,
    /// Something else than a caller unlocks it when the daemon starts.
    pub unattended: bool,
}

/// The state of the daemon, with what an unlocked one can be asked.
#[derive(Debug, Clone)]
pub enum Phase {
    Unenrolled,
    Locked,
    Unlocked(Arc<Unlocked>),
    /// Locked for its callers; the keys are in memory and sync goes on. Who followed the events has read them up to
    /// `last_event`, which tells of the lock.
    Covered {
        unlocked: Arc<Unlocked>,
        last_event: u64,
    },
    /// The relay has said so; only a new enrollment or the account's erasure leads on.
    Revoked,
}

#[derive(Debug)]
pub struct Session {
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) chance: Chance,
    phase: watch::Sender<Phase>,
    /// The last interactive call.
    pub(crate) last_use_ms: AtomicU64,
    /// The last time that the PIN, or the recovery key, opened the keys.
    pub(crate) last_key_ms: AtomicU64,
    /// Which apps may come in.
    pub(crate) doors: Doors,
    /// What waits to be entered in the audit log, also while that is closed.
    pending: Arc<Pending>,
    /// One backup is made, looked at or restored at a time.
    pub(crate) backing_up: Arc<Mutex<()>>,
    /// One export is made at a time.
    pub(crate) exporting: Arc<Mutex<()>>,
    /// One change of phase at a time.
    pub(crate) changing: Mutex<()>,
    /// The process ends: no change may wait for the relay any longer.
    pub(crate) ending: CancellationToken,
}

impl Session {
    pub fn new(config: Config, clock: Clock, chance: Chance) -> Self {
        let account = config.state_dir.join(ACCOUNT_DIR);
        let phase = if account.is_dir() && is_marked(&account) {
            Phase::Revoked
        } else if account.is_dir() {
            Phase::Locked
        } else {
            Phase::Unenrolled
        };
        let session = Self {
            doors: Doors::load(config.state_dir.join(ACCOUNT_DIR).join(APPS)),
            pending: Arc::default(),
            config,
            clock,
            chance,
            phase: watch::Sender::new(phase),
            last_use_ms: AtomicU64::new(0),
            last_key_ms: AtomicU64::new(0),
            backing_up: Arc::default(),
            exporting: Arc::default(),
            changing: Mutex::new(()),
            ending: CancellationToken::new(),
        };
        session.begin_wait();
        session
    }

    /// A wait that a reboot interrupted begins anew now, and not with the next attempt (D23).
    fn begin_wait(&self) {
        let vault = self.vault(&self.account_dir());
        if vault.exists()
            && let Ok(now) = host_boot_time()
            && let Err(error) = vault.standing(&now)
        {
            tracing::warn!(%error, "the attempts so far cannot be read");
        }
    }

    pub fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    pub fn chance(&self) -> Chance {
        self.chance.clone()
    }

    pub fn phase(&self) -> Phase {
        self.phase.borrow().clone()
    }

    /// Changes whenever the daemon's state does.
    pub fn follow(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    /// The open session, or the reason why there is none.
    pub fn unlocked(&self) -> Result<Arc<Unlocked>, Error> {
        match &*self.phase.borrow() {
            Phase::Unlocked(unlocked) => Ok(Arc::clone(unlocked)),
            Phase::Locked | Phase::Covered { .. } => Err(Error::Locked),
            Phase::Unenrolled => Err(Error::NotEnrolled),
            Phase::Revoked => Err(Error::Revoked),
        }
    }

    /// The session that is at work, whether or not its callers are let in.
    pub(crate) fn at_work(&self) -> Option<Arc<Unlocked>> {
        match &*self.phase.borrow() {
            Phase::Unlocked(unlocked) | Phase::Covered { unlocked, .. } => {
                Some(Arc::clone(unlocked))
            }
            Phase::Locked | Phase::Unenrolled | Phase::Revoked => None,
        }
    }

    /// A call could not read or write.
    pub fn note_storage(&self, error: Error) {
        if let Phase::Unlocked(unlocked) = &*self.phase.borrow() {
            unlocked.note_storage(error);
        }
    }

    /// A call has ended: it is entered in the audit log, unless what it wrote was entered with it.
    pub fn note_act(&self, act: &Act, outcome: &str) {
        let unlocked = self.at_work();
        let now_ms = self.clock.now_ms();
        audit::note(&self.pending, unlocked.as_deref(), act, outcome, now_ms);
    }

    pub async fn unlock(&self, pin: Zeroizing<String>) -> Result<(), Error> {
        let _turn = self.changing.lock().await;
        match self.phase() {
            Phase::Unlocked(_) => return Ok(()),
            Phase::Unenrolled => return Err(Error::NotEnrolled),
            Phase::Revoked => return Err(Error::Revoked),
            Phase::Locked | Phase::Covered { .. } => {}
        }
        let dir = self.account_dir();
        let keys = open_vault(self.vault(&dir), pin).await?;
        self.let_in(keys).await
    }

    /// Checks the audit log as it lies there: no session begins, and nothing is sent or received.
    pub async fn verify_audit(&self, pin: Zeroizing<String>) -> Result<Verdict, Error> {
        let _turn = self.changing.lock().await;
        if !matches!(self.phase(), Phase::Locked) {
            return Err(Error::NotEnrolled);
        }
        let dir = self.account_dir();
        let keys = open_vault(self.vault(&dir), pin).await?;
        let key = DatabaseKey::from_bytes(keys.database_key.expose());
        let store = Store::open(&dir.join(DATABASE), key).await?;
        let verdict = connect_store::audit::verify(&store).await;
        store.close().await;
        Ok(verdict?)
    }

    /// Wipes the keys and closes the database, once what is under way has ended.
    pub async fn lock(&self) -> Result<(), Error> {
        let _turn = self.changing.lock().await;
        let (unlocked, is_told) = match self.phase() {
            Phase::Unlocked(unlocked) => (unlocked, false),
            Phase::Covered { unlocked, .. } => (unlocked, true),
            Phase::Locked => return Ok(()),
            Phase::Unenrolled => return Err(Error::NotEnrolled),
            Phase::Revoked => return Err(Error::Revoked),
        };
        // A disk that takes no event must not keep the keys in memory.
        if !is_told && let Err(error) = note(&unlocked, EventKind::SessionLocked).await {
            tracing::warn!(%error, "the lock was not written down");
        }
        self.leave(&unlocked, Phase::Locked).await;
        Ok(())
    }

    /// Ends the session with the process.
    pub async fn shut_down(&self) {
        self.ending.cancel();
        let _turn = self.changing.lock().await;
        if let Some(unlocked) = self.at_work() {
            self.leave(&unlocked, Phase::Locked).await;
        }
    }

    /// While the loops end, whoever follows the events still reads why.
    pub(crate) async fn leave(&self, unlocked: &Unlocked, into: Phase) {
        unlocked.ending.cancel();
        unlocked.loops.wait().await;
        if let Err(error) = audit::flush(unlocked).await {
            tracing::warn!(%error, "the end of the audit log waits for the next unlock");
        }
        self.is_now(into);
        unlocked.store.close().await;
    }

    /// Opens the database under its key, starts the loops and lets calls in.
    pub(crate) async fn enter(&self, keys: Keys, dir: &Path) -> Result<(), Error> {
        let key = DatabaseKey::from_bytes(keys.database_key.expose());
        let store = Store::open(&dir.join(DATABASE), key).await?;
        let opened = assemble(&store, keys, self.clock.now_ms()).await?;
        let account = &opened.identity.account;
        let address = RelayAddress::parse(
            &account.relay_url,
            &account.relay_pins,
            account.relay_ca_pem.as_deref(),
        )
        .map_err(|_| Error::StorageFailed("relay address"))?;
        self.doors.settle(connect_store::apps::live(&store).await?);
        let newest = connect_store::events::last_id(&store).await?;
        let policy = connect_store::policy::find(&store).await?;
        let fresh = PseudonymKey::generate(&mut self.chance.clone());
        let unlocked = Arc::new(Unlocked {
            uplink: Uplink::new(&address)?,
            pseudonym_key: connect_store::audit::key(&store, fresh).await?,
            pending: Arc::clone(&self.pending),
            counters: Counters::load(&store).await?,
            user_id: account.user_id.clone(),
            identity: watch::Sender::new(Arc::new(opened.identity)),
            keys: Arc::new(opened.keys),
            vault: Arc::new(self.vault(dir)),
            rotation: Rotation::new(opened.next),
            dismissed: watch::Sender::new(None),
            store,
            clock: self.clock.clone(),
            chance: self.chance.clone(),
            newest_event: watch::Sender::new(newest),
            outbox_wake: tokio::sync::Notify::new(),
            transfers: Transfers::of(dir),
            case_wake: tokio::sync::Notify::new(),
            copies_wake: tokio::sync::Notify::new(),
            relay_is_back: tokio::sync::Notify::new(),
            has_recovery_key: AtomicBool::new(self.has_recovery_key(dir).await?),
            is_telling: AtomicBool::new(false),
            policy: watch::Sender::new(policy),
            policy_turn: Mutex::new(()),
            directory_turn: Mutex::new(()),
            relay_time: watch::Sender::new(None),
            ending: CancellationToken::new(),
            loops: TaskTracker::new(),
        });
        note(&unlocked, EventKind::SessionUnlocked).await?;
        if let Err(error) = here::tidy(&unlocked, true).await {
            tracing::warn!(%error, "what is left of attachments was not removed yet");
        }
        start_loops(&unlocked);
        self.note_keys();
        self.note_use();
        self.is_now(Phase::Unlocked(unlocked));
        Ok(())
    }

    pub(crate) fn is_now(&self, phase: Phase) {
        self.phase.send_replace(phase);
    }

    pub(crate) fn vault(&self, dir: &Path) -> Vault {
        Vault::new(dir, self.config.keystore.clone(), self.config.kdf_cost)
    }

    pub(crate) fn account_dir(&self) -> PathBuf {
        self.config.state_dir.join(ACCOUNT_DIR)
    }

    pub(crate) fn enrolling_dir(&self) -> PathBuf {
        self.config.state_dir.join(ENROLLING_DIR)
    }

    pub(crate) fn state_dir(&self) -> &Path {
        &self.config.state_dir
    }
}

pub(crate) async fn note(unlocked: &Arc<Unlocked>, what: EventKind) -> Result<(), Error> {
    let mut journal = Journal::begin(unlocked).await?;
    journal.note(what).await?;
    Ok(journal.commit().await?)
}

fn start_loops(unlocked: &Arc<Unlocked>) {
    unlocked.loops.spawn(sync::run(Arc::clone(unlocked)));
    unlocked.loops.spawn(outbox::run(Arc::clone(unlocked)));
    for way in [Way::ToTheRelay, Way::Here] {
        for _ in 0..AT_ONCE {
            unlocked
                .loops
                .spawn(background::run(Arc::clone(unlocked), way));
        }
    }
    unlocked.loops.spawn(errands::run(Arc::clone(unlocked)));
    unlocked.loops.spawn(copies::run(Arc::clone(unlocked)));
    unlocked.loops.spawn(upkeep::run(Arc::clone(unlocked)));
    unlocked.loops.spawn(rounds::run(Arc::clone(unlocked)));
    unlocked.loops.spawn(storage::run(Arc::clone(unlocked)));
    unlocked.loops.spawn(audit::run(Arc::clone(unlocked)));
    unlocked.loops.spawn(indexing::run(Arc::clone(unlocked)));
    unlocked.loops.spawn(rotate::run(Arc::clone(unlocked)));
    unlocked.loops.spawn(revocation::run(Arc::clone(unlocked)));
    unlocked.loops.close();
}
