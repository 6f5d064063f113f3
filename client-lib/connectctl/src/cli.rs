//! What can be said on the command line.

use clap::Parser;

use crate::commands::Command;
use crate::exit;
use crate::global::Global;

/// Talk to connectd, the agent that holds the keys of Doctolib Connect.
#[derive(Debug, Parser)]
#[command(name = "connectctl", version, propagate_version = true, after_long_help = exit::HELP)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
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
            "connectctl change-pin",
            "connectctl change-pin --pin-file F --new-pin-file -",
            "connectctl recover",
            "connectctl recover --recovery-key-file - --new-pin-file F",
            "connectctl recovery-key --pin-file -",
            "connectctl contacts add U",
            "connectctl contacts list --all",
            "connectctl send U text --socket S",
            "connectctl send U text --client-ref r --reply-to m --wait delivered --timeout 2.5",
            "connectctl send --wait sent U -",
            "connectctl messages U",
            "connectctl messages list U",
            "connectctl messages U --limit 5 --mark-read",
            "connectctl messages show ID",
            "connectctl search pota* 6.1 --in U --limit 5",
            "connectctl search potassium --all --after 7",
            "connectctl policy get",
            "connectctl policy set --retention-days 365 --typing on --read-receipts off",
            "connectctl policy set --retention-days forever",
            "connectctl watch --after 7 --types message_received,message_state --text",
            "connectctl events list --after 3",
            "connectctl events ack 3",
            "connectctl watch --ack --json",
            "connectctl apps pair EHR --scope messages.send --scope events.read --uid 7 --token-out F",
            "connectctl apps list --token-file F",
            "connectctl apps revoke ID",
            "connectctl audit list --after 7 --limit 5 --json",
            "connectctl audit verify",
            "connectctl audit export --after 9",
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
            "connectctl watch --ack --types typing",
            "connectctl search",
            "connectctl policy set",
            "connectctl policy set --typing perhaps",
            "connectctl policy set --retention-days -1",
            "connectctl health --timeout 0",
            "connectctl health --timeout -1",
            "connectctl unlock --pin 12345",
            "connectctl send U",
            "connectctl apps pair EHR",
            "connectctl apps pair EHR --scope everything",
            "connectctl apps list --token 1:2",
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
