//! The copy of the paired apps that lies beside the database: ids, scopes and hashes, no names and no tokens.

use std::io;
use std::path::Path;

use connect_core::token::TokenDigest;
use connect_store::apps::App;
use connect_vault::disk;
use serde::{Deserialize, Serialize};

use super::door::Door;

/// Far more than all apps take.
const MAX_FILE: u64 = 1 << 20;

#[derive(Serialize, Deserialize)]
struct Entry {
    app_id: String,
    scopes: Vec<String>,
    uid: Option<u32>,
    token_sha256: String,
}

/// None where there is no file.
pub(super) fn read(path: &Path) -> io::Result<Vec<Door>> {
    let content = match disk::read(path, MAX_FILE) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
        Ok(content) => content.ok_or(io::ErrorKind::InvalidData)?,
    };
    let entries: Vec<Entry> =
        serde_json::from_slice(&content).map_err(|_| io::ErrorKind::InvalidData)?;
    entries.into_iter().map(door).collect()
}

fn door(entry: Entry) -> io::Result<Door> {
    let app_id = entry
        .app_id
        .parse()
        .map_err(|_| io::ErrorKind::InvalidData)?;
    let mut digest = [0; 32];
    hex::decode_to_slice(&entry.token_sha256, &mut digest)
        .map_err(|_| io::ErrorKind::InvalidData)?;
    let digest = TokenDigest::from_bytes(digest);
    Ok(Door::new(app_id, entry.scopes, entry.uid, digest))
}

pub(super) fn write(path: &Path, apps: &[App]) -> io::Result<()> {
    let entries: Vec<Entry> = apps
        .iter()
        .filter_map(|app| {
            Some(Entry {
                app_id: app.app_id.to_string(),
                scopes: app.scopes.clone(),
                uid: app.uid,
                token_sha256: hex::encode(app.digest?.as_bytes()),
            })
        })
        .collect();
    let content = serde_json::to_vec(&entries)?;
    if entries.is_empty() && !path.exists() {
        return Ok(());
    }
    // Most unlocks change nothing.
    if disk::read(path, MAX_FILE).is_ok_and(|old| old.is_some_and(|old| *old == content)) {
        return Ok(());
    }
    disk::replace(path, &content)
}
