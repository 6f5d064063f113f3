//! Verification of many on an organisation's word (D25).

use anyhow::{Context as _, Result};
use connect_api::contacts::{Get as GetContact, KeyDecision, Trust, UserParams};
use connect_proto::wire::KeyState;
use connect_tests::binaries;
use connect_tests::mallory::{Mallory, update};
use connect_tests::mischief::Story;
use connect_tests::organisation::Organisation;
use connect_tests::raw::Raw;
use connect_tests::{fake_relay::Reply, world::World};
use serde_json::{Value, json};
use std::process::Command;

const HOUR_MS: u64 = 3_600_000;

async fn story() -> Result<(Story, Organisation, Raw)> {
    let mut story = Story::new().await?;
    let organisation = Organisation::new(7);
    story.alice.trusts(organisation.public_key()).await?;
    story.alice.unlock().await?;
    let mut raw = Raw::connect(story.alice.endpoint.path()).await?;
    for name in ["carol", "dora", "emil"] {
        let user = Mallory::new(name.parse()?);
        story.relay.publishes(user.entry(KeyState::KeyActive, 0));
    }
    for name in ["mallory", "carol", "dora", "emil"] {
        raw.call("contacts.add", json!({"user_id": name})).await?;
    }
    Ok((story, organisation, raw))
}

