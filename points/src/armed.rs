//! What an armed build does at a point.

use std::time::Duration;

use super::{Action, Failed, Point};

/// Long against a commit and a round trip, short against a test.
const A_MOMENT: Duration = Duration::from_millis(250);

pub(super) fn set_up() {
    // Undone when it is dropped, and it is to last as long as the process.
    std::mem::forget(fail::FailScenario::setup());
}

pub(super) fn obey(point: Point) -> Result<(), Failed> {
    fail::fail_point!(point.name(), |told| act(point, told.as_deref()));
    Ok(())
}

#[expect(
    clippy::print_stderr,
    reason = "the checker reads from the log whether a point was reached"
)]
fn act(point: Point, told: Option<&str>) -> Result<(), Failed> {
    let Some(action) = point
        .actions()
        .iter()
        .find(|action| Some(action.word()) == told)
    else {
        return Ok(());
    };
    eprintln!("fail point {} {}", point.name(), action.word());
    match action {
        Action::Abort => std::process::abort(),
        Action::Fail => Err(Failed(point)),
        Action::Wait => {
            std::thread::sleep(A_MOMENT);
            Ok(())
        }
    }
}
