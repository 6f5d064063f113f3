//! Locked with the host's sleep and with the user's screen, as far as logind tells of them (§10.2, D23).

use std::path::PathBuf;

use anyhow::Result;
use connect_tests::apart::Apart;
use connect_tests::keyring::Bus;
use connect_tests::login1::{Inhibitor, Login1};
use connect_tests::raw::Raw;
use connect_tests::world::World;
use serde_json::json;

/// The daemon's own session, and one of somebody else.
const OWN: usize = 0;
const OTHER: usize = 1;

async fn logind(bus: &str) -> Result<Login1> {
    let own = rustix::process::getuid().as_raw();
    Login1::start(bus, &[own, own + 1]).await
}

/// Enrolled and unlocked, with this for its system bus.
async fn daemon(world: &World, bus: &str) -> Result<Apart> {
    let variable = ("DBUS_SYSTEM_BUS_ADDRESS", PathBuf::from(bus));
    Apart::new(world, "alice", vec![variable]).await
}

/// The daemon has looked at everything that was there when it came, and holds sleep up.
async fn holds(logind: &mut Login1) -> Result<Inhibitor> {
    logind.inhibitor().await?;
    logind.prepares_for_sleep(false).await?;
    logind.inhibitor().await
}

async fn state(alice: &Apart) -> Result<String> {
    let mut hello = Raw::connect(alice.socket()).await?;
    let answer = hello.call("system.hello", json!({})).await?;
    Ok(answer["result"]["state"].as_str().unwrap_or("").to_owned())
}

async fn becomes_locked(alice: &Apart) -> Result<()> {
    while state(alice).await? != "locked" {
        tokio::time::sleep(connect_tests::apart::POLL).await;
    }
    Ok(())
}

async fn unlock(alice: &Apart) -> Result<()> {
    let unlocked = alice.unlock().await?;
    unlocked.map_err(|code| anyhow::anyhow!(code.name()))?;
    assert_eq!(state(alice).await?, "unlocked");
    Ok(())
}

/// How often it was locked so far.
async fn locks(alice: &Apart) -> Result<usize> {
    let mut raw = Raw::connect(alice.socket()).await?;
    let params = json!({"after": 0, "limit": 500});
    let listed = raw.call("events.list", params).await?;
    let events = listed["result"]["items"].as_array().cloned();
    let events = events.unwrap_or_default();
    let locked = |event: &&serde_json::Value| event["type"] == "session_locked";
    Ok(events.iter().filter(locked).count())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_sleeps_only_once_the_keys_are_wiped() -> Result<()> {
    let Some(bus) = Bus::new()? else {
        return Ok(());
    };
    let world = World::new().await?;
    let mut logind = logind(&bus.address()).await?;
    let alice = daemon(&world, &bus.address()).await?;
    let mut held = holds(&mut logind).await?;
    for _ in 0..3 {
        assert_eq!((held.what.as_str(), held.mode.as_str()), ("sleep", "delay"));
        assert_eq!(held.who, "connectd");
        assert_eq!(state(&alice).await?, "unlocked");
        logind.prepares_for_sleep(true).await?;
        held.is_released().await?;
        assert_eq!(state(&alice).await?, "locked");
        logind.prepares_for_sleep(false).await?;
        held = logind.inhibitor().await?;
        unlock(&alice).await?;
    }
    assert_eq!(locks(&alice).await?, 3);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lock_of_the_users_own_session_is_the_daemons() -> Result<()> {
    let Some(bus) = Bus::new()? else {
        return Ok(());
    };
    let world = World::new().await?;
    let mut logind = logind(&bus.address()).await?;
    let alice = daemon(&world, &bus.address()).await?;
    holds(&mut logind).await?;
    logind.locks(OWN).await?;
    becomes_locked(&alice).await?;
    unlock(&alice).await?;
    logind.hints(OWN, true).await?;
    becomes_locked(&alice).await?;
    logind.hints(OWN, false).await?;
    unlock(&alice).await?;
    assert_eq!(locks(&alice).await?, 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_elses_lock_and_no_open_screen_locks_it() -> Result<()> {
    let Some(bus) = Bus::new()? else {
        return Ok(());
    };
    let world = World::new().await?;
    let mut logind = logind(&bus.address()).await?;
    let alice = daemon(&world, &bus.address()).await?;
    let daemon = holds(&mut logind).await?.by;
    for round in 0..20 {
        match round % 4 {
            0 => logind.locks(OTHER).await?,
            1 => logind.hints(OTHER, true).await?,
            2 => logind.hints(OWN, false).await?,
            _ => Login1::is_imitated(&bus.address(), &daemon).await?,
        }
        // Signals are heeded one after the other, and this one is answered.
        logind.prepares_for_sleep(false).await?;
        logind.inhibitor().await?;
        assert_eq!(state(&alice).await?, "unlocked", "round {round}");
    }
    assert_eq!(locks(&alice).await?, 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_works_without_a_bus_and_finds_logind_whenever_it_comes() -> Result<()> {
    let Some(bus) = Bus::new()? else {
        return Ok(());
    };
    let world = World::new().await?;
    let without = world.path().join("nowhere").display().to_string();
    let mut alice = daemon(&world, &format!("unix:path={without}")).await?;
    assert_eq!(state(&alice).await?, "unlocked");
    alice.stop()?;
    let log = std::fs::read_to_string(alice.log())?;
    let told = log.matches("are not heard of").count();
    assert!(told <= 1, "it is told once, to who wants to know: {log}");

    let link = world.path().join("bus");
    let variable = ("DBUS_SYSTEM_BUS_ADDRESS", link.display().to_string());
    let address = format!("unix:path={}", variable.1);
    alice.change_environment(vec![(variable.0, PathBuf::from(&address))]);
    alice.restart_unlocked().await?;
    // First a bus without logind, then logind, then another logind.
    let there = bus.address();
    std::os::unix::fs::symlink(there.trim_start_matches("unix:path="), &link)?;
    for _ in 0..2 {
        let mut logind = logind(&there).await?;
        let held = holds(&mut logind).await?;
        logind.prepares_for_sleep(true).await?;
        held.is_released().await?;
        assert_eq!(state(&alice).await?, "locked");
        unlock(&alice).await?;
    }
    Ok(())
}
