//! The recovery key (D23): in without PIN and keystore, shown once, and of no use to anyone else.

use std::process::{Command, Output};

use anyhow::{Context as _, Result, ensure};
use connect_api::account::Enroll;
use connect_api::recovery::RecoveryKey;
use connect_tests::apart::Apart;
use connect_tests::binaries;
use connect_tests::raw::{Raw, outcome};
use connect_tests::world::{PIN, Person, World};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use serde_json::{Value, json};

const WRONG: &str = "29572";
const OTHER: &str = "80462";
/// Without a keystore it takes a passphrase.
const PASSPHRASE: &str = "seven horses under a green harbour";

fn key(seed: u64) -> RecoveryKey {
    RecoveryKey::generate(&mut ChaCha20Rng::seed_from_u64(seed))
}

async fn enrolled(world: &World, name: &str, key: &RecoveryKey) -> Result<Person> {
    let person = world.stranger(name).await?;
    let mut enrollment = world.enrollment(name).await?;
    enrollment.recovery_key = Some(key.clone());
    person.client.call::<Enroll>(enrollment).await?;
    Ok(person)
}

async fn call(person: &Person, method: &str, params: Value) -> Result<Value> {
    let mut raw = Raw::connect(person.endpoint.path()).await?;
    raw.call(method, params).await
}

async fn recover(person: &Person, key: &RecoveryKey, new_pin: &str) -> Result<Value> {
    let params = json!({"recovery_key": key.expose().as_str(), "new_pin": new_pin});
    call(person, "session.recover", params).await
}

async fn unlock(person: &Person, pin: &str) -> Result<String> {
    let unlocked = call(person, "session.unlock", json!({"pin": pin})).await?;
    Ok(outcome(&unlocked))
}

fn why(answer: &Value) -> (String, String) {
    let data = &answer["error"]["data"];
    let text = |field: &str| data[field].as_str().unwrap_or_default().to_owned();
    (text("field"), text("reason"))
}

