//! `connect-relay`: the reference relay's commands.

mod commands;

use clap::Parser as _;

fn main() -> sysexits::ExitCode {
    commands::Arguments::parse().run()
}
