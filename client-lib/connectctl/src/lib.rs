//! The command line of connectd, as a library: one subcommand per file in `commands/`, all of the same form.
//!
//! A command takes its arguments and a context, asks the daemon, and hands the answer to `output`, which is the only
//! place that writes. What other people wrote passes through `escape` on its way to a terminal.

mod cli;
mod commands;
mod context;
mod error;
mod escape;
mod exit;
mod files;
mod global;
mod hint;
mod input;
mod output;
mod paging;
mod progress;
mod qr;
mod secret;
mod table;
mod target;
mod time;
mod words;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser};

use crate::cli::Cli;
use crate::context::Context;
use crate::error::Error;
use crate::output::Output;

/// Runs one command line, the program's name first.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return ExitCode::from(refuse(&error, &arguments)),
    };
    let out = Output::new(&cli.global);
    match execute(cli, &out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            out.error(&error);
            ExitCode::from(exit::status(&error))
        }
    }
}

/// Doors for fuzz targets.
#[cfg(fuzzing)]
pub mod fuzzing {
    use clap::Parser as _;

    /// Parses a command line, the program's name first, and tells what is wrong with it.
    pub fn understand<'a>(arguments: impl IntoIterator<Item = &'a str>) {
        if let Err(error) = crate::Cli::try_parse_from(arguments) {
            let _ = error.to_string();
        }
    }

    /// Shows what other people wrote.
    pub fn show(text: &str) {
        let line = crate::escape::line(text);
        assert!(!line.contains(char::is_control), "{line:?}");
        let _ = crate::escape::lines(text);
        if let Ok(value) = serde_json::from_str::<serde_json::Value>(text) {
            let written = value.to_string();
            let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
            assert_eq!(read(&crate::escape::json(&written)), read(&written));
        }
    }
}

fn execute(cli: Cli, out: &Output) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::Output)?;
    runtime.block_on(async {
        let context = Context::new(&cli.global, out.clone())?;
        commands::run(cli.command, &context, Cli::command()).await
    })
}

/// Help and version are asked for; everything else is a mistake in the command line.
fn refuse(error: &clap::Error, arguments: &[OsString]) -> u8 {
    if !error.use_stderr() {
        // A reader that left early has seen enough.
        let _ = error.print();
        return 0;
    }
    if arguments
        .iter()
        .any(|argument| argument == "--json" || argument == "--pretty")
    {
        let rendered = error.render().to_string();
        let first = rendered.lines().next().unwrap_or_default();
        output::json_error(&Error::Usage(
            first.trim_start_matches("error: ").to_owned(),
        ));
    } else {
        let _ = error.print();
    }
    exit::USAGE
}
