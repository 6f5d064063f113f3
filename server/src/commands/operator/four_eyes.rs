//! `connect-relay operator pending`, `confirm`, `cancel`: what takes two operators

use connect_relay::operator::order::Order;
use serde_json::Value;
use sysexits::ExitCode;

use super::{Context, Failure};

/// List what waits for a second operator.
#[derive(Debug, clap::Args)]
pub(super) struct Pending {}

/// Confirm what another operator proposed: it is carried out.
#[derive(Debug, clap::Args)]
pub(super) struct Confirm {
    id: u64,
}

/// Take back what was proposed.
#[derive(Debug, clap::Args)]
pub(super) struct Cancel {
    id: u64,
}

impl Pending {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let answer = context.give(&Order::Pending).await?;
        context.print(&answer, |answer| {
            let all = answer.result["pending"].as_array();
            let lines: Vec<_> = all.into_iter().flatten().map(line).collect();
            lines.join("\n")
        });
        Ok(ExitCode::Ok)
    }
}

impl Confirm {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let answer = context.give(&Order::Confirm { id: self.id }).await?;
        context.print(&answer, |_| "confirmed".to_owned());
        Ok(ExitCode::Ok)
    }
}

impl Cancel {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let answer = context.give(&Order::Cancel { id: self.id }).await?;
        context.print(&answer, |_| "cancelled".to_owned());
        Ok(ExitCode::Ok)
    }
}

fn line(proposal: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let wanted = &proposal["wanted"];
    format!(
        "{} {} {} ({}) by {} {}",
        proposal["id"],
        text(&wanted["order"]),
        text(&wanted["user_id"]),
        text(&wanted["reason"]),
        text(&proposal["proposed_by"]),
        text(&wanted["note"]),
    )
    .trim_end()
    .to_owned()
}
