//! What others could learn from this process's memory.

use connect_memory::Kept;

use super::Check;
use crate::host::{Exposure, Swap, swap};

const LIMIT: &str =
    "raise the limit: LimitMEMLOCK= in the unit, or memlock in /etc/security/limits.conf";

pub(super) fn checks() -> Vec<Check> {
    let exposure = Exposure::look();
    vec![
        core_dumps(exposure),
        traceable(exposure),
        keys(exposure.memory.keys),
        swapping(exposure),
        heap(exposure),
        database(),
    ]
}

fn core_dumps(exposure: Exposure) -> Check {
    const NAME: &str = "core_dumps";
    if exposure.core_dumps {
        return Check::fail(NAME, "possible", "set LimitCORE=0 in the unit");
    }
    Check::ok(NAME, "off")
}

fn traceable(exposure: Exposure) -> Check {
    const NAME: &str = "debugger";
    if exposure.traceable {
        return Check::fail(
            NAME,
            "one of the same user could attach",
            "allow PR_SET_DUMPABLE to the process: a system call filter forbids it",
        );
    }
    Check::ok(NAME, "none of the same user can attach")
}

fn keys(kept: Kept) -> Check {
    const NAME: &str = "key_memory";
    match kept {
        Kept::Secret => Check::ok(NAME, "secret: memfd_secret, which no other process reads"),
        Kept::Locked => Check::warn(
            NAME,
            "locked: never swapped, but root can read it",
            "let the kernel give memfd_secret: Linux 6.5, or secretmem.enable=1 before; in a unit also \
             SystemCallFilter=memfd_secret",
        ),
        Kept::Swappable => Check::warn(NAME, "keys could be swapped", LIMIT),
    }
}

fn swapping(exposure: Exposure) -> Check {
    const NAME: &str = "swap";
    match swap() {
        Swap::None => Check::ok(NAME, "none"),
        Swap::Encrypted => Check::ok(NAME, "encrypted"),
        Swap::Plain if exposure.memory.all_locked => {
            Check::ok(NAME, "there is, and this process is kept out of it")
        }
        Swap::Plain => Check::warn(
            NAME,
            "not known to be encrypted; messages in memory could come there, and keys that libraries have copied",
            "encrypt it, or let the process lock all of its memory: LimitMEMLOCK=infinity in the unit",
        ),
    }
}

fn heap(exposure: Exposure) -> Check {
    const NAME: &str = "freed_memory";
    if exposure.memory.heap_wiped {
        return Check::ok(NAME, "overwritten");
    }
    Check::warn(
        NAME,
        "not overwritten, or this process may not look",
        "run the connectd of a release, where /proc is mounted",
    )
}

fn database() -> Check {
    const NAME: &str = "database_memory";
    if connect_store::memory::is_wiped() {
        return Check::ok(NAME, "overwritten when it is given back");
    }
    Check::warn(
        NAME,
        "not overwritten when it is given back",
        "run the connectd of a release: this one has another SQLite",
    )
}
