//! `connect-relay operator attest`, `withdraw-attestation` (§10.5)

use connect_proto::hash::Digest;
use connect_proto::ids::UserId;
use connect_relay::operator::order::Order;
use sysexits::ExitCode;

use super::accounts::described;
use super::{Context, Failure};

/// Say that a user's profile was checked. It is printed first; another one is not attested.
#[derive(Debug, clap::Args)]
pub(super) struct Attest {
    user_id: UserId,
    /// Attest this profile alone, as `show` gave its digest before it was checked.
    #[arg(long, value_name = "HEX")]
    expect_profile: Option<String>,
}

/// Say that a user's profile does not count as checked any more.
#[derive(Debug, clap::Args)]
pub(super) struct WithdrawAttestation {
    user_id: UserId,
}

impl Attest {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let show = Order::Show {
            user_id: self.user_id.clone(),
        };
        let shown = context.give(&show).await?;
        let seen = shown.result["profile_digest"].as_str().unwrap_or_default();
        let order = Order::Attest {
            user_id: self.user_id,
            profile_digest: digest(self.expect_profile.as_deref().unwrap_or(seen))?,
        };
        let answer = context.give(&order).await?;
        context.print(&answer, |_| {
            let mut user = shown.result.clone();
            user["attested"] = true.into();
            described(&user)
        });
        Ok(ExitCode::Ok)
    }
}

impl WithdrawAttestation {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let order = Order::WithdrawAttestation {
            user_id: self.user_id,
        };
        let answer = context.give(&order).await?;
        context.print(&answer, |_| "withdrawn".to_owned());
        Ok(ExitCode::Ok)
    }
}

fn digest(text: &str) -> Result<Digest, Failure> {
    let mut digest = Digest::default();
    hex::decode_to_slice(text, &mut digest)
        .map_err(|_| Failure::new(ExitCode::Usage, "a profile's digest has 64 hex digits"))?;
    Ok(digest)
}
