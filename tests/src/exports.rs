//! Exports as a client fetches them, and what others than we find in them.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use connect_api::bytes::{Moment, Ticket};
use connect_api::conversation::Conversation;
use connect_api::conversations::{Export, ExportConversation, ExportFormat, ExportParams};
use connect_client::client::Client;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::python::Answerer;

/// With a daemon that does not end.
const PATIENCE: Duration = Duration::from_mins(1);

/// An export that was fetched as a whole.
#[derive(Debug, Clone)]
pub struct Fetched {
    pub text: String,
    pub taken_at: Moment,
}

pub fn all_of(conversation: Conversation, format: ExportFormat) -> ExportParams {
    ExportParams {
        conversation,
        format,
        from_ms: None,
        to_ms: None,
        files_up_to_bytes: None,
    }
}

pub async fn ask(client: &Client, params: ExportParams) -> Result<Export> {
    Ok(client.call::<ExportConversation>(params).await?)
}

pub async fn export(client: &Client, params: ExportParams) -> Result<Fetched> {
    let export = ask(client, params).await?;
    fetch(client, export.ticket).await
}

/// Reads to the end of the stream: exactly what was announced.
pub async fn fetch(client: &Client, ticket: Ticket) -> Result<Fetched> {
    let fetching = async {
        let mut stream = client.redeem(ticket).await?;
        let begun = stream.begun().clone();
        let size = begun.size.context("a size")?;
        let mut bytes = Vec::new();
        let mut piece = vec![0; 64 << 10];
        loop {
            let read = stream.read(&mut piece).await?;
            if read == 0 {
                break;
            }
            bytes.extend_from_slice(&piece[..read]);
        }
        ensure!(
            bytes.len() as u64 == size,
            "{} of {size} bytes",
            bytes.len()
        );
        Ok(Fetched {
            text: String::from_utf8(bytes)?,
            taken_at: begun.taken_at.context("a moment")?,
        })
    };
    timeout(PATIENCE, fetching).await?
}

/// HL7's schema, and a parser of HTML.
#[derive(Debug)]
pub struct Judge(Answerer);

impl Judge {
    pub fn start() -> Self {
        Self(Answerer::start_with_fhir("exports.py"))
    }

    /// What is wrong with a bundle; nothing where it is one.
    pub fn wrong_with(&mut self, bundle: &str) -> Result<Vec<String>> {
        let answer = self.0.ask(&json!({"fhir": bundle}));
        Ok(serde_json::from_value(answer["wrong"].clone())?)
    }

    /// What a page consists of.
    pub fn page(&mut self, text: &str) -> Value {
        self.0.ask(&json!({"html": text}))
    }
}

/// The resources of a kind, in their order.
pub fn resources<'b>(bundle: &'b Value, kind: &str) -> Vec<&'b Value> {
    let entries = bundle["entry"].as_array().into_iter().flatten();
    let all = entries.map(|entry| &entry["resource"]);
    all.filter(|resource| resource["resourceType"] == kind)
        .collect()
}
