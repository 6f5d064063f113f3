//! Rotation (§5.1): new keys are durable before the relay is asked, and in force once it has answered.
//!
//! What a crash or a lost answer leaves is taken up again, with the same bundle: at the next unlock, with the next call,
//! or when the relay is back. Neither the old keys nor the new ones are lost on the way.

use std::sync::Arc;

use connect_core::secret::LocalFileKey;
use connect_points::{Point, pass};
use connect_proto::bundle::{self, Bundle};
use connect_proto::sign::SignSecretKey;
use connect_proto::{codec, wire};
use connect_store::account::{self, Account};
use connect_store::outbox;
use connect_store::own_bundles::{self, Stage};
use connect_uplink::backoff::Backoff;
use connect_uplink::error::UplinkError;
use connect_uplink::own::RotateOutcome;
use connect_vault::keys::NextKeys;
use connect_vault::vault::{Vault, VaultError};

use crate::chance::Chance;
use crate::error::Error;
use crate::journal::Journal;
use crate::opening::from_vault;
use crate::own::{Identity, OwnBox};
use crate::rotation::Next;
use crate::unlocked::Unlocked;

/// Puts new keys in force, or goes on with a rotation that was cut off.
pub async fn rotate(unlocked: &Arc<Unlocked>) -> Result<(), Error> {
    let mut next = unlocked.rotation.turn().await;
    if next.as_ref().is_none_or(|next| next.bundle.is_none()) {
        begin(unlocked, &mut next).await?;
    }
    let outcome = go_on(unlocked, &mut next).await;
    if outcome.is_err() && unlocked.rotation.is_under_way() {
        unlocked.rotation.hurry();
    }
    outcome
}

