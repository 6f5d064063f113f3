//! What operators do (§5.2, §10.6): orders by name and role, each in a log that shows what was changed in it.
//!
//! `order` says what there is to order, `execute` does it, `api` and `listener` take it in, `client` gives it.

pub mod client;
pub mod order;
pub mod refused;
pub mod token;

pub(crate) mod api;
mod certificates;
mod deeds;
mod execute;
pub mod listener;
mod metrics;

use std::path::Path;

use connect_proto::enrollment::EnrollmentCode;
use connect_proto::ids::UserId;
use rand_core::CryptoRngCore;

use crate::clock::Clock;
pub use crate::store::inspection::Verdict;
pub use crate::store::log::{Entry, Head, Written};
use client::{Desk, OperatorError};
use order::Order;

/// Issues a code with which this user can enroll once within 24 hours (D28). It is shown here and nowhere else: the
/// relay gets its hash.
pub async fn issue_code(
    state_dir: &Path,
    user_id: &UserId,
    clock: &Clock,
    rng: &mut impl CryptoRngCore,
) -> Result<String, OperatorError> {
    let code = EnrollmentCode::generate(user_id.clone(), rng);
    let order = Order::IssueCode {
        user_id: user_id.clone(),
        code_hash: code.digest(),
    };
    Desk::open(state_dir)?.give(&order, None, clock).await?;
    Ok(code.expose())
}
