//! Watches over the disk: tries whether what failed works again, and has the whole file looked at where there is reason to.

use std::sync::Arc;
use std::time::Duration;

use connect_store::condition::{Integrity, Trouble};
use connect_store::integrity;

use crate::unlocked::Unlocked;

/// Between two tries, while something fails.
const PERIOD: Duration = Duration::from_secs(2);

pub(crate) async fn run(unlocked: Arc<Unlocked>) {
    tokio::select! {
        () = unlocked.ending.cancelled() => {}
        () = watch(&unlocked) => {}
    }
}

async fn watch(unlocked: &Unlocked) {
    let condition = unlocked.store.condition();
    if unlocked.store.was_unclean() {
        tracing::info!("the database was not closed cleanly: all of it is checked");
        check(unlocked).await;
    }
    loop {
        let trouble = condition.trouble().await;
        while tried(unlocked).await.is_err() {}
        unlocked.outbox_wake.notify_one();
        // A disk that failed once may have kept something else than it was given.
        if trouble == Trouble::Failed && condition.state().integrity != Integrity::Damaged {
            check(unlocked).await;
        }
    }
}

async fn tried(unlocked: &Unlocked) -> Result<(), connect_store::error::StoreError> {
    tokio::time::sleep(PERIOD).await;
    unlocked.store.probe().await
}

async fn check(unlocked: &Unlocked) {
    match integrity::check(&unlocked.store).await {
        Ok(integrity) => tracing::info!(?integrity, "the database was checked"),
        Err(error) => tracing::warn!(%error, "the database was not checked"),
    }
}