async fn contact(raw: &mut Raw, user_id: &str) -> Result<Value> {
    let params = json!({"user_id": user_id});
    Ok(raw.call("contacts.get", params).await?["result"].take())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_word_of_an_organisation_verifies_whose_key_it_names_and_tells_of_the_others()
-> Result<()> {
    let (story, organisation, mut raw) = story().await?;
    let mallory = contact(&mut raw, "mallory").await?;
    let carol = contact(&mut raw, "carol").await?;
    let emil = contact(&mut raw, "emil").await?;
    raw.call(
        "trust.decide",
        json!({"user_id": "emil", "decision": "reject"}),
    )
    .await?;
    let entries = json!([
        {"user_id": "mallory", "key": mallory["key"]},
        {"user_id": "carol", "fingerprint": carol["fingerprint"]},
        {"user_id": "dora", "key": "00".repeat(32)},
        {"user_id": "emil", "key": emil["key"]},
        {"user_id": "nobody", "key": mallory["key"]},
    ]);
    let valid_ms = story.world.now_ms() + HOUR_MS;
    let file = organisation.file(1, valid_ms, &entries);
    let imported = raw.call("trust.import", file.clone()).await?["result"].take();
    let outcomes: Vec<&str> = imported["entries"]
        .as_array()
        .context("entries")?
        .iter()
        .filter_map(|entry| entry["outcome"].as_str())
        .collect();
    let expected = [
        "verified",
        "verified",
        "other_key",
        "rejected",
        "unknown_contact",
    ];
    assert_eq!(outcomes, expected);
    assert_eq!(imported["verified"], 2);
    for name in ["mallory", "carol"] {
        let params = UserParams {
            user_id: name.to_owned(),
        };
        let shown = story.alice.client.call::<GetContact>(params).await?;
        assert_eq!(shown.trust, Trust::Verified);
        assert_eq!(shown.keys[0].decision, Some(KeyDecision::Organisation));
    }
    // Again, and nothing is other than before.
    let again = raw.call("trust.import", file).await?["result"].take();
    assert_eq!(again["verified"], 0);
    assert_eq!(again["entries"][0]["outcome"], "already");

    // A verified contact's new key waits, until the organisation has looked at it.
    let renewed = story.mallory.with_new_keys();
    let entry = renewed.entry_after(&story.mallory, KeyState::KeyReplaced, 1);
    story.relay.publishes(entry.clone());
    story.relay.replies(Reply::Page(vec![update(&entry)?]));
    story
        .alice
        .sees(|body| matches!(body, connect_api::events::EventBody::KeyChangeHold { .. }))
        .await?;
    let changed = contact(&mut raw, "mallory").await?;
    assert_eq!(changed["trust"], "changed");
    let entries = json!([{"user_id": "mallory", "key": changed["key"]}]);
    let file = organisation.file(2, valid_ms, &entries);
    raw.call("trust.import", file).await?;
    assert_eq!(contact(&mut raw, "mallory").await?["trust"], "verified");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_older_expired_changed_or_signed_by_another_verifies_nobody() -> Result<()> {
    let (story, organisation, mut raw) = story().await?;
    let key = contact(&mut raw, "mallory").await?["key"].take();
    let entries = json!([{"user_id": "mallory", "key": key}]);
    let (now_ms, nobody) = (story.world.now_ms(), json!([]));
    let newest = organisation.file(5, now_ms + HOUR_MS, &nobody);
    assert_eq!(raw.outcome("trust.import", newest).await?, "ok");
    let good = organisation.file(6, now_ms + HOUR_MS, &entries);
    let mut changed = good.clone();
    let statement = good["statement"].as_str().context("a statement")?;
    changed["statement"] = json!(statement.replace("mallory", "mallory "));
    let mut cut = good.clone();
    cut["signature"] = json!("12");
    for (file, expected) in [
        (
            organisation.file(4, now_ms + HOUR_MS, &entries),
            "revision_conflict",
        ),
        // The same number for other content.
        (
            organisation.file(5, now_ms + HOUR_MS, &entries),
            "revision_conflict",
        ),
        (organisation.file(6, now_ms - 1, &entries), "invalid"),
        (
            Organisation::new(8).file(6, now_ms + HOUR_MS, &entries),
            "invalid",
        ),
        (changed, "invalid"),
        (cut, "invalid"),
        (organisation.signed("{}"), "invalid"),
        (
            organisation.file(6, now_ms + HOUR_MS, &json!([{"user_id": "mallory"}])),
            "invalid",
        ),
    ] {
        assert_eq!(
            raw.outcome("trust.import", file.clone()).await?,
            expected,
            "{file}"
        );
        assert_eq!(
            contact(&mut raw, "mallory").await?["trust"],
            "seen",
            "{file}"
        );
    }
    assert_eq!(raw.outcome("trust.import", good).await?, "ok");
    assert_eq!(contact(&mut raw, "mallory").await?["trust"], "verified");
    Ok(())
}

/// From the key to the contact, by the commands alone.
#[tokio::test(flavor = "multi_thread")]
async fn an_organisation_makes_its_key_signs_a_list_and_connectctl_takes_it() -> Result<()> {
    let world = World::new().await?;
    let mut alice = world.person("alice").await?;
    let bob = world.person("bob").await?;
    let shown = alice.adds(&bob).await?;
    let dir = tempfile::tempdir()?;
    let run = |command: &str, arguments: &[&str]| -> Result<(Option<i32>, String)> {
        let output = Command::new(binaries::path(command)?)
            .args(arguments)
            .current_dir(dir.path())
            .output()?;
        Ok((output.status.code(), String::from_utf8(output.stdout)?))
    };
    let (_, public) = run("connectd", &["organisation-key", "new", "key"])?;
    assert_eq!(
        run("connectd", &["organisation-key", "show", "key"])?.1,
        public
    );
    // The key that there is stays.
    assert_eq!(
        run("connectd", &["organisation-key", "new", "key"])?.0,
        Some(73)
    );
    let fingerprint = shown.fingerprint.context("a fingerprint")?;
    std::fs::write(
        dir.path().join("list"),
        format!("# ward 3\nbob {fingerprint}\nnobody {fingerprint}\n"),
    )?;
    let line = "organisation-key sign --key key --organisation Klinikum --serial 1 list";
    let arguments: Vec<&str> = line.split(' ').collect();
    let (code, file) = run("connectd", &arguments)?;
    assert_eq!(code, Some(0));
    std::fs::write(dir.path().join("file"), file)?;

    let key = connect_proto::keys::SignPublicKey::admit(&hex::decode(public.trim())?)?;
    alice.trusts(key).await?;
    alice.unlock().await?;
    let socket = alice.endpoint.path().display().to_string();
    let import = ["--socket", &socket, "trust", "import", "file"];
    let (code, told) = run("connectctl", &import)?;
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("Klinikum, file 1: 1 verified now"), "{told}");
    assert!(
        told.contains("nobody") && told.contains("not a contact"),
        "{told}"
    );
    let show = ["--socket", &socket, "contacts", "show", "bob"];
    let (_, told) = run("connectctl", &show)?;
    assert!(
        told.contains("verified") && told.contains("organisation"),
        "{told}"
    );
    Ok(())
}
