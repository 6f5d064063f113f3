//! The exit codes: one table, after sysexits(3).

use connect_api::errors::ErrorCode;
use connect_client::endpoint::ConnectError;
use connect_client::error::CallError;
use sysexits::ExitCode;

use crate::error::Error;

pub(crate) const USAGE: u8 = ExitCode::Usage as u8;
/// As a shell reports a program that Ctrl-C ended.
pub(crate) const INTERRUPTED: u8 = 130;

/// Stands below `--help`.
pub(crate) const HELP: &str = "\
Exit codes:
    0  done
   64  the command line makes no sense
   65  what was given is not valid: a parameter, a text, a PIN that is empty
   66  a file cannot be read
   67  there is no such user, contact, message or thing
   69  the daemon is not running, or the relay or keystore cannot be reached
   70  the daemon failed: its log knows more
   73  a file cannot be written
   74  the disk is full, or the database or the output failed
   75  not now: too slow, too often, or the connection was lost; try again
   76  the other side does not speak this contract, or shows a TLS key that is not pinned
   77  not allowed: locked, wrong PIN, missing scope, a key that waits for a decision
   78  there is no account yet
  130  Ctrl-C";

/// What the process ends with.
pub(crate) fn status(error: &Error) -> u8 {
    let code = match error {
        Error::Call(error) => call(error),
        Error::Usage(_) => ExitCode::Usage,
        Error::Data(_) => ExitCode::DataErr,
        Error::File { .. } => ExitCode::NoInput,
        Error::Written { .. } => ExitCode::CantCreat,
        Error::Held(_) => ExitCode::NoPerm,
        Error::Undelivered(_) => ExitCode::Unavailable,
        Error::NotYet => ExitCode::TempFail,
        Error::Output(_) if error.is_quiet() => ExitCode::Ok,
        Error::Output(_) => ExitCode::IoErr,
        Error::Interrupted => return INTERRUPTED,
    };
    code as u8
}

fn call(error: &CallError) -> ExitCode {
    match error {
        CallError::Daemon { code, .. } => daemon(*code),
        CallError::Disconnected | CallError::Timeout => ExitCode::TempFail,
        CallError::Unreachable(ConnectError::Forbidden) => ExitCode::NoPerm,
        CallError::Unreachable(_) => ExitCode::Unavailable,
        CallError::Protocol => ExitCode::Protocol,
    }
}

fn daemon(code: ErrorCode) -> ExitCode {
    match code {
        ErrorCode::ParseError
        | ErrorCode::InvalidRequest
        | ErrorCode::MethodNotFound
        | ErrorCode::PinMismatch => ExitCode::Protocol,
        ErrorCode::InvalidParams
        | ErrorCode::Invalid
        | ErrorCode::FrameTooLarge
        | ErrorCode::TooLarge
        | ErrorCode::ClientRefConflict
        | ErrorCode::RevisionConflict => ExitCode::DataErr,
        ErrorCode::NotFound | ErrorCode::UnknownContact => ExitCode::NoUser,
        ErrorCode::Locked
        | ErrorCode::WrongPin
        | ErrorCode::Forbidden
        | ErrorCode::Unauthenticated
        | ErrorCode::InstallationRevoked
        | ErrorCode::KeyChangeHold
        | ErrorCode::KeyRevoked
        | ErrorCode::NotAParticipant => ExitCode::NoPerm,
        ErrorCode::NotEnrolled => ExitCode::Config,
        ErrorCode::Timeout | ErrorCode::RateLimited => ExitCode::TempFail,
        ErrorCode::RelayUnreachable | ErrorCode::RelayRefused | ErrorCode::KeystoreUnavailable => {
            ExitCode::Unavailable
        }
        ErrorCode::StorageFull | ErrorCode::StorageFailed => ExitCode::IoErr,
        ErrorCode::Internal => ExitCode::Software,
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn is_told(status: u8) -> bool {
        HELP.lines()
            .any(|line| line.trim_start().starts_with(&format!("{status}  ")))
    }

    #[test]
    fn every_code_of_the_daemon_has_an_exit_code_that_help_tells() {
        for code in ErrorCode::ALL {
            let status = daemon(*code) as u8;
            assert!(
                (64..=78).contains(&status) && is_told(status),
                "{}: {status}",
                code.name()
            );
        }
    }

    #[test]
    fn what_happens_on_this_side_has_one_too() {
        let pipe = || Error::Output(io::ErrorKind::BrokenPipe.into());
        for (error, expected) in [
            (CallError::Unreachable(ConnectError::NotRunning).into(), 69),
            (CallError::Unreachable(ConnectError::Forbidden).into(), 77),
            (CallError::Timeout.into(), 75),
            (CallError::Disconnected.into(), 75),
            (CallError::Protocol.into(), 76),
            (Error::Usage(String::new()), 64),
            (Error::Data(""), 65),
            (
                Error::File {
                    path: "f".into(),
                    source: io::ErrorKind::NotFound.into(),
                },
                66,
            ),
            (
                Error::Written {
                    path: "f".into(),
                    source: io::ErrorKind::AlreadyExists.into(),
                },
                73,
            ),
            (Error::Output(io::ErrorKind::StorageFull.into()), 74),
            (pipe(), 0),
            (Error::Interrupted, 130),
        ] {
            assert_eq!(status(&error), expected, "{error}");
            assert!(is_told(expected), "{expected}");
        }
        assert!(pipe().is_quiet());
    }
}
