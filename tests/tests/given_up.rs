//! A caller that leaves in the middle of a send: what became durable is told all the same, and what did not is not.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use anyhow::{Context as _, Result};
use connect_service::chance::Chance;
use connect_service::clock::Clock;
use connect_service::enroll::{self, enroll};
use connect_service::send::{self, send};
use connect_service::session::{Config, Locking, Session};
use connect_service::{contacts, events};
use connect_store::conversations::Conversation;
use connect_tests::world::World;
use connect_vault::keystore::Keystore;
use connect_vault::vault::KdfCost;

const SOON: Duration = Duration::from_mins(1);

async fn session(world: &World, name: &str) -> Result<Arc<Session>> {
    let state_dir = world.path().join(name);
    std::fs::create_dir_all(&state_dir)?;
    let config = Config {
        keystore: Keystore::File {
            directory: state_dir.join("keystore"),
        },
        state_dir,
        kdf_cost: KdfCost::for_tests(),
        locking: Locking::default(),
    };
    let session = Arc::new(Session::new(config, Clock::system(), Chance::system()));
    let params = world.enrollment(name).await?;
    let request = enroll::Request {
        relay_url: params.relay_url,
        relay_pins: params.relay_pins,
        relay_ca_pem: params.relay_ca_pem,
        code: params.enrollment_code.0.into(),
        user_id: name.parse()?,
        display_name: params.display_name,
        profession: params.profession,
        organisation: params.organisation,
        pin: params.pin.into_inner().into(),
        recovery_key: None,
        replace_existing_installation: false,
    };
    enroll(&session, request).await?;
    Ok(session)
}

/// Polls a future so often, as it is woken, and then drops it.
async fn poll_and_leave<T>(future: impl Future<Output = T>, polls: usize) -> Option<T> {
    let mut future = pin!(future);
    let mut left = polls;
    std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            // The last poll is followed by the drop at once, while what it began is under way.
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_durable_is_told_wherever_its_caller_left() -> Result<()> {
    let world = World::new().await?;
    world.person("bob").await?;
    let session = session(&world, "alice").await?;
    let unlocked = session.unlocked()?;
    contacts::add(&unlocked, &"bob".parse()?).await?;
    let mut finished = 0;
    for polls in 1.. {
        let request = send::Request {
            app: "owner".to_owned(),
            conversation: Conversation::User("bob".parse()?),
            text: format!("after {polls} polls"),
            attachment: None,
            reply_to: None,
            client_ref: None,
        };
        let sent = poll_and_leave(send(&unlocked, &request), polls).await;
        // The writer is free again only once what was begun is decided.
        contacts::add(&unlocked, &"bob".parse()?).await?;
        let newest = events::list(&unlocked, 0, 500).await?;
        let newest = newest.last().context("an event")?.event_id;
        let mut told = events::follow(&unlocked);
        tokio::time::timeout(SOON, told.wait_for(|told| *told >= newest))
            .await
            .with_context(|| format!("nobody was told, after {polls} polls"))??;
        finished += usize::from(matches!(sent, Some(Ok(_))));
        if finished == 2 {
            break;
        }
    }
    session.shut_down().await;
    Ok(())
}
