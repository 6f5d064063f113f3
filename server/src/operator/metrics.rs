//! What Prometheus may see of a relay: numbers, and no user.

use std::fmt::Write as _;

use crate::http::App;
use crate::store::figures::{self, Figures};

pub(super) async fn read(app: &App) -> Result<Figures, sqlx::Error> {
    figures::read(app.store.readers()).await
}

/// The text format of Prometheus.
pub(super) async fn text(app: &App) -> Result<String, sqlx::Error> {
    let figures = read(app).await?;
    let mut text = String::new();
    let users = [
        ("{state=\"active\"}", figures.active),
        ("{state=\"without_key\"}", figures.without_key),
        ("{state=\"deleted\"}", figures.deleted),
    ];
    family(&mut text, "users", "gauge", "Users by state.", &users);
    let waiting = app.wakes.waiting() as u64;
    for (name, help, value) in [
        (
            "users_attested",
            "Users whose profile an operator checked.",
            figures.attested,
        ),
        (
            "mailbox_messages",
            "Envelopes that wait in all mailboxes.",
            figures.messages,
        ),
        ("mailbox_bytes", "Their size.", figures.bytes),
        (
            "mailbox_ephemerals",
            "Typing that waits.",
            figures.ephemerals,
        ),
        ("long_polls", "Receives that wait for news.", waiting),
        (
            "operator_proposals",
            "Revocations that wait for a second operator.",
            figures.proposals,
        ),
        (
            "operator_log_entries",
            "Entries of the operators' log.",
            figures.log_entries,
        ),
        (
            "attachments",
            "Attachments, unfinished ones included.",
            figures.attachments,
        ),
        (
            "attachments_to_remove",
            "Attachments that nobody finds any more, and whose chunks are still to be removed.",
            figures.attachments_to_remove,
        ),
        (
            "chunk_bytes",
            "What their chunks take.",
            figures.chunk_bytes,
        ),
        (
            "chunk_transfers",
            "Chunks on their way, in and out.",
            app.transfers.running() as u64,
        ),
    ] {
        family(&mut text, name, "gauge", help, &[("", value)]);
    }
    let help = "Chunks that were not where the database says.";
    let missing = [("", app.chunks.missing())];
    family(&mut text, "chunks_missing_total", "counter", help, &missing);
    let answered: Vec<(String, u64)> = app
        .counters
        .read()
        .map(|(path, kind, count)| (format!("{{path=\"{path}\",status=\"{kind}\"}}"), count))
        .collect();
    let help = "Requests by path and kind of answer.";
    family(&mut text, "requests_total", "counter", help, &answered);
    Ok(text)
}

fn family(
    text: &mut String,
    name: &str,
    kind: &str,
    help: &str,
    values: &[(impl AsRef<str>, u64)],
) {
    // Writing into a string does not fail.
    let _ = writeln!(
        text,
        "# HELP connect_relay_{name} {help}\n# TYPE connect_relay_{name} {kind}"
    );
    for (labels, value) in values {
        let _ = writeln!(text, "connect_relay_{name}{} {value}", labels.as_ref());
    }
}
