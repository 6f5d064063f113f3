//! `connect-relay operator show`

use std::fmt::Write as _;

use connect_proto::ids::UserId;
use connect_relay::operator::order::Order;
use serde_json::Value;
use sysexits::ExitCode;

use super::{Context, Failure};

/// Show a user's profile, its attestation, and the states of its keys.
#[derive(Debug, clap::Args)]
pub(super) struct Show {
    user_id: UserId,
}

impl Show {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let order = Order::Show {
            user_id: self.user_id,
        };
        let answer = context.give(&order).await?;
        context.print(&answer, |answer| described(&answer.result));
        Ok(ExitCode::Ok)
    }
}

/// One line for each field.
pub(super) fn described(user: &Value) -> String {
    let text = |field: &str| user[field].as_str().unwrap_or_default();
    let mut lines = String::new();
    for field in [
        "user_id",
        "display_name",
        "profession",
        "organisation",
        "profile_digest",
    ] {
        // Writing into a string does not fail.
        let _ = writeln!(lines, "{field}: {}", text(field));
    }
    let _ = write!(lines, "attested: {}", user["attested"]);
    for key in user["keys"].as_array().into_iter().flatten() {
        let (revision, state) = (&key["revision"], key["state"].as_str().unwrap_or_default());
        let _ = write!(lines, "\nkey {revision}: {state}");
    }
    lines
}
