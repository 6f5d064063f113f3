//! `system.*`: who is there, and how it is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::method::{Access, Needs, method};
use crate::page::Nothing;
use crate::scope::{self, Scope};

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HelloParams {
    /// The client's name and version, for the daemon's log.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub client: Option<String>,
    /// The contract that the client was written for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub api_version: Option<u32>,
}

/// The daemon's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Unenrolled,
    Locked,
    Unlocked,
    Revoked,
    /// One that a later daemon may say.
    #[serde(other)]
    #[schemars(skip)]
    Other,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HelloAnswer {
    pub daemon_version: String,
    pub api_version: u32,
    pub state: State,
    /// `owner`, an app's id, or null before `session.authenticate`.
    pub principal: Option<String>,
    #[serde(deserialize_with = "scope::known")]
    pub scopes: Vec<Scope>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Health {
    pub state: State,
    pub relay: RelayHealth,
    pub outbox: OutboxHealth,
    pub inbox: InboxHealth,
    pub events: EventsHealth,
    pub host: HostHealth,
    /// Told since the disk is watched: an older daemon says nothing of it.
    #[serde(default)]
    pub storage: StorageHealth,
    /// An older daemon says nothing of it.
    #[serde(default)]
    pub session: SessionHealth,
    /// An older daemon says nothing of it.
    #[serde(default)]
    pub trust: TrustHealth,
}

/// Contacts that somebody has to look at.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TrustHealth {
    /// Their key waits for a decision, or was decided against: see `trust.pending`.
    pub undecided: u64,
    /// The directory contradicts what is known of them.
    pub contradicted: u64,
}

/// How the keys are opened and closed here.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionHealth {
    /// The keys are in memory and sync goes on; also where `state` is `locked`, for a session whose callers alone are shut out.
    pub keys_in_memory: bool,
    /// The daemon unlocks by itself when it starts: whoever starts it has what opens the keys.
    pub unattended: bool,
    /// Seconds without an interactive call after which it locks; null: never.
    pub idle_lock_s: Option<u64>,
    /// What it does then: false wipes the keys, true shuts callers out and goes on syncing.
    pub covers: bool,
    /// Seconds after the last PIN in which `session.uncover` lifts a cover without it. Null where it is not configured.
    #[serde(default)]
    pub presence_s: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RelayHealth {
    pub reachable: bool,
    /// When the relay last answered, milliseconds since the epoch.
    pub last_sync_ms: Option<u64>,
    /// The relay's clock minus ours, where it matters (D30).
    pub clock_offset_ms: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OutboxHealth {
    pub queued: u64,
    pub held: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InboxHealth {
    pub missing: u64,
    pub quarantined: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EventsHealth {
    pub last_event_id: u64,
}

/// What the host would give away, as found by looking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HostHealth {
    /// The process could leave a core dump.
    pub core_dumps: bool,
    /// The host has swap in use that is not known to be encrypted.
    pub swap: bool,
    /// Another process of the same user could attach a debugger.
    pub traceable: bool,
    /// An older daemon says nothing of it.
    #[serde(default)]
    pub memory: MemoryHealth,
}

/// What protects the daemon's memory, as found by trying.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemoryHealth {
    pub keys: KeyMemory,
    /// No page of the daemon is ever swapped, message texts included.
    pub locked: bool,
    /// The daemon overwrites memory when it gives it back.
    pub wiped: bool,
}

/// How keys are kept in memory while unlocked.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyMemory {
    /// No other process reads it, root's included (`memfd_secret`).
    Secret,
    /// Never swapped, and in no dump (`mlock`).
    Locked,
    /// The host gives neither.
    Swappable,
    /// One that a later daemon may say, or none that an older one did.
    #[default]
    #[serde(other)]
    #[schemars(skip)]
    Other,
}

/// The database and its disk.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StorageHealth {
    pub integrity: Integrity,
    /// The error that calls meet at present. Null once the disk takes what it is given again.
    pub trouble: Option<StorageTrouble>,
}

/// What is known of the database file as a whole.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Integrity {
    /// There was no reason to look: the database was closed cleanly. Also while it is closed.
    #[default]
    Unchecked,
    /// The daemon or its host ended without closing it, or the disk failed: it is being read.
    Checking,
    Ok,
    /// Restore it from a backup.
    Damaged,
    /// One that a later daemon may say.
    #[serde(other)]
    #[schemars(skip)]
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StorageTrouble {
    StorageFull,
    StorageFailed,
    /// One that a later daemon may say.
    #[serde(other)]
    #[schemars(skip)]
    Other,
}

method! {
    /// Says who the daemon is, and what the caller may do.
    Hello = "system.hello"(HelloParams) -> HelloAnswer, Access::Anyone, Needs::Nothing, [Invalid]
}
method! {
    /// Tells how the daemon, its relay and its queues are.
    GetHealth = "system.health"(Nothing) -> Health, Access::Authenticated, Needs::Nothing, []
}
