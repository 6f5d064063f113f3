//! Room for as many stories at once as there are cores: each holds some fifty files and connections.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Most systems begin with 1024 and permit far more. Where that is refused, it stays as it was.
pub(crate) fn as_many_as_permitted() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, raised).ok();
}
