//! The command line of connectd.

use std::process::ExitCode;

fn main() -> ExitCode {
    connectctl::run(std::env::args_os())
}
