//! Alice makes sure of Bob, who gets another key.

use anyhow::{Context as _, Result};
use connect_api::account::Enroll;
use connect_api::examples::sample;
use connect_tests::organisation::Organisation;
use connect_tests::raw::Raw;
use connect_tests::world::{Person, World};
use serde_json::{Value, json};

use super::run::Run;

pub(crate) fn organisation() -> Organisation {
    Organisation::new(7)
}

pub(crate) async fn compare(run: &mut Run, world: &World, raw: &mut Raw) -> Result<()> {
    run.goes(raw, "trust.fingerprint", "Alice's and Bob's")
        .await?;
    run.goes(raw, "trust.fingerprint", "A user who is not a contact")
        .await?;
    let entries = json!([
        {"user_id": "bob", "fingerprint": run.meanings.of(sample::FINGERPRINT_OF_BOB)?},
        {"user_id": sample::NOBODY, "key": "00".repeat(32)},
    ]);
    let part = |file: &Value, name: &str| file[name].as_str().map(str::to_owned).context("a part");
    let file = |serial| organisation().file(serial, world.now_ms() + 1000, &entries);
    let (file, older) = (file(7), file(6));
    for (sample, value) in [
        (sample::STATEMENT, part(&file, "statement")?),
        (sample::SIGNATURE, part(&file, "signature")?),
        (sample::OLDER_STATEMENT, part(&older, "statement")?),
        (sample::OLDER_SIGNATURE, part(&older, "signature")?),
    ] {
        run.meanings.mean(sample, value);
    }
    for (method, example) in [
        ("trust.import", "A file with two entries"),
        ("trust.import", "A file that is older"),
        (
            "trust.import",
            "Not signed by an organisation whose word counts",
        ),
        ("trust.compare", "Bob reads out something else"),
        ("trust.compare", "Half of the digits"),
        ("trust.compare", "Bob's QR code is scanned"),
    ] {
        run.goes(raw, method, example).await?;
    }
    Ok(())
}

/// Whoever enrolls in Bob's name has no old key to sign with.
pub(crate) async fn change(
    run: &mut Run,
    world: &World,
    alice: &Person,
    bob: &Person,
) -> Result<()> {
    while alice.client.health().await?.outbox.queued > 0 {
        tokio::task::yield_now().await;
    }
    let again = world.stranger("bob-again").await?;
    let mut enrollment = world.enrollment("bob").await?;
    "Bob Kessler".clone_into(&mut enrollment.display_name);
    "nurse".clone_into(&mut enrollment.profession);
    enrollment.replace_existing_installation = true;
    again.client.call::<Enroll>(enrollment).await?;
    run.comes(alice, "Bob enrolled anew").await?;
    run.comes(alice, "What is sent to Bob waits for a decision")
        .await?;
    alice.writes(bob, "for Bob alone").await?;
    let mut raw = Raw::connect(alice.endpoint.path()).await?;
    for (method, example) in [
        ("trust.pending", "Bob enrolled anew, and a message waits"),
        (
            "trust.decide",
            "Bob has another key than the one that was looked at",
        ),
        ("trust.decide", "The new key is accepted"),
    ] {
        run.goes(&mut raw, method, example).await?;
    }
    Ok(())
}
