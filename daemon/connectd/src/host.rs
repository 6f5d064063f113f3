//! What the host would give away of this process: shut as far as possible, and looked at afterwards.

use std::sync::OnceLock;

use connect_memory::{Kept, try_out};
use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, dumpable_behavior, getrlimit, set_dumpable_behavior,
    setrlimit, umask,
};

pub use heap::is_wiped as heap_is_wiped;
pub use swap::{Swap, swap};

mod heap;
mod swap;

static ALL_LOCKED: OnceLock<bool> = OnceLock::new();

/// No core dumps, no debugger of the same user, no swap where the limit allows it. Returns false where the system did not
/// agree to one of the first two.
pub fn harden() -> bool {
    // Afterwards this process may not even read its own memory.
    heap_is_wiped();
    ALL_LOCKED.get_or_init(|| lock_all().is_ok());
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let limited = setrlimit(Resource::Core, none).is_ok();
    // Whatever is made without a mode of its own is nobody else's; the socket's group may be let in.
    umask(Mode::RWXO);
    let silent = set_dumpable_behavior(DumpableBehavior::NotDumpable).is_ok();
    limited && silent
}

/// Under a limit, a process whose future pages are all locked would fail as soon as it met that: only without one.
fn lock_all() -> Result<(), Errno> {
    if getrlimit(Resource::Memlock).current.is_some() {
        return Err(Errno::PERM);
    }
    mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT)
}

/// What is in force, as found by looking and trying.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exposure {
    pub core_dumps: bool,
    /// Swap that is not known to be encrypted.
    pub swap: bool,
    pub traceable: bool,
    pub memory: Memory,
}

/// What protects this process's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// How keys are kept.
    pub keys: Kept,
    /// No page of the process is ever swapped.
    pub all_locked: bool,
    /// Memory is overwritten when it is given back.
    pub heap_wiped: bool,
}

impl Exposure {
    pub fn look() -> Self {
        let dumpable = !matches!(dumpable_behavior(), Ok(DumpableBehavior::NotDumpable));
        Self {
            core_dumps: dumpable && getrlimit(Resource::Core).current != Some(0),
            swap: swap() == Swap::Plain,
            traceable: dumpable,
            memory: Memory {
                keys: try_out(),
                all_locked: ALL_LOCKED.get().copied().unwrap_or_default(),
                heap_wiped: heap_is_wiped(),
            },
        }
    }
}
