//! What the host would give away of this process: shut as far as possible, and looked at afterwards.

use rustix::fs::Mode;
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, dumpable_behavior, getrlimit, set_dumpable_behavior,
    setrlimit, umask,
};

/// No core dumps, no debugger of the same user. Returns false where the system did not agree.
pub fn harden() -> bool {
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

/// What is in force, as found by looking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exposure {
    pub core_dumps: bool,
    pub swap: bool,
    pub traceable: bool,
}

impl Exposure {
    pub fn look() -> Self {
        let dumpable = !matches!(dumpable_behavior(), Ok(DumpableBehavior::NotDumpable));
        Self {
            core_dumps: dumpable && getrlimit(Resource::Core).current != Some(0),
            swap: has_swap(),
            traceable: dumpable,
        }
    }
}

/// The first line of the list is its heading.
fn has_swap() -> bool {
    std::fs::read_to_string("/proc/swaps").is_ok_and(|list| list.lines().count() > 1)
}
