//! The second half of a deletion: the chunks of what nobody finds any more go first, then the rows that name them.

use super::SweepError;
use crate::http::App;
use crate::store::withdrawal::{self, Forget};

/// Removes what was deleted or has expired. What cannot be removed stays known, and is tried again with the next sweep.
pub(super) async fn run(app: &App) -> Result<(), SweepError> {
    let mut last = None;
    while !app.stopping.is_cancelled() {
        let Some(attachment) = withdrawal::next(app.store.readers(), last).await? else {
            break;
        };
        last = Some(attachment);
        let names = withdrawal::chunks(app.store.readers(), attachment).await?;
        match app.chunks.remove(names).await {
            Ok(()) => app.store.change(None, Forget { attachment }).await?,
            Err(error) => {
                tracing::warn!(%error, "the chunks of an attachment are still to be removed");
            }
        }
    }
    Ok(())
}
