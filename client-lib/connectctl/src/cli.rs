//! What can be said on the command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::commands::{
    account, call, completions, contacts, conversations, events, health, hello, lock, messages,
    openrpc, send, unlock, watch,
};
use crate::exit;

/// Talk to connectd, the agent that holds the keys of Doctolib Connect.
#[derive(Debug, Parser)]
#[command(name = "connectctl", version, propagate_version = true, after_long_help = exit::HELP)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The daemon's socket. Left out: your own daemon's, then the system's.
    #[arg(long, global = true, env = "CONNECTD_SOCKET", value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,
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

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Who the daemon is, and what you may do.
    Hello(hello::Hello),
    /// How the daemon, its relay and its queues are.
    Health(health::Health),
    /// Open the keys with the PIN or passphrase.
    Unlock(unlock::Unlock),
    /// Wipe the keys from the daemon's memory.
    Lock(lock::Lock),
    /// This daemon's own account.
    Account(account::Account),
    /// The people you may write to.
    Contacts(contacts::Contacts),
    /// All conversations, the most recent first.
    Conversations(conversations::Conversations),
    /// Send a message.
    Send(send::Send),
    /// Read a conversation, or one message.
    Messages(messages::Messages),
    /// Print events as they happen, until Ctrl-C.
    Watch(watch::Watch),
    /// The event log.
    Events(events::Events),
    /// The daemon's contract as an OpenRPC document.
    Openrpc(openrpc::Openrpc),
    /// Call any method of the contract.
    Call(call::Call),
    /// A completion script for your shell.
    Completions(completions::Completions),
}

/// Whole or broken seconds, more than none.
fn seconds(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|wait| !wait.is_zero())
        .ok_or_else(|| "not a number of seconds above 0".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_lines_of_the_manual_are_understood() {
        for line in [
            "connectctl --socket S account enroll --relay https://r --ca F --relay-pin sha256/a --relay-pin sha256/b \
             --code C --name N --pin-file F",
            "connectctl account enroll --relay https://r --relay-pin sha256/a --relay-pin sha256/b --code-file - --name N \
             --profession P --organisation O --user-id U --replace-existing-installation",
            "connectctl account show --json",
            "connectctl contacts add U",
            "connectctl contacts list --all",
            "connectctl send U text --socket S",
            "connectctl send U text --client-ref r --reply-to m --wait delivered --timeout 2.5",
            "connectctl send --wait sent U -",
            "connectctl messages U",
            "connectctl messages list U",
            "connectctl messages U --limit 5 --mark-read",
            "connectctl messages show ID",
            "connectctl watch --after 7 --types message_received,message_state --text",
            "connectctl events list --after 3",
            "connectctl call system.health {}",
            "connectctl completions bash",
        ] {
            let words: String = line.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(parse(&words).is_ok(), "{line}: {:?}", parse(&words).err());
        }
    }

    #[test]
    fn mistakes_are_refused() {
        for line in [
            "connectctl",
            "connectctl messages",
            "connectctl messages show",
            "connectctl account enroll --relay https://r --relay-pin a --name N",
            "connectctl account enroll --relay https://r --relay-pin a --name N --code C --code-file F",
            "connectctl watch --types nonsense",
            "connectctl health --timeout 0",
            "connectctl health --timeout -1",
            "connectctl unlock --pin 12345",
            "connectctl send U",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn list_may_be_left_out_and_means_the_same() {
        let [short, long] = [
            "connectctl messages U --limit 5",
            "connectctl messages list U --limit 5",
        ]
        .map(|line| match parse(line).unwrap().command {
            Command::Messages(messages) => format!("{:?}", messages.into_list()),
            other => panic!("{other:?}"),
        });
        assert_eq!(short, long);
        assert!(short.contains("User(\"U\")"), "{short}");
    }

    #[test]
    fn a_text_may_begin_with_a_hyphen() {
        let Command::Send(send) = parse("connectctl send U -5°C --wait sent").unwrap().command
        else {
            panic!("not send");
        };
        assert_eq!(send.text, "-5°C");
        assert!(send.wait.is_some());
    }
}
