//! `session.*` at work.

use super::{Example, Shown, error, invalid, sample};
use crate::apps::AppToken;
use crate::errors::{ErrorCode, ErrorData, Reason};
use crate::page::Nothing;
use crate::session::{
    Authenticate, AuthenticateParams, Authenticated, ChangePin, ChangePinParams, Lock, Pin,
    StateAnswer, Unlock, UnlockParams,
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
