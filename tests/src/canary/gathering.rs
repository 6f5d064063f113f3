//! What a story's daemons kept secret, taken from what they leave; and whether it stands in their files.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use anyhow::Result;
use connect_vault::keys::Keys;
use sqlx::{Connection as _, Row as _};

use super::search::{Finder, SHORTEST, files};
use super::{Kind, note, run};
use crate::at_rest;

const WRITTEN: &str = "what is found is written down";
/// Everything that people write or are called by, in the database.
const COLUMNS: [(Kind, &str); 9] = [
    (Kind::Text, "SELECT text FROM messages"),
    (Kind::Text, "SELECT text FROM versions"),
    (
        Kind::Text,
        "SELECT text FROM early_amendments WHERE text IS NOT NULL",
    ),
    (Kind::Reference, "SELECT client_ref FROM client_refs"),
    (Kind::Name, "SELECT display_name FROM account"),
    (Kind::Name, "SELECT organisation FROM account"),
    (Kind::Name, "SELECT display_name FROM contacts"),
    (Kind::Name, "SELECT organisation FROM contacts"),
    (Kind::Name, "SELECT name FROM apps"),
];

/// At the end of a story, in a canary run: its daemons have stopped.
pub fn gather(story: &Path) {
    let Some(run) = run() else { return };
    let gathered = std::thread::scope(|scope| {
        let thread = scope.spawn(|| -> Result<Vec<String>> {
            let runtime = tokio::runtime::Builder::new_current_thread().build()?;
            runtime.block_on(look_through(story))
        });
        thread.join()
    });
    match gathered {
        Ok(Ok(found)) => {
            for what in found {
                run.found(story, &what).expect(WRITTEN);
            }
        }
        Ok(Err(error)) => run
            .found(story, &format!("not looked through: {error}"))
            .expect(WRITTEN),
        Err(_) => run.found(story, "not looked through").expect(WRITTEN),
    }
}

async fn look_through(story: &Path) -> Result<Vec<String>> {
    let mut secrets = BTreeSet::new();
    for entry in std::fs::read_dir(story)? {
        let state_dir = entry?.path();
        if state_dir.join("account/keys.sealed").is_file() {
            secrets.extend(of_files(&state_dir)?);
            // One whose PIN was changed stays closed.
            if let Ok(keys) = at_rest::keys(&state_dir) {
                secrets.extend(of_keys(&keys));
                secrets.extend(of_database(&state_dir).await?);
            }
        }
    }
    secrets.retain(|(_, secret)| secret.len() >= SHORTEST);
    for (kind, secret) in &secrets {
        note(*kind, secret);
    }
    let finder = Finder::new(&secrets)?;
    let mut found = Vec::new();
    for path in files(story)? {
        let name = path.strip_prefix(story)?;
        let is_state = name.components().any(|part| {
            ["account", "enrolling", "relay"]
                .map(Some)
                .contains(&part.as_os_str().to_str())
        });
        if !is_state {
            continue;
        }
        let hits = match finder.search(&path) {
            Ok(hits) => hits,
            // A daemon that still runs has just removed it: it is not left.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error.into()),
        };
        for kind in hits.into_keys() {
            // The relay's directory publishes who someone is.
            if kind != Kind::Name || !name.starts_with("relay") {
                found.push(format!("{} in {}", kind.name(), name.display()));
            }
        }
    }
    Ok(found)
}

fn of_files(state_dir: &Path) -> Result<Vec<(Kind, Vec<u8>)>> {
    let mut secrets = Vec::new();
    for path in files(&state_dir.join("keystore"))? {
        secrets.push((Kind::KeystoreSecret, std::fs::read(path)?));
    }
    Ok(secrets)
}

fn of_keys(keys: &Keys) -> [(Kind, Vec<u8>); 5] {
    [
        (Kind::Pin, at_rest::PIN.as_bytes().to_vec()),
        (Kind::Key, keys.box_key.expose().to_vec()),
        (Kind::Key, keys.sign_key.expose_seed().to_vec()),
        (Kind::Key, keys.database_key.expose().to_vec()),
        (Kind::Key, keys.local_file_key.expose().to_vec()),
    ]
}

async fn of_database(state_dir: &Path) -> Result<Vec<(Kind, Vec<u8>)>> {
    let mut secrets = Vec::new();
    // One that a story has damaged gives what it still can.
    let Ok(mut sql) = at_rest::sql(state_dir).await else {
        return Ok(secrets);
    };
    for (kind, query) in COLUMNS {
        match sqlx::query(query).fetch_all(&mut sql).await {
            Ok(rows) => {
                for row in rows {
                    secrets.push((kind, row.try_get::<String, _>(0)?.into_bytes()));
                }
            }
            Err(error) if error.to_string().contains("no such") => return Err(error.into()),
            Err(_) => {}
        }
    }
    sql.close().await.ok();
    Ok(secrets)
}
