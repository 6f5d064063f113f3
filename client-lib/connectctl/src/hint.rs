//! What to do next, for a person who sees an error.

use connect_api::errors::{ErrorCode, ErrorData, Reason};
use connect_client::endpoint::ConnectError;
use connect_client::error::CallError;

use crate::error::Error;
use crate::time;

pub(crate) fn next_step(error: &Error) -> Option<String> {
    match error {
        Error::Call(CallError::Daemon { code, data }) => daemon(*code, data),
        Error::Call(CallError::Unreachable(ConnectError::NotRunning)) => Some(
            "start it: systemctl --user start connectd (or run: connectd). \
             If it listens elsewhere: --socket PATH, or CONNECTD_SOCKET"
                .into(),
        ),
        Error::Call(CallError::Unreachable(ConnectError::Forbidden)) => {
            Some("ask its administrator to let you use it (the socket's group)".into())
        }
        Error::Call(CallError::Disconnected | CallError::Timeout) => Some(
            "the daemon may have done it. Look before you repeat it; a message is safe to repeat with the same \
             --client-ref"
                .into(),
        ),
        Error::Call(CallError::Protocol) => Some("are connectctl and connectd of the same version? run: connectctl hello".into()),
        Error::Held(_) => Some("see: connectctl trust pending. Once its key is compared or accepted, it goes out by itself".into()),
        Error::NotYet => Some("it goes on by itself. Do not send it again; see: connectctl messages show ID".into()),
        _ => None,
    }
}

fn daemon(code: ErrorCode, data: &ErrorData) -> Option<String> {
    let next = match code {
        ErrorCode::Locked => "run: connectctl unlock".into(),
        ErrorCode::NotEnrolled => "run: connectctl account enroll --help".into(),
        ErrorCode::InstallationRevoked => {
            "the account was enrolled elsewhere, revoked or deleted. To use it here again: connectctl account enroll, with a new code; \
             what is left here goes with: connectctl account delete --erase"
                .into()
        }
        ErrorCode::Forbidden => "the app needs another scope: ask the daemon's owner".into(),
        ErrorCode::Unauthenticated => "run it as the user who runs connectd, or as one of its owners; or show a paired app's token: --token-file. \
             The owner pairs one with: connectctl apps pair"
                .into(),
        ErrorCode::WrongPin => wrong_pin(data),
        ErrorCode::RateLimited => format!("try again {}", in_a_while(data)),
        ErrorCode::Timeout => "try again; see how it is: connectctl health".into(),
        ErrorCode::Invalid => invalid(data)?,
        ErrorCode::UnknownContact => "run: connectctl contacts add USER".into(),
        ErrorCode::NotAParticipant => "you are not in it any more: ask one of its members. See: connectctl groups list".into(),
        ErrorCode::KeyChangeHold => "see: connectctl trust pending. Compare (connectctl trust show USER), or decide: connectctl trust accept USER".into(),
        ErrorCode::KeyRevoked => "the contact has to enroll again".into(),
        ErrorCode::RevisionConflict => "there is something newer than what you looked at: look again (connectctl trust pending, or a newer file)".into(),
        ErrorCode::ClientRefConflict => "use another --client-ref for another text".into(),
        ErrorCode::RelayUnreachable => "check the network; the outbox goes on by itself. See: connectctl health".into(),
        ErrorCode::RelayRefused => "check the code and the user, or ask the relay's operator".into(),
        ErrorCode::PinMismatch => {
            "someone may be in between. Do not go on: ask the relay's operator for its current pins".into()
        }
        ErrorCode::StorageFull => "free some space; nothing that was acknowledged is lost".into(),
        ErrorCode::KeystoreUnavailable => keystore(data),
        ErrorCode::MethodNotFound => "see what there is: connectctl openrpc".into(),
        ErrorCode::StorageFailed | ErrorCode::Internal if !data.r#ref.is_empty() => {
            format!("look for {} in the daemon's log", data.r#ref)
        }
        _ => return None,
    };
    Some(next)
}

fn wrong_pin(data: &ErrorData) -> String {
    let attempts = match data.attempts_left {
        Some(0) => "no attempts left".into(),
        Some(1) => "1 attempt left".into(),
        Some(n) => format!("{n} attempts left"),
        None => "try again".into(),
    };
    match data.retry_after_ms {
        Some(wait) if wait > 0 => format!("{attempts}; the next one in {}", time::duration(wait)),
        _ => attempts,
    }
}

