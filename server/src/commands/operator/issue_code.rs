//! `connect-relay operator issue-code`

use connect_proto::enrollment::EnrollmentCode;
use connect_proto::ids::UserId;
use connect_relay::operator::order::Order;
use serde_json::json;
use sysexits::ExitCode;

use super::{Context, Failure};

/// Issue a code with which a user can enroll once, within 24 hours.
#[derive(Debug, clap::Args)]
pub(super) struct IssueCode {
    /// The user whom the code is for.
    user_id: UserId,
}

impl IssueCode {
    /// The code is made here and printed: the relay gets its hash.
    #[expect(clippy::print_stdout, reason = "what the command was asked for")]
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        // The random source of this process.
        let code = EnrollmentCode::generate(self.user_id.clone(), &mut rand_core::OsRng);
        let order = Order::IssueCode {
            user_id: self.user_id,
            code_hash: code.digest(),
        };
        let answer = context.give(&order).await?;
        if context.json {
            println!("{}", json!({ "code": code.expose(), "log": answer.log }));
        } else {
            println!("{}", code.expose());
        }
        Ok(ExitCode::Ok)
    }
}
