//! The options that every command takes.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The daemon's socket. Left out: your own daemon's, then the system's.
    #[arg(long, global = true, env = "CONNECTD_SOCKET", value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,
    /// Speak as a paired app: a file with its id and token, ID:TOKEN. CONNECTD_TOKEN may hold them as well. Left out, and
    /// none there: as the user that you are.
    #[arg(long, global = true, env = "CONNECTD_TOKEN_FILE", value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Answer as one line of JSON, and errors as JSON on standard error.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// As --json, on many lines.
    #[arg(long, global = true)]
    pub(crate) pretty: bool,
    /// Give up after this long.
    #[arg(long, global = true, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) timeout: Option<Duration>,
    /// When to use colour. NO_COLOR is honoured.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

/// Whole or broken seconds, more than none.
fn seconds(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|wait| !wait.is_zero())
        .ok_or_else(|| "not a number of seconds above 0".to_owned())
}
