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
            "connectctl send group:ab text --wait delivered",
            "connectctl groups create Ward U V --json",
            "connectctl groups show group:ab",
            "connectctl groups list --all",
            "connectctl groups add ab U V",
            "connectctl groups remove ab U",
            "connectctl groups promote ab U",
            "connectctl groups rename ab Name",
            "connectctl groups leave ab",
            "connectctl messages group:ab --limit 5",
            "connectctl messages U",
            "connectctl messages list U",
            "connectctl messages U --limit 5 --mark-read",
            "connectctl messages show ID",
            "connectctl conversations --limit 5",
            "connectctl conversations list --all",
            "connectctl conversations export --user U --format fhir",
            "connectctl conversations export --group G --format html -o F --force --from 2026-03-01 --to 2026-03-31 --json",
            "connectctl search pota* 6.1 --in U --limit 5",
            "connectctl search potassium --all --after 7",
            "connectctl policy get",
            "connectctl policy set --retention-days 365 --typing on --read-receipts off",
            "connectctl policy set --retention-days forever",
            "connectctl policy set --download-up-to never --attachments-quota 1000000",
            "connectctl policy set --download-up-to always",
            "connectctl send U --attach F",
            "connectctl send U --attach F caption --media-type image/png --wait delivered",
            "connectctl attachments list U --all",
            "connectctl attachments show ID --json",
            "connectctl attachments save ID",
            "connectctl attachments save ID F --force",
            "connectctl attachments save ID --thumbnail",
            "connectctl attachments cancel ID",
            "connectctl attachments discard ID",
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
            "connectctl backup create F",
            "connectctl backup create F --force --json",
            "connectctl backup create DIR --keep 14",
            "connectctl backup verify F --recovery-key-file -",
            "connectctl backup restore F --code-file F --recovery-key-file F --pin-file -",
            "connectctl backup restore F --code C --relay https://r --relay-pin a --relay-pin b --ca F",
            "connectctl trust show U --json",
            "connectctl trust compare U 12345 67890",
            "connectctl trust compare U --qr 1234567890",
            "connectctl trust accept U --key K",
            "connectctl trust reject U",
            "connectctl trust pending --all",
            "connectctl trust import F",
            "connectctl quarantine list --limit 5",
            "connectctl quarantine show ID --json",
            "connectctl cases create Bed-4 --patient MRN17 --with U --with V --field allergies=none",
            "connectctl cases show 00112233445566778899aabbccddeeff --messages 5 --json",
            "connectctl cases show case:00112233445566778899aabbccddeeff",
            "connectctl cases list --all",
            "connectctl cases set 00112233445566778899aabbccddeeff temperature -5 --revision 3 --media-type text/plain",
            "connectctl cases history 00112233445566778899aabbccddeeff allergies",
            "connectctl cases add 00112233445566778899aabbccddeeff U",
            "connectctl cases remove 00112233445566778899aabbccddeeff U",
            "connectctl cases leave 00112233445566778899aabbccddeeff",
            "connectctl cases close 00112233445566778899aabbccddeeff",
            "connectctl send case:00112233445566778899aabbccddeeff text",
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
            "connectctl conversations export --user U",
            "connectctl conversations export --format html",
            "connectctl conversations export --user U --group G --format html",
            "connectctl conversations export --user U --format pdf",
            "connectctl conversations export --user U --format fhir --from yesterday",
            "connectctl search",
            "connectctl policy set",
            "connectctl policy set --typing perhaps",
            "connectctl policy set --retention-days -1",
            "connectctl health --timeout 0",
            "connectctl health --timeout -1",
            "connectctl unlock --pin 12345",
            "connectctl send U",
            "connectctl send U --attach F --reply-to m",
            "connectctl send U text --media-type image/png",
            "connectctl attachments save",
            "connectctl policy set --download-up-to sometimes",
            "connectctl groups create Ward",
            "connectctl groups add ab",
            "connectctl groups rename ab",
            "connectctl groups leave group:",
            "connectctl trust compare U",
            "connectctl trust compare U 1 --qr 1",
            "connectctl apps pair EHR",
            "connectctl apps pair EHR --scope everything",
            "connectctl apps list --token 1:2",
            "connectctl backup create DIR --keep 0",
            "connectctl backup create F --keep 1 --force",
            "connectctl backup restore F",
            "connectctl cases show nonsense",
            "connectctl cases create Bed-4 --field allergies",
            "connectctl backup restore F --code C --pin 12345",
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
        assert_eq!(send.text.as_deref(), Some("-5°C"));
        assert!(send.wait.is_some());
    }
}
