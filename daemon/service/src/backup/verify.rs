//! Looks whether a backup would restore: it is restored into a scratch place, compared and removed, and nothing else happens.

use connect_store::audit::Verdict;

use super::format::Manifest;
use super::receive::Incoming;
use crate::error::Error;

#[derive(Debug)]
pub struct Verified {
    pub user_id: String,
    pub manifest: Manifest,
    pub audit: Verdict,
}

pub async fn verify(incoming: Incoming) -> Result<Verified, Error> {
    let staged = incoming.finish().await?;
    let (store, found) = staged.open().await?;
    store.close().await;
    Ok(Verified {
        user_id: found.account.user_id.to_string(),
        manifest: staged.manifest,
        audit: found.audit,
    })
}
