//! `connect-relay`: the reference relay's commands.

mod commands;

use clap::Parser as _;

fn main() -> sysexits::ExitCode {
    connect_points::set_up();
    commands::Arguments::parse().run()
}
