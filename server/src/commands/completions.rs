//! `connect-relay completions`: a completion script for a shell.

use clap::CommandFactory as _;
use clap_complete::Shell;
use sysexits::ExitCode;

use super::{Arguments, Failure};

/// Print a completion script for a shell.
#[derive(Debug, clap::Args)]
pub(crate) struct Completions {
    shell: Shell,
}

impl Completions {
    #[expect(clippy::unnecessary_wraps, reason = "its siblings can fail")]
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let mut command = Arguments::command();
        clap_complete::generate(
            self.shell,
            &mut command,
            "connect-relay",
            &mut std::io::stdout(),
        );
        Ok(ExitCode::Ok)
    }
}
