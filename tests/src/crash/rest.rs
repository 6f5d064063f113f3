//! Waits until nothing is under way any more: outboxes, mailboxes, then the events.

use std::time::Duration;

use anyhow::Result;
use tokio::time::Instant;

use super::notebook::Notebook;
use super::record::Complaint;
use super::relay_database::mailboxes;
use super::ward::Ward;

const LOOK_EVERY: Duration = Duration::from_millis(100);
/// In looks.
const TELL_EVERY: u32 = 20;

/// Returns what did not come to rest in time; nothing where everything did.
pub(super) async fn come_to_rest(
    ward: &Ward,
    notebook: &Notebook,
    within: Duration,
    tell: &impl Fn(&str),
) -> Result<Vec<Complaint>> {
    let deadline = Instant::now() + within;
    let mut looks: u32 = 0;
    loop {
        let restless = look(ward, notebook).await?;
        if restless.is_empty() || Instant::now() >= deadline {
            return Ok(restless);
        }
        looks += 1;
        if looks.is_multiple_of(TELL_EVERY) {
            let Complaint { user, what } = &restless[0];
            tell(&format!("not at rest yet: {user}: {what}"));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// In the order in which a message travels, so that none slips past between two looks.
async fn look(ward: &Ward, notebook: &Notebook) -> Result<Vec<Complaint>> {
    let mut restless = Vec::new();
    let mut complain = |user: &str, what: String| {
        restless.push(Complaint {
            user: user.to_owned(),
            what,
        });
    };
    for member in &ward.members {
        match member.client.health().await {
            Ok(health) if !health.relay.reachable => {
                complain(&member.user, "does not reach the relay".to_owned());
            }
            Ok(health) if health.outbox.queued + health.outbox.held == 0 => {}
            Ok(health) => {
                let (queued, held) = (health.outbox.queued, health.outbox.held);
                complain(&member.user, format!("{queued} queued, {held} held"));
            }
            Err(error) => complain(&member.user, format!("health: {error}")),
        }
    }
    for (user, lying) in mailboxes(&ward.relay_database()).await? {
        if lying > 0 {
            complain(&user, format!("{lying} lie in the mailbox"));
        }
    }
    for member in &ward.members {
        let followed = notebook.last_event(&member.user);
        match member.client.health().await {
            Ok(health) if health.events.last_event_id == followed => {}
            Ok(health) => {
                let newest = health.events.last_event_id;
                let what = format!("followed to event {followed} of {newest}");
                complain(&member.user, what);
            }
            Err(error) => complain(&member.user, format!("health: {error}")),
        }
    }
    Ok(restless)
}
