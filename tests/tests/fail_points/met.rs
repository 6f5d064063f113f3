//! In an armed build: each point with each thing that it can be told.

use anyhow::{Result, ensure};
use connect_api::account::{Enroll, EnrollParams};
use connect_api::system::State;
use connect_points::{Action, Side};
use connect_tests::apart::{Apart, POLL, history_of};
use connect_tests::crash::points::Visit;
use connect_tests::crash::{Plan, run};
use connect_tests::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn every_fail_point_is_met_and_no_message_suffers() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let plan = Plan {
        senders: 2,
        fail_points: true,
        ..Plan::new(0, 11)
    };
    let outcome = run(&plan, dir.path(), |line| println!("{line}")).await?;
    println!("{outcome}");
    if !outcome.is_sound() {
        println!("kept in {}", dir.keep().display());
        panic!("\n{outcome}");
    }
    let all = Visit::all(Side::Daemon).count() + Visit::all(Side::Relay).count();
    assert_eq!(outcome.points, u64::try_from(all)?);
    Ok(())
}

/// Whatever an enrollment met, the same one once more ends with an account of the same keys, and messages come in.
#[tokio::test(flavor = "multi_thread")]
async fn an_enrollment_that_met_a_fail_point_is_taken_up_again() -> Result<()> {
    let world = World::new().await?;
    let mut bob = Apart::new(&world, "bob", Vec::new()).await?;
    for (number, visit) in Visit::all(Side::Enrollment).enumerate() {
        println!("{visit}");
        let name = format!("user{number}");
        let armed = vec![("FAILPOINTS", visit.setting(0).into())];
        let mut user = Apart::stranger(&world, &name, armed)?;
        let enrollment = world.enrollment(&name).await?;
        meet(&user, visit, enrollment.clone()).await?;
        if visit.action != Action::Wait {
            enroll_again(&mut user, enrollment).await?;
        }
        bob.adds(&name).await?;
        let sent = bob.sends(&name, "welcome", &name).await?;
        ensure!(sent.is_ok());
        let history = history_of(&user.client, "bob", 1).await?;
        ensure!(history.len() == 1 && history[0].text == "welcome");
        user.stop()?;
    }
    bob.stop()
}

async fn meet(user: &Apart, visit: Visit, enrollment: EnrollParams) -> Result<()> {
    let answer = user.client.call::<Enroll>(enrollment).await;
    assert_eq!(answer.is_ok(), visit.action == Action::Wait, "{visit}");
    while visit.count(&user.log())? == 0 {
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

async fn enroll_again(user: &mut Apart, enrollment: EnrollParams) -> Result<()> {
    user.change_environment(Vec::new());
    user.kill()?;
    user.start()?;
    match user.client.hello().await?.state {
        State::Locked => {
            let unlocked = user.unlock().await?;
            unlocked.map_err(|code| anyhow::anyhow!(code.message()))
        }
        _ => Ok(user.client.call::<Enroll>(enrollment).await.map(|_| ())?),
    }
}
