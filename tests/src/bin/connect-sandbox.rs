//! The `connect-sandbox` command: a relay, a daemon of your own and a colleague who answers.

use std::process::ExitCode;

use clap::Parser as _;
use connect_tests::sandbox::{self, Cli};

#[expect(
    clippy::print_stderr,
    reason = "whoever started the sandbox reads why it did not run"
)]
fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("connect-sandbox: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(sandbox::run(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("connect-sandbox: {error:#}");
            ExitCode::FAILURE
        }
    }
}
