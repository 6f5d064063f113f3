//! `connect-relay operator audit`: what was ordered by whom, and whether that is all (§10.6)

use std::fmt::Write as _;
use std::time::{Duration, UNIX_EPOCH};

use connect_relay::operator::Verdict;
use connect_relay::operator::client::Desk;
use connect_relay::operator::order::Order;
use serde_json::{Value, json};
use sysexits::ExitCode;

use super::{Context, Failure, failure};

/// Print the operators' log, or find out whether it is whole.
#[derive(Debug, clap::Args)]
pub(super) struct Audit {
    /// Only the entries behind this one.
    #[arg(long, value_name = "N", default_value_t = 0)]
    after: u64,
    /// Check the chain, the signatures, the end, and that every effect has its entry. 65: something is wrong.
    ///
    /// It reads the database itself, whether a relay runs or not.
    #[arg(long, conflicts_with = "after")]
    verify: bool,
    /// A head that was kept elsewhere (64 hex digits): the log must still have it.
    #[arg(long, value_name = "HEX", requires = "verify")]
    expect_head: Option<String>,
}

impl Audit {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        if self.verify {
            let desk = Desk::open(&context.state_dir).map_err(failure)?;
            let expect = self.expect_head.map(|head| head.to_ascii_lowercase());
            let verdict = desk.inspect(expect.as_deref()).await.map_err(failure)?;
            return Ok(report(&verdict, context.json));
        }
        let mut after = self.after;
        loop {
            let answer = context.give(&Order::Audit { after }).await?;
            let entries = answer.result["entries"].as_array();
            let Some(last) = entries.and_then(|entries| entries.last()) else {
                return Ok(ExitCode::Ok);
            };
            after = last["seq"].as_u64().unwrap_or(u64::MAX);
            for entry in entries.into_iter().flatten() {
                print(entry, context.json);
            }
        }
    }
}

/// As JSON with the exact text that was chained, its digest and its signature, so that others can check it too.
#[expect(clippy::print_stdout, reason = "what the command was asked for")]
fn print(written: &Value, json: bool) {
    if json {
        println!("{written}");
        return;
    }
    let entry: Value =
        serde_json::from_str(written["entry"].as_str().unwrap_or_default()).unwrap_or_default();
    let at = Duration::from_millis(entry["at_ms"].as_u64().unwrap_or_default());
    let mut line = format!(
        "{} {}",
        entry["seq"],
        httpdate::fmt_http_date(UNIX_EPOCH + at)
    );
    for field in ["operator", "order", "user_id", "credential", "outcome"] {
        if let Some(text) = entry[field].as_str() {
            line.push(' ');
            line.push_str(text);
        }
    }
    for field in [
        "reason",
        "revision",
        "may",
        "proposal",
        "proposed_by",
        "note",
    ] {
        match &entry[field] {
            Value::Null => {}
            // Writing into a string does not fail.
            Value::String(text) => _ = write!(line, " {field}={text}"),
            other => _ = write!(line, " {field}={other}"),
        }
    }
    println!("{line}");
}

#[expect(clippy::print_stdout, reason = "what the command was asked for")]
fn report(verdict: &Verdict, json: bool) -> ExitCode {
    if json {
        println!("{}", json!(verdict));
    } else {
        let head = verdict.head.as_ref().map_or("none", |head| &head.digest);
        println!("{} entries, head {head}", verdict.entries);
        for trouble in &verdict.trouble {
            println!("{trouble}");
        }
    }
    if verdict.trouble.is_empty() {
        ExitCode::Ok
    } else {
        ExitCode::DataErr
    }
}
