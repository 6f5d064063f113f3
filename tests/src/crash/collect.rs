//! Reads everything that a daemon tells of itself once it is at rest.

use std::collections::BTreeMap;

use anyhow::Result;
use connect_api::conversation::Conversation;
use connect_api::events::{self, Event};
use connect_api::messages::{self, Message};
use connect_api::page::MAX_LIMIT;
use connect_client::client::Client;
use connect_proto::hash::sha256;

use super::notebook::Pages;
use super::record::{Entry, Record, Told};
use super::ward::Ward;

/// All but the mailboxes, and what went wrong with the processes.
pub(super) async fn collect(ward: &Ward, pages: Pages) -> Result<Record> {
    let mut told = BTreeMap::new();
    let mut followed = pages.followed;
    for member in &ward.members {
        let mut histories = BTreeMap::new();
        for other in ward
            .members
            .iter()
            .filter(|other| other.user != member.user)
        {
            let history = history(&member.client, other.conversation()).await?;
            histories.insert(other.user.clone(), history);
        }
        let health = member.client.health().await?;
        let told_by_it = Told {
            followed: followed.remove(&member.user).unwrap_or_default(),
            log: log(&member.client).await?,
            histories,
            queued: health.outbox.queued,
            held: health.outbox.held,
            missing: health.inbox.missing,
            quarantined: health.inbox.quarantined,
        };
        told.insert(member.user.clone(), told_by_it);
    }
    Ok(Record {
        attempted: pages.attempted,
        answers: pages.answers,
        told,
        refused: pages.refused,
        ..Record::default()
    })
}

/// Oldest first.
async fn history(client: &Client, conversation: Conversation) -> Result<Vec<Entry>> {
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let params = messages::ListParams {
            conversation: conversation.clone(),
            before: None,
            after,
            limit: Some(MAX_LIMIT),
        };
        let page = client.call::<messages::List>(params).await?;
        all.extend(page.items.into_iter().map(entry));
        after = page.next;
        if after.is_none() {
            all.reverse();
            return Ok(all);
        }
    }
}

fn entry(message: Message) -> Entry {
    Entry {
        content: sha256(message.text.as_bytes()),
        message_id: message.message_id,
        author: message.author,
        outgoing: message.outgoing,
        state: message.state,
    }
}

async fn log(client: &Client) -> Result<Vec<Event>> {
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let params = events::ListParams {
            after,
            limit: Some(MAX_LIMIT),
        };
        let page = client.call::<events::List>(params).await?;
        all.extend(page.items);
        after = page.next;
        if after.is_none() {
            return Ok(all);
        }
    }
}
