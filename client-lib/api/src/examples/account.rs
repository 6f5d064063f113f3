//! `account.*` at work.

use super::{Example, Shown, error, invalid, sample};
use crate::account::{
    Account, Delete, DeleteParams, Enroll, EnrollParams, Enrolled, EnrollmentCode, Get, RotateKeys,
    UpdateProfile, UpdateProfileParams,
};
use crate::errors::{ErrorCode, Reason};
use crate::page::Nothing;
use crate::recovery::RecoveryKey;
use crate::session::{Pin, StateAnswer};
use crate::system::State;

fn alice() -> Account {
    Account {
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
    }
}

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
        vec![
            Example::answered::<Self>("The daemon's own user", &Nothing {}, &alice()),
            Example::refused::<Self>(
                "The keys are locked",
                &Nothing {},
                &error(ErrorCode::Locked),
            ),
        ]
    }
}

impl Shown for UpdateProfile {
    fn examples() -> Vec<Example> {
        let params = |display_name: &str| UpdateProfileParams {
            display_name: Some(display_name.to_owned()),
            ..UpdateProfileParams::default()
        };
        let account = Account {
            display_name: "Dr. Alice Martin-Roth".to_owned(),
            ..alice()
        };
        vec![
            Example::answered::<Self>("Another name", &params("Dr. Alice Martin-Roth"), &account),
            Example::refused::<Self>(
                "A name with nothing in it",
                &params(" "),
                &invalid("display_name", Reason::Empty),
            ),
        ]
    }
}

impl Shown for RotateKeys {
    fn examples() -> Vec<Example> {
        let account = Account {
            display_name: "Dr. Alice Martin-Roth".to_owned(),
            box_key_id: sample::NEW_BOX_KEY_ID.to_owned(),
            sign_key_id: sample::NEW_SIGN_KEY_ID.to_owned(),
            fingerprint: sample::NEW_FINGERPRINT.to_owned(),
            ..alice()
        };
        vec![Example::answered::<Self>(
            "New keys of the same installation",
            &Nothing {},
            &account,
        )]
    }
}

impl Shown for Delete {
    fn examples() -> Vec<Example> {
        let params = |erase| DeleteParams {
            pin: Pin::new(sample::NEW_PIN.to_owned()),
            erase,
        };
        let state = |state| StateAnswer { state };
        vec![
            Example::answered::<Self>(
                "At the relay, and what is here stays sealed",
                &params(false),
                &state(State::Revoked),
            ),
            Example::answered::<Self>(
                "What is left of it",
                &params(true),
                &state(State::Unenrolled),
            ),
        ]
    }
}
