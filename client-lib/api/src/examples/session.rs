//! `session.*` at work.

use super::{Example, Shown, error, invalid, sample};
use crate::apps::AppToken;
use crate::errors::{ErrorCode, ErrorData, Reason};
use crate::page::Nothing;
use crate::recovery::RecoveryKey;
use crate::session::{
    Authenticate, AuthenticateParams, Authenticated, ChangePin, ChangePinParams, Lock, Pin,
    Recover, RecoverParams, SetRecoveryKey, SetRecoveryKeyParams, StateAnswer, Uncover, Unlock,
    UnlockParams,
};
use crate::system::State;

fn pin(pin: &str) -> Pin {
    Pin::new(pin.to_owned())
}

const UNLOCKED: StateAnswer = StateAnswer {
    state: State::Unlocked,
};

impl Shown for Authenticate {
    fn examples() -> Vec<Example> {
        let params = AuthenticateParams {
            app_id: sample::APP_ID.to_owned(),
            token: AppToken::new(sample::APP_TOKEN.to_owned()),
        };
        let answer = Authenticated {
            principal: sample::APP_ID.to_owned(),
            scopes: super::apps::SCOPES.to_vec(),
        };
        vec![
            Example::answered::<Self>("A paired app comes in", &params, &answer),
            Example::refused::<Self>(
                "The app was revoked",
                &params,
                &error(ErrorCode::Unauthenticated),
            ),
        ]
    }
}

impl Shown for Unlock {
    fn examples() -> Vec<Example> {
        let with = |text| UnlockParams { pin: pin(text) };
        let wrong = ErrorData {
            retry_after_ms: Some(0),
            attempts_left: Some(8),
            ..error(ErrorCode::WrongPin)
        };
        vec![
            Example::answered::<Self>("The right PIN", &with(sample::PIN), &UNLOCKED),
            Example::refused::<Self>("A wrong PIN", &with("00000"), &wrong),
        ]
    }
}

impl Shown for Uncover {
    fn examples() -> Vec<Example> {
        vec![
            Example::answered::<Self>("The session is open already", &Nothing {}, &UNLOCKED),
            Example::refused::<Self>(
                "The keys are not in memory: it takes the PIN",
                &Nothing {},
                &error(ErrorCode::Locked),
            ),
        ]
    }
}

impl Shown for Lock {
    fn examples() -> Vec<Example> {
        let locked = StateAnswer {
            state: State::Locked,
        };
        vec![Example::answered::<Self>(
            "The user goes home",
            &Nothing {},
            &locked,
        )]
    }
}

impl Shown for ChangePin {
    fn examples() -> Vec<Example> {
        let to = |new_pin| ChangePinParams {
            pin: pin(sample::PIN),
            new_pin: pin(new_pin),
        };
        vec![
            Example::answered::<Self>("A longer PIN", &to(sample::NEW_PIN), &UNLOCKED),
            Example::refused::<Self>(
                "A PIN that is too short",
                &to("1234"),
                &invalid("new_pin", Reason::TooShort),
            ),
        ]
    }
}

impl Shown for Recover {
    fn examples() -> Vec<Example> {
        let with = |key: &str| RecoverParams {
            recovery_key: RecoveryKey::new(key.to_owned()),
            new_pin: pin(sample::NEW_PIN),
        };
        vec![
            Example::answered::<Self>(
                "The PIN is forgotten",
                &with(sample::RECOVERY_KEY),
                &UNLOCKED,
            ),
            Example::refused::<Self>(
                "A letter is missing",
                &with(&sample::RECOVERY_KEY[1..]),
                &invalid("recovery_key", Reason::Malformed),
            ),
        ]
    }
}

impl Shown for SetRecoveryKey {
    fn examples() -> Vec<Example> {
        let params = SetRecoveryKeyParams {
            pin: pin(sample::NEW_PIN),
            recovery_key: RecoveryKey::new(sample::RECOVERY_KEY.to_owned()),
        };
        vec![Example::answered::<Self>(
            "Somebody may have seen the one before",
            &params,
            &UNLOCKED,
        )]
    }
}
