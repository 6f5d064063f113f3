//! In an armed build: each point with each thing that it can be told.

use anyhow::{Result, ensure};
use connect_api::account::{Enroll, EnrollParams, Get, RotateKeys};
use connect_api::page::Nothing;
use connect_api::system::State;
use connect_points::{Action, Point, Side};
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

/// Whatever a rotation met, it ends with new keys in force, and messages come and go.
#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_met_a_fail_point_comes_to_its_end() -> Result<()> {
    let world = World::new().await?;
    let mut bob = Apart::new(&world, "bob", Vec::new()).await?;
    let mut user = Apart::new(&world, "user", Vec::new()).await?;
    bob.adds("user").await?;
    user.adds("bob").await?;
    for (number, visit) in Visit::all(Side::Rotation).enumerate() {
        println!("{visit}");
        let before = key(&user).await?;
        user.stop()?;
        user.change_environment(vec![("FAILPOINTS", visit.setting(0).into())]);
        user.restart_unlocked().await?;
        let met = visit.count(&user.log())?;
        let answer = user.client.call::<RotateKeys>(Nothing {}).await;
        assert_eq!(answer.is_ok(), visit.action == Action::Wait, "{visit}");
        while visit.count(&user.log())? == met {
            tokio::time::sleep(POLL).await;
        }
        if visit.action == Action::Abort {
            user.kill()?;
            user.change_environment(Vec::new());
            user.restart_unlocked().await?;
        }
        if visit.point == Point::BeforeRotationBundle && visit.action != Action::Wait {
            // Nothing that the relay might know: it is not taken up by itself.
            assert_eq!(key(&user).await?, before);
            user.client.call::<RotateKeys>(Nothing {}).await?;
        }
        while key(&user).await? == before {
            tokio::time::sleep(POLL).await;
        }
        let reference = number.to_string();
        ensure!(user.sends("bob", "out", &reference).await?.is_ok());
        history_of(&bob.client, "user", 2 * number + 1).await?;
        ensure!(bob.sends("user", "in", &reference).await?.is_ok());
        history_of(&user.client, "bob", 2 * number + 2).await?;
    }
    user.stop()?;
    bob.stop()
}

async fn key(user: &Apart) -> Result<String> {
    Ok(user.client.call::<Get>(Nothing {}).await?.box_key_id)
}
