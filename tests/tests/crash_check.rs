//! Few kills in every change, by the same checker that makes many of them before a release.

use anyhow::Result;
use connect_tests::crash::{Plan, run};

#[tokio::test(flavor = "multi_thread")]
async fn a_dozen_kills_cost_no_message() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let plan = Plan {
        senders: 2,
        ..Plan::new(12, 4)
    };
    let outcome = run(&plan, dir.path(), |line| println!("{line}")).await?;
    println!("{outcome}");
    assert!(outcome.is_sound(), "\n{outcome}");
    assert!(outcome.kills.total() >= 12);
    assert!(outcome.kills.relay > 0 && outcome.kills.daemons > 0);
    assert!(outcome.messages > 0);
    Ok(())
}
