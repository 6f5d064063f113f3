//! Reads everything that a daemon tells of itself once it is at rest.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use connect_api::conversation::Conversation;
use connect_api::events::{Event, List, ListParams};
use connect_api::messages::{self, Message};
use connect_api::page::MAX_LIMIT;
use connect_client::client::Client;
use connect_proto::hash::sha256;
use tokio::time::Instant;

use super::notebook::Notebook;
use super::record::{Entry, Record, Told};
use super::ward::{Member, Ward};

/// How long the follower may be behind, and how often that is looked at.
const CATCH_UP: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(50);

/// All but the mailboxes, and what went wrong with the processes.
pub(super) async fn collect(ward: &Ward, notebook: &Notebook) -> Result<Record> {
    let mut told = BTreeMap::new();
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
        let (log, followed) = events(member, notebook).await?;
        let told_by_it = Told {
            followed,
            log,
            histories,
            queued: health.outbox.queued,
            held: health.outbox.held,
            missing: health.inbox.missing,
            quarantined: health.inbox.quarantined,
        };
        told.insert(member.user.clone(), told_by_it);
    }
    let pages = notebook.read();
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

/// The kept log and the followed one, of the same moment: a daemon at rest may still tell of its relay.
async fn events(member: &Member, notebook: &Notebook) -> Result<(Vec<Event>, Vec<Event>)> {
    let deadline = Instant::now() + CATCH_UP;
    loop {
        let kept = log(&member.client).await?;
        let followed = notebook.followed(&member.user);
        let last = |events: &[Event]| events.last().map(|event| event.event_id);
        if last(&kept) == last(&followed) || Instant::now() >= deadline {
            return Ok((kept, followed));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn log(client: &Client) -> Result<Vec<Event>> {
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let params = ListParams {
            after,
            limit: Some(MAX_LIMIT),
        };
        let page = client.call::<List>(params).await?;
        all.extend(page.items);
        after = page.next;
        if after.is_none() {
            return Ok(all);
        }
    }
}
