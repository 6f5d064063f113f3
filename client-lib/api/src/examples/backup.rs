//! `backup.*` at work.

use super::{Example, Shown, invalid, sample};
use crate::account::EnrollmentCode;
use crate::backup::{Begin, BeginRestore, BeginRestoreParams, BeginVerify, BeginVerifyParams};
use crate::bytes::{Issued, Ticket};
use crate::errors::Reason;
use crate::page::Nothing;
use crate::recovery::RecoveryKey;
use crate::session::Pin;

fn issued() -> Issued {
    Issued {
        ticket: Ticket::new(sample::TICKET.to_owned()),
    }
}

fn key(text: &str) -> RecoveryKey {
    RecoveryKey::new(text.to_owned())
}

impl Shown for Begin {
    fn examples() -> Vec<Example> {
        vec![
            Example::answered::<Self>("As it is every night", &Nothing {}, &issued()),
            Example::refused::<Self>(
                "Nobody could open it",
                &Nothing {},
                &invalid("recovery_key", Reason::Missing),
            ),
        ]
    }
}

impl Shown for BeginVerify {
    fn examples() -> Vec<Example> {
        let with = |text| BeginVerifyParams {
            recovery_key: key(text),
            size: sample::BACKUP_BYTES,
        };
        vec![
            Example::answered::<Self>("Would it restore?", &with(sample::RECOVERY_KEY), &issued()),
            Example::refused::<Self>(
                "A letter of the recovery key is missing",
                &with(&sample::RECOVERY_KEY[1..]),
                &invalid("recovery_key", Reason::Malformed),
            ),
        ]
    }
}

impl Shown for BeginRestore {
    fn examples() -> Vec<Example> {
        let params = BeginRestoreParams {
            recovery_key: key(sample::RECOVERY_KEY),
            enrollment_code: EnrollmentCode(sample::ENROLLMENT_CODE.to_owned()),
            pin: Pin::new(sample::PIN.to_owned()),
            size: sample::BACKUP_BYTES,
            relay_url: None,
            relay_pins: None,
            relay_ca_pem: None,
        };
        vec![
            Example::answered::<Self>("On a new machine", &params, &issued()),
            Example::refused::<Self>(
                "Where there is an account",
                &params,
                &invalid("account", Reason::AlreadyEnrolled),
            ),
        ]
    }
}