#[tokio::test(flavor = "multi_thread")]
async fn it_opens_after_every_attempt_was_spent_and_forgives_them() -> Result<()> {
    let world = World::new().await?;
    let mut alice = enrolled(&world, "alice", &key(1)).await?;
    let account = call(&alice, "account.get", json!({})).await?;
    assert_eq!(account["result"]["has_recovery_key"], true);
    call(&alice, "session.lock", json!({})).await?;
    for _ in 0..5 {
        assert_eq!(unlock(&alice, WRONG).await?, "wrong_pin");
    }
    let recovered = recover(&alice, &key(1), OTHER).await?;
    assert_eq!(recovered["result"]["state"], "unlocked", "{recovered}");
    alice.stop().await;
    alice.start().await?;
    let old = call(&alice, "session.unlock", json!({"pin": PIN})).await?;
    assert_eq!(old["error"]["data"]["attempts_left"], 8, "{old}");
    assert_eq!(unlock(&alice, OTHER).await?, "ok");
    // It outlives a change of the PIN.
    let params = json!({"pin": OTHER, "new_pin": PIN});
    let changed = call(&alice, "session.change_pin", params).await?;
    assert_eq!(outcome(&changed), "ok");
    call(&alice, "session.lock", json!({})).await?;
    assert_eq!(outcome(&recover(&alice, &key(1), OTHER).await?), "ok");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_opens_where_the_keystore_is_lost() -> Result<()> {
    let world = World::new().await?;
    let mut alice = enrolled(&world, "alice", &key(1)).await?;
    alice.stop().await;
    let keystore = alice.state_dir.join("keystore");
    ensure!(keystore.is_dir(), "the keystore is elsewhere");
    std::fs::remove_dir_all(&keystore)?;
    alice.start().await?;
    assert_eq!(unlock(&alice, PIN).await?, "keystore_unavailable");
    assert_eq!(outcome(&recover(&alice, &key(1), OTHER).await?), "ok");
    alice.stop().await;
    alice.start().await?;
    assert_eq!(unlock(&alice, OTHER).await?, "ok");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_elses_key_opens_and_a_mistyped_one_is_told_apart() -> Result<()> {
    let world = World::new().await?;
    let alice = enrolled(&world, "alice", &key(1)).await?;
    let bob = world.person("bob").await?;
    for person in [&alice, &bob] {
        call(person, "session.lock", json!({})).await?;
        let refused = recover(person, &key(2), OTHER).await?;
        assert_eq!(outcome(&refused), "invalid");
        assert_eq!(why(&refused), ("recovery_key".into(), "mismatch".into()));
        let mistyped = RecoveryKey::new(key(1).expose().replacen('q', "p", 1) + "q");
        let refused = recover(person, &mistyped, OTHER).await?;
        assert_eq!(why(&refused), ("recovery_key".into(), "malformed".into()));
        let refused = recover(person, &key(1), "12").await?;
        assert_eq!(why(&refused), ("new_pin".into(), "too_short".into()));
        assert_eq!(
            unlock(person, PIN).await?,
            "ok",
            "none of it was an attempt"
        );
    }
    let account = call(&bob, "account.get", json!({})).await?;
    assert_eq!(account["result"]["has_recovery_key"], false);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn another_one_takes_its_place() -> Result<()> {
    let world = World::new().await?;
    let alice = enrolled(&world, "alice", &key(1)).await?;
    let set = async |pin: &str, key: &RecoveryKey| {
        let params = json!({"pin": pin, "recovery_key": key.expose().as_str()});
        call(&alice, "session.set_recovery_key", params).await
    };
    assert_eq!(outcome(&set(WRONG, &key(2)).await?), "wrong_pin");
    assert_eq!(outcome(&recover(&alice, &key(2), OTHER).await?), "invalid");
    assert_eq!(outcome(&set(PIN, &key(2)).await?), "ok");
    call(&alice, "session.lock", json!({})).await?;
    assert_eq!(outcome(&set(PIN, &key(3)).await?), "locked");
    let old = recover(&alice, &key(1), OTHER).await?;
    assert_eq!(why(&old), ("recovery_key".into(), "mismatch".into()));
    assert_eq!(outcome(&recover(&alice, &key(2), OTHER).await?), "ok");
    Ok(())
}

fn connectctl(apart: &Apart, args: &[&str]) -> Result<Output> {
    let socket = apart.socket().to_str().context("a path")?;
    Ok(Command::new(binaries::path("connectctl")?)
        .args(["--socket", socket])
        .args(args)
        .output()?)
}

/// The command line makes it and shows it, once; and another keystore is no obstacle.
#[tokio::test(flavor = "multi_thread")]
async fn it_is_written_down_from_the_terminal_and_moves_the_keys_to_another_keystore() -> Result<()>
{
    let world = World::new().await?;
    let mut alice = Apart::stranger(&world, "alice", Vec::new())?;
    let file = |name: &str, content: &str| -> Result<String> {
        let path = world.path().join(name);
        std::fs::write(&path, content)?;
        Ok(path.to_str().context("a path")?.to_owned())
    };
    let enrollment = world.enrollment("alice").await?;
    let (ca, pin) = (file("ca.pem", &world.ca_pem()?)?, file("pin", PIN)?);
    let code = file("code", &enrollment.enrollment_code.0)?;
    let url = world.relay_url();
    let pins = world.pins();
    let mut args = vec![
        "account", "enroll", "--relay", &url, "--ca", &ca, "--name", "Dr. A",
    ];
    args.extend(pins.iter().flat_map(|pin| ["--relay-pin", pin.as_str()]));
    args.extend(["--code-file", &code, "--pin-file", &pin, "--json"]);
    let made = connectctl(&alice, &args)?;
    ensure!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let made: Value = serde_json::from_slice(&made.stdout)?;
    let shown = made["recovery_key"].as_str().context("a recovery key")?;
    let shown = file("recovery", shown)?;

    let renewed = connectctl(&alice, &["recovery-key", "--pin-file", &pin])?;
    let renewed = String::from_utf8(renewed.stdout)?;
    let renewed = renewed
        .trim()
        .strip_prefix("recovery key")
        .context("shown")?;
    let renewed = file("renewed", renewed.trim_start_matches([':', ' ']))?;

    alice.stop()?;
    alice.has_in_environment("CONNECTD_KEYSTORE", "passphrase");
    alice.start()?;
    let new = file("new", PASSPHRASE)?;
    let old = connectctl(
        &alice,
        &[
            "recover",
            "--recovery-key-file",
            &shown,
            "--new-pin-file",
            &new,
        ],
    )?;
    assert_eq!(
        old.status.code(),
        Some(65),
        "{}",
        String::from_utf8_lossy(&old.stderr)
    );
    let args = [
        "recover",
        "--recovery-key-file",
        &renewed,
        "--new-pin-file",
        &new,
    ];
    let opened = connectctl(&alice, &args)?;
    ensure!(
        opened.status.success(),
        "{}",
        String::from_utf8_lossy(&opened.stderr)
    );
    alice.stop()?;
    alice.start()?;
    let again = connectctl(&alice, &["unlock", "--pin-file", &new])?;
    ensure!(
        again.status.success(),
        "{}",
        String::from_utf8_lossy(&again.stderr)
    );
    Ok(())
}
