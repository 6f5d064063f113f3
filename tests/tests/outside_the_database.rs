//! What lies beside the encrypted database (§3.4): a list that is known, and nothing in it tells of people or messages.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, Result};
use connect_tests::attachments::send;
use connect_tests::raw::Raw;
use connect_tests::world::World;
use serde_json::{Value, json};

fn files(dir: &Path, below: &Path, found: &mut BTreeSet<String>) -> Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            files(&path, below, found)?;
        } else {
            let path = path.strip_prefix(below)?;
            found.insert(path.to_str().context("a name")?.to_owned());
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_lies_outside_but_what_is_named() -> Result<()> {
    let world = World::new().await?;
    let (mut alice, bob) = (world.person("alice").await?, world.person("bob").await?);
    alice.adds(&bob).await?;
    send(&alice, &bob, b"film", "knee.dcm").await?;
    let sent = alice.writes(&bob, "potassium 6.1").await?;
    bob.receives(&sent).await?;
    let mut raw = Raw::connect(alice.endpoint.path()).await?;
    let app = json!({"name": "EHR", "scopes": ["messages.send", "session.unlock"], "uid": 1207});
    assert_eq!(raw.outcome("apps.create", app).await?, "ok");
    raw.call("session.lock", json!({})).await?;
    let wrong = raw.call("session.unlock", json!({"pin": "29572"})).await?;
    assert_eq!(wrong["error"]["data"]["attempts_left"], 8);
    alice.stop().await;

    let mut found = BTreeSet::new();
    files(&alice.state_dir, &alice.state_dir, &mut found)?;
    // Ciphertext under the attachment's own key, which is in the database; the name is random.
    let attachments = found
        .iter()
        .filter(|name| name.starts_with("account/attachments/"));
    assert_eq!(attachments.count(), 1);
    found.retain(|name| {
        !name.starts_with("keystore/connectd-") && !name.starts_with("account/attachments/")
    });
    let named = [
        "account/apps.json",
        "account/attempts.json",
        "account/keys.sealed",
        "account/messages.db",
        "lock",
    ];
    assert_eq!(found, BTreeSet::from(named.map(str::to_owned)));

    // Read while the keys are closed, so no key of the account can seal it: ids, scopes, uids and hashes of random tokens.
    let apps = std::fs::read(alice.state_dir.join("account/apps.json"))?;
    let apps: Vec<Value> = serde_json::from_slice(&apps)?;
    let fields: Vec<_> = apps[0].as_object().context("an app")?.keys().collect();
    assert_eq!(fields, ["app_id", "scopes", "token_sha256", "uid"]);
    let attempts = std::fs::read_to_string(alice.state_dir.join("account/attempts.json"))?;
    assert!(!attempts.contains("29572"));
    Ok(())
}