/// Goes on with what was cut off, until it has come to an end.
pub(crate) async fn run(unlocked: Arc<Unlocked>) {
    let mut backoff = Backoff::new();
    loop {
        tokio::select! {
            () = unlocked.ending.cancelled() => return,
            () = unlocked.rotation.is_hurried() => {}
        }
        while unlocked.rotation.is_under_way() {
            let going_on = async {
                let mut next = unlocked.rotation.turn().await;
                go_on(&unlocked, &mut next).await
            };
            let Err(error) = going_on.await else {
                tracing::info!("a rotation that was cut off has come to its end");
                break;
            };
            let pause = backoff.next_delay(&mut unlocked.chance.clone());
            tracing::warn!(%error, pause_ms = pause.as_millis(), "a rotation has not come to its end yet");
            unlocked.note_storage(error);
            // The relay's answer to this very turn is no reason to hurry.
            tokio::select! {
                () = unlocked.ending.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
        backoff.reset();
    }
}

/// Keys in the vault, then a bundle in the database: the relay is not asked before both are durable.
async fn begin(unlocked: &Unlocked, next: &mut Option<Next>) -> Result<(), Error> {
    let me = unlocked.me();
    let before = me.bundle.as_deref().ok_or(Error::Internal("own bundle"))?;
    let made = match next.take() {
        Some(made) => made,
        None => make(unlocked).await?,
    };
    *next = Some(made.clone());
    pass(Point::BeforeRotationBundle)?;
    let bundle = following(&me, before, &made, unlocked.clock.now_ms())?;
    let mut tx = unlocked.store.begin().await?;
    own_bundles::put(&mut tx, Stage::Next, &codec::encode(&bundle)).await?;
    tx.commit().await?;
    *next = Some(Next {
        bundle: Some(bundle),
        ..made
    });
    unlocked.rotation.has_begun();
    Ok(())
}

async fn make(unlocked: &Unlocked) -> Result<Next, Error> {
    let keys = NextKeys::generate(&mut unlocked.chance.clone());
    let keys = in_vault(unlocked, move |vault, under, mut rng| {
        vault.add_next(under, &keys, &mut rng).map(|()| keys)
    });
    Ok(Next::new(keys.await?, None))
}

/// The next bundle of the same installation, countersigned by the key that is in force (D10).
fn following(
    me: &Identity,
    before: &wire::SignedKeyBundle,
    next: &Next,
    now_ms: u64,
) -> Result<wire::SignedKeyBundle, Error> {
    let last = bundle::open(before).map_err(|_| Error::Internal("own bundle"))?;
    let bundle = Bundle {
        box_key: next.boxed.public,
        sign_key: next.sign_key.public_key(),
        created_ms: now_ms,
        revision: last.revision + 1,
        previous_digest: Some(bundle::digest(before)),
        ..last
    };
    Ok(bundle::sign(&bundle, &next.sign_key, Some(me.sign_key())))
}

/// Asks the relay, and does what follows from its answer.
async fn go_on(unlocked: &Arc<Unlocked>, next: &mut Option<Next>) -> Result<(), Error> {
    let Some(Next {
        boxed,
        sign_key,
        bundle: Some(bundle),
    }) = next.clone()
    else {
        return Ok(());
    };
    if unlocked.dismissed.borrow().is_some() {
        return Err(Error::Revoked);
    }
    pass(Point::BeforeRotate)?;
    let me = unlocked.me();
    let outcome = match post(unlocked, &me, me.sign_key(), &bundle).await {
        // The relay may have them in force since an earlier call.
        Err(Asked::Failed(UplinkError::Unauthorized)) => {
            post(unlocked, &me, &sign_key, &bundle).await
        }
        answered => answered,
    };
    match outcome {
        Ok(RotateOutcome::Rotated(entry)) if is_newest(&entry, &bundle) => {}
        Ok(RotateOutcome::Rotated(_)) => return Err(Error::RelayRefused),
        Ok(RotateOutcome::Refused) => {
            give_up(unlocked, next).await?;
            return Err(Error::RelayRefused);
        }
        Err(Asked::Failed(UplinkError::Unauthorized)) => {
            // Neither the old key nor the new one: where the relay has signed that, the installation is at its end.
            let revoked = unlocked.follow_dismissal(Some(bundle::digest(&bundle)));
            return Err(if revoked {
                Error::Revoked
            } else {
                Error::RelayRefused
            });
        }
        Err(Asked::Failed(error)) => return Err(error.into()),
        Err(Asked::Locked) => return Err(Error::Locked),
    }
    pass(Point::AfterRotateBeforeVault)?;
    let before = Arc::clone(&me);
    in_vault(unlocked, move |vault, under, mut rng| {
        vault.promote_next(under, before.boxed().secret(), &mut rng)
    })
    .await?;
    pass(Point::AfterVaultBeforeAccount)?;
    put_in_force(unlocked, boxed, sign_key, bundle).await?;
    *next = None;
    Ok(())
}

enum Asked {
    Failed(UplinkError),
    Locked,
}

async fn post(
    unlocked: &Unlocked,
    me: &Identity,
    sign_key: &SignSecretKey,
    bundle: &wire::SignedKeyBundle,
) -> Result<RotateOutcome, Asked> {
    let now_ms = unlocked.clock.now_ms();
    let mut chance = unlocked.chance.clone();
    let credentials = me.credentials_under(sign_key);
    tokio::select! {
        () = unlocked.ended() => Err(Asked::Locked),
        outcome = unlocked.uplink.rotate(credentials, now_ms, &mut chance, bundle) => outcome.map_err(Asked::Failed),
    }
}

fn is_newest(entry: &wire::DirectoryEntry, bundle: &wire::SignedKeyBundle) -> bool {
    entry.keys.first().is_some_and(|key| {
        key.state() == wire::KeyState::KeyActive && key.bundle.as_ref() == Some(bundle)
    })
}

/// The relay does not take this bundle and never will.
async fn give_up(unlocked: &Unlocked, next: &mut Option<Next>) -> Result<(), Error> {
    let mut tx = unlocked.store.begin().await?;
    own_bundles::remove_next(&mut tx).await?;
    tx.commit().await?;
    *next = None;
    unlocked.rotation.has_ended();
    in_vault(unlocked, |vault, _, _| vault.drop_next()).await
}

/// From here on calls are signed with the new key, and what has not gone out yet is sealed under it.
async fn put_in_force(
    unlocked: &Arc<Unlocked>,
    boxed: Arc<OwnBox>,
    sign_key: Arc<SignSecretKey>,
    bundle: wire::SignedKeyBundle,
) -> Result<(), Error> {
    let me = unlocked.me();
    let account = Account {
        box_key: boxed.public,
        sign_key: sign_key.public_key(),
        ..me.account.clone()
    };
    let mut journal = Journal::begin(unlocked).await?;
    let now_ms = journal.now_ms();
    account::put(journal.tx(), &account).await?;
    own_bundles::put(journal.tx(), Stage::Current, &codec::encode(&bundle)).await?;
    own_bundles::remove_next(journal.tx()).await?;
    own_bundles::note_retired(journal.tx(), &me.boxed().public, now_ms).await?;
    outbox::reseal_all(journal.tx()).await?;
    journal.afterwards(move |unlocked| {
        let rotated = me.rotated(account, bundle, sign_key, boxed, now_ms);
        unlocked.identity.send_replace(Arc::new(rotated));
        // Not before: who finds no rotation under way looks at the keys that are in force.
        unlocked.rotation.has_ended();
        unlocked.outbox_wake.notify_one();
    });
    Ok(journal.commit().await?)
}

/// Files and derivations block.
async fn in_vault<T: Send + 'static>(
    unlocked: &Unlocked,
    what: impl FnOnce(&Vault, &LocalFileKey, Chance) -> Result<T, VaultError> + Send + 'static,
) -> Result<T, Error> {
    let vault = Arc::clone(&unlocked.vault);
    let keys = Arc::clone(&unlocked.keys);
    let rng = unlocked.chance.clone();
    let done = tokio::task::spawn_blocking(move || {
        what(&vault, &keys.local_file_key, rng).map_err(|error| from_vault(error, "pin"))
    });
    done.await
        .map_err(|_| Error::Internal("writing the sealed keys ended early"))?
}
