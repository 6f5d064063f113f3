//! From opened keys and the database to who the account is: what a rotation left half done is put right first.

use std::collections::BTreeMap;
use std::sync::Arc;

use connect_proto::{bundle, codec, wire};
use connect_store::account::{self, Account};
use connect_store::database::Store;
use connect_store::own_bundles::{self, Stage};
use connect_store::{enrollment, outbox};
use connect_vault::keys::Keys;

use crate::error::Error;
use crate::own::{Identity, LastingKeys};
use crate::rotation::Next;

pub(crate) struct Opened {
    pub(crate) identity: Identity,
    pub(crate) keys: LastingKeys,
    /// A rotation has begun, and the relay may know of it.
    pub(crate) next: Option<Next>,
}

pub(crate) async fn assemble(store: &Store, keys: Keys, now_ms: u64) -> Result<Opened, Error> {
    let mut account = account::find(store)
        .await?
        .ok_or(Error::StorageFailed("account"))?;
    let mut next_bundle = read(own_bundles::find(store, Stage::Next).await?)?;
    if let Some(signed) = &next_bundle
        && let Ok(opened) = bundle::open(signed)
        && opened.box_key == keys.box_key.public_key()
    {
        account = finish(store, account, signed, &opened, now_ms).await?;
        next_bundle = None;
    }
    let retired_ms = own_bundles::list_retired(store).await?;
    let retired_ms: BTreeMap<_, _> = retired_ms.into_iter().collect();
    Ok(Opened {
        identity: Identity::new(
            current(store, &account).await?,
            account,
            keys.sign_key,
            keys.box_key,
            keys.retired,
            &retired_ms,
        ),
        next: keys.next.map(|next| Next::new(next, next_bundle)),
        keys: LastingKeys {
            database_key: keys.database_key,
            local_file_key: keys.local_file_key,
        },
    })
}

/// The vault had got further than the database: the relay had answered.
async fn finish(
    store: &Store,
    before: Account,
    signed: &wire::SignedKeyBundle,
    opened: &bundle::Bundle,
    now_ms: u64,
) -> Result<Account, Error> {
    let account = Account {
        box_key: opened.box_key,
        sign_key: opened.sign_key,
        ..before.clone()
    };
    let mut tx = store.begin().await?;
    account::put(&mut tx, &account).await?;
    own_bundles::put(&mut tx, Stage::Current, &codec::encode(signed)).await?;
    own_bundles::remove_next(&mut tx).await?;
    own_bundles::note_retired(&mut tx, &before.box_key, now_ms).await?;
    outbox::reseal_all(&mut tx).await?;
    tx.commit().await?;
    Ok(account)
}

/// The bundle in force. A database from before they were kept has it in the request that it enrolled with.
async fn current(
    store: &Store,
    account: &Account,
) -> Result<Option<Arc<wire::SignedKeyBundle>>, Error> {
    let kept = match read(own_bundles::find(store, Stage::Current).await?)? {
        Some(kept) => Some(kept),
        None => enrollment::find_pending(store)
            .await?
            .and_then(|request| codec::decode::<wire::EnrollRequest>(&request).ok()?.bundle),
    };
    let is_ours = |signed: &wire::SignedKeyBundle| {
        bundle::open(signed).is_ok_and(|bundle| bundle.box_key == account.box_key)
    };
    Ok(kept.filter(is_ours).map(Arc::new))
}

fn read(kept: Option<Vec<u8>>) -> Result<Option<wire::SignedKeyBundle>, Error> {
    kept.map(|kept| codec::decode(&kept))
        .transpose()
        .map_err(|_| Error::StorageFailed("own bundle"))
}