fn keystore(data: &ErrorData) -> String {
    match data.reason {
        Some(Reason::OtherKeystore) => {
            "the keys were sealed with another keystore: set keystore.kind in connectd.toml back to it, and restart connectd"
        }
        Some(Reason::SecretMissing) => {
            "the keystore does not have the secret of these keys: bring it back from where it was"
        }
        Some(Reason::SecretExposed) => "others can read the keystore's secret: take the rights away from them",
        Some(Reason::SecretDamaged) => "the keystore's secret is damaged: bring it back from where it was",
        Some(Reason::KeyringLocked) => {
            "the keyring is locked: log in to the desktop, or unlock it in its password manager; then try again"
        }
        Some(Reason::NoKeyring) => "there is no default keyring: make one in the desktop's password manager",
        Some(Reason::NoKeyringService) => {
            "no keyring answers on the daemon's session bus: is gnome-keyring-daemon (or KWallet, or KeePassXC) running?"
        }
        Some(Reason::NoAnswer) => "the keyring did not answer in time: try again",
        Some(Reason::NoCredential) => {
            "the service manager passed no credential: see `systemd-credential` in docs/operating.md"
        }
        _ => return format!("look for {} in the daemon's log", data.r#ref),
    }
    .into()
}

fn in_a_while(data: &ErrorData) -> String {
    data.retry_after_ms.map_or_else(
        || "later".into(),
        |wait| format!("in {}", time::duration(wait)),
    )
}

fn invalid(data: &ErrorData) -> Option<String> {
    let reason = match data.reason? {
        Reason::Missing if data.field.as_deref() == Some("recovery_key") => {
            return Some(
                "nobody could open a backup without a recovery key. Make one: connectctl recovery-key"
                    .into(),
            );
        }
        Reason::Missing => "is missing",
        Reason::Unknown => "is not known",
        Reason::WrongType => "has the wrong type",
        Reason::Malformed => "is malformed",
        Reason::Empty => "is empty",
        Reason::TooShort => "is too short",
        Reason::TooWeak => "is too easy to guess",
        Reason::TooLong => "is too long",
        Reason::OutOfRange => "is out of range",
        Reason::NotSupported => "is not supported",
        Reason::AlreadyEnrolled if data.field.as_deref() == Some("account") => {
            return Some("this daemon has an account already: it takes one without".into());
        }
        Reason::AlreadyEnrolled => {
            return Some(
                "there is an account already: --replace-existing-installation replaces it".into(),
            );
        }
        Reason::Expired => "has expired",
        Reason::Mismatch => "does not belong to it",
        Reason::NotProven => "was not shown",
        Reason::Damaged => "is damaged, cut or was changed: take another one",
        Reason::Blocked => {
            return Some("the contact is blocked: connectctl contacts unblock USER".into());
        }
        // They are not about a parameter.
        Reason::OtherKeystore
        | Reason::SecretMissing
        | Reason::SecretExposed
        | Reason::SecretDamaged
        | Reason::KeyringLocked
        | Reason::NoKeyring
        | Reason::NoKeyringService
        | Reason::NoAnswer
        | Reason::NoCredential
        | Reason::Failed => return None,
        Reason::Closed => "is closed: it is read, and nothing is written into it any more",
        Reason::NotAnAdmin => {
            return Some(
                "ask one of its admins: connectctl groups show GROUP, connectctl cases show CASE"
                    .into(),
            );
        }
        Reason::Uploading => {
            "is still on its way: change it once its file is there, or delete it and send it anew"
        }
        Reason::Other => "is not allowed",
    };
    Some(format!(
        "{} {reason}",
        data.field.as_deref().unwrap_or("something")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(code: ErrorCode) -> ErrorData {
        ErrorData {
            code,
            r#ref: "r-1".into(),
            field: None,
            reason: None,
            retry_after_ms: None,
            attempts_left: None,
        }
    }

    #[test]
    fn a_wrong_pin_tells_attempts_and_wait() {
        let told = ErrorData {
            attempts_left: Some(3),
            retry_after_ms: Some(30_000),
            ..data(ErrorCode::WrongPin)
        };
        assert_eq!(wrong_pin(&told), "3 attempts left; the next one in 30 s");
    }

    #[test]
    fn locked_and_not_running_say_what_to_run() {
        let locked = CallError::Daemon {
            code: ErrorCode::Locked,
            data: data(ErrorCode::Locked),
        };
        assert!(
            next_step(&locked.into())
                .unwrap()
                .contains("connectctl unlock")
        );
        let away = CallError::Unreachable(ConnectError::NotRunning);
        assert!(next_step(&away.into()).unwrap().contains("start connectd"));
    }

    #[test]
    fn a_keystore_says_what_to_do_about_it() {
        let hint = |reason| {
            let told = ErrorData {
                reason,
                ..data(ErrorCode::KeystoreUnavailable)
            };
            daemon(ErrorCode::KeystoreUnavailable, &told).unwrap()
        };
        assert!(hint(Some(Reason::KeyringLocked)).contains("unlock it"));
        assert!(hint(Some(Reason::NoCredential)).contains("systemd-credential"));
        for unknown in [Some(Reason::Failed), None] {
            assert!(hint(unknown).contains("r-1"));
        }
    }

    #[test]
    fn an_internal_error_names_its_ref() {
        assert!(
            daemon(ErrorCode::Internal, &data(ErrorCode::Internal))
                .unwrap()
                .contains("r-1")
        );
    }
}
