//! A client that follows a user's events line by line, from its own cursor, and drops nothing that it is told.
//!
//! Not `connect-client`'s stream: that one leaves out what it has seen, and would hide a daemon that repeats itself.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use connect_api::events::{Event, NOTIFICATION, SUBSCRIBE};
use serde::Deserialize as _;
use serde_json::json;

use super::notebook::Notebook;
use crate::raw::Raw;

/// Between two attempts to subscribe: the daemon is dead or locked.
const PAUSE: Duration = Duration::from_millis(20);

/// Until it is dropped.
pub(super) async fn follow(socket: &Path, user: &str, notebook: Arc<Notebook>) {
    loop {
        // Whatever ended the connection, the next one starts after the last event that was read.
        let _ = one_connection(socket, user, &notebook).await;
        tokio::time::sleep(PAUSE).await;
    }
}

async fn one_connection(socket: &Path, user: &str, notebook: &Notebook) -> Result<()> {
    let mut raw = Raw::connect(socket).await?;
    let after = notebook.last_event(user);
    raw.ask(SUBSCRIBE, json!({ "after": after })).await?;
    while let Some(line) = raw.line().await? {
        if line["method"] == NOTIFICATION {
            let event = Event::deserialize(&line["params"]["result"])?;
            notebook.note_event(user, event);
        } else if line.get("error").is_some() {
            break;
        }
    }
    Ok(())
}
