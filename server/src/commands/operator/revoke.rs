//! `connect-relay operator revoke-keys`, `delete-account` (§5.1, §5.2)

use connect_proto::ids::UserId;
use connect_relay::operator::client::Answer;
use connect_relay::operator::order::{Note, Order, Reason};
use sysexits::ExitCode;

use super::{Context, Failure};

/// Revoke a user's keys: its installation is shut out and everybody else is told.
///
/// What waits for the user stays for the next installation, which takes a fresh code.
#[derive(Debug, clap::Args)]
pub(super) struct RevokeKeys {
    user_id: UserId,
    #[arg(long)]
    reason: Reason,
    /// An earlier key (its revision, as `show` tells it) that turned out to be compromised.
    #[arg(long, value_name = "REVISION")]
    revision: Option<u64>,
    /// A line for the log.
    #[arg(long)]
    note: Option<Note>,
}

/// Delete a user's account: keys revoked, profile gone, and the senders of what waits are told.
#[derive(Debug, clap::Args)]
pub(super) struct DeleteAccount {
    user_id: UserId,
    #[arg(long, default_value = "requested")]
    reason: Reason,
    /// A line for the log.
    #[arg(long)]
    note: Option<Note>,
}

impl RevokeKeys {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let order = Order::RevokeKeys {
            user_id: self.user_id,
            reason: self.reason,
            revision: self.revision,
            note: self.note,
        };
        let answer = context.give(&order).await?;
        context.print(&answer, |answer| done_or_pending(answer, "revoked"));
        Ok(ExitCode::Ok)
    }
}

impl DeleteAccount {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let order = Order::DeleteAccount {
            user_id: self.user_id,
            reason: self.reason,
            revision: None,
            note: self.note,
        };
        let answer = context.give(&order).await?;
        context.print(&answer, |answer| done_or_pending(answer, "deleted"));
        Ok(ExitCode::Ok)
    }
}

fn done_or_pending(answer: &Answer, done: &str) -> String {
    match answer.result["pending"].as_u64() {
        Some(id) => format!(
            "pending {id}: another operator has to confirm it within 24 hours (operator confirm {id})"
        ),
        None => done.to_owned(),
    }
}
