//! `account.*` at work.

use super::{Example, Shown, error, invalid, sample};
use crate::account::{Account, Enroll, EnrollParams, Enrolled, EnrollmentCode, Get};
use crate::errors::{ErrorCode, Reason};
use crate::page::Nothing;
use crate::recovery::RecoveryKey;
use crate::session::Pin;

impl Shown for Enroll {
    fn examples() -> Vec<Example> {
        let params = EnrollParams {
            relay_url: sample::RELAY_URL.to_owned(),
            relay_pins: vec![
                sample::RELAY_PIN.to_owned(),
                sample::SPARE_RELAY_PIN.to_owned(),
            ],
            relay_ca_pem: Some(sample::RELAY_CA.to_owned()),
            enrollment_code: EnrollmentCode(sample::ENROLLMENT_CODE.to_owned()),
            user_id: None,
            display_name: "Dr. Alice Martin".to_owned(),
            profession: "physician".to_owned(),
            organisation: "Ward 3".to_owned(),
            pin: Pin::new(sample::PIN.to_owned()),
            recovery_key: Some(RecoveryKey::new(sample::RECOVERY_KEY.to_owned())),
            replace_existing_installation: false,
        };
        let enrolled = Enrolled {
            user_id: sample::ALICE.to_owned(),
            fingerprint: sample::FINGERPRINT.to_owned(),
        };
        vec![
            Example::answered::<Self>("With the operator's code", &params, &enrolled),
            Example::refused::<Self>(
                "The daemon has an account already",
                &params,
                &invalid("account", Reason::AlreadyEnrolled),
            ),
        ]
    }
}

impl Shown for Get {
    fn examples() -> Vec<Example> {
        let account = Account {
            user_id: sample::ALICE.to_owned(),
            display_name: "Dr. Alice Martin".to_owned(),
            profession: "physician".to_owned(),
            organisation: "Ward 3".to_owned(),
            attested: false,
            installation_id: sample::INSTALLATION_ID.to_owned(),
            box_key_id: sample::BOX_KEY_ID.to_owned(),
            sign_key_id: sample::SIGN_KEY_ID.to_owned(),
            fingerprint: sample::FINGERPRINT.to_owned(),
            relay_url: sample::RELAY_URL.to_owned(),
            enrolled_ms: sample::ENROLLED_MS,
            has_recovery_key: true,
        };
        vec![
            Example::answered::<Self>("The daemon's own user", &Nothing {}, &account),
            Example::refused::<Self>(
                "The keys are locked",
                &Nothing {},
                &error(ErrorCode::Locked),
            ),
        ]
    }
}
