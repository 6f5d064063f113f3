//! What was written before somebody joined: brought to the joiner, and taken in there (D16).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use connect_core::case::log;
use connect_core::message::{self, Payload};
use connect_core::refusal::Refusal;
use connect_core::signed::open::{self, Opened, Signer};
use connect_core::standing::Standing;
use connect_proto::ids::{CaseId, UserId};
use connect_store::cases::due::{self, Due};
use connect_store::cases::{self, Case, copying, entries, history, keys};
use connect_store::contacts;
use connect_store::row::MAX_INTEGER;
use zeroize::Zeroizing;

use super::blob;
use super::past::{self, Log, Past};
use super::take::verify;
use crate::casework::{revise, share};
use crate::directory;
use crate::error::Error;
use crate::journal::Journal;
use crate::senders::Senders;
use crate::unlocked::Unlocked;

/// Sends a joiner all that was written before, and every key with it.
pub(super) async fn send(unlocked: &Arc<Unlocked>, due: &Due) -> Result<(), Error> {
    let entries = entries::list(&unlocked.store, due.case).await?;
    let log = Zeroizing::new(log::encode(entries));
    let readers = std::slice::from_ref(&due.user_id);
    let attachment = blob::put(unlocked, &log, readers).await?;
    let mut journal = Journal::begin(unlocked).await?;
    if !due::settle(journal.tx(), due).await? {
        return Ok(());
    }
    let case = cases::find_in(journal.tx(), due.case_id).await?;
    if let Some(case) = case
        && let Some((control, _)) = &case.control
        && control.has(&due.user_id)
    {
        share::queue(&mut journal, &case, control, &due.user_id, Some(attachment)).await?;
        copying::add_due(journal.tx(), case.row, &due.user_id).await?;
        journal.afterwards(|unlocked| unlocked.copies_wake.notify_one());
    }
    Ok(journal.commit().await?)
}

/// Fetches what was written before we joined, and takes it in.
pub(super) async fn fetch(unlocked: &Arc<Unlocked>, case_id: CaseId) -> Result<(), Error> {
    let Some(case) = cases::find(&unlocked.store, case_id).await? else {
        return Ok(());
    };
    let Some(kept) = history::find(&unlocked.store, case.row).await? else {
        return Ok(());
    };
    let Ok(Payload::Attachment(said)) = message::decode(&kept) else {
        return Err(Error::StorageFailed("cases"));
    };
    let Some(bytes) = blob::get(unlocked, &said).await? else {
        tracing::warn!("a history is not what its sender said, or is there no more");
        let mut journal = Journal::begin(unlocked).await?;
        history::end(journal.tx(), case.row, false).await?;
        revise::tell_as_it_is(&mut journal, case_id).await?;
        return Ok(journal.commit().await?);
    };
    let log = open_all(unlocked, &case, &bytes).await?;
    past::take_in(unlocked, case_id, log).await
}

/// Every entry that opens and that its author signed; the others are not shown to anyone.
async fn open_all(unlocked: &Arc<Unlocked>, case: &Case, bytes: &[u8]) -> Result<Log, Error> {
    let entries = log::decode(bytes).unwrap_or_default();
    let length = i64::try_from(entries.len()).unwrap_or(i64::MAX);
    let mut keys_of = BTreeMap::new();
    let mut inside = Vec::with_capacity(entries.len());
    for (sealed, nth) in entries.into_iter().zip(1..) {
        let epoch = sealed.epoch;
        if let std::collections::btree_map::Entry::Vacant(place) = keys_of.entry(epoch) {
            place.insert(keys::find_of(&unlocked.store, case.row, epoch).await?);
        }
        let known = keys_of.get(&epoch).map(Vec::as_slice).unwrap_or_default();
        let outside = open::read_outside(&sealed);
        let opened = outside
            .and_then(|outside| open::decrypt(&outside, known))
            .ok()
            .filter(|_| sealed.case_id == case.case_id.as_bytes());
        if let Some(opened) = opened {
            inside.push((opened, sealed, nth));
        }
    }
    let mine = own_keys(unlocked).await?;
    let authors: BTreeSet<UserId> = inside.iter().map(|(it, ..)| it.sender.clone()).collect();
    let senders = authors_of(unlocked, authors.into_iter().collect()).await?;
    let mut past = Vec::with_capacity(inside.len());
    for (inside, sealed, nth) in inside {
        let at_ms = inside.timestamp_ms;
        let verified = if inside.sender == *unlocked.user_id() {
            match &mine {
                Some(mine) => verify(inside, mine, at_ms),
                None => own(unlocked, inside),
            }
        } else {
            verify(inside, &senders, at_ms)
        };
        match verified {
            Ok(opened) if opened.timestamp_ms.max(opened.sequence) <= MAX_INTEGER => {
                past.push(Past {
                    opened,
                    sealed,
                    nth,
                });
            }
            Ok(_) => {}
            Err(refusal) => {
                tracing::warn!(
                    reason = refusal.name(),
                    "an entry of a history was left out"
                );
            }
        }
    }
    Ok(Log { past, length })
}

/// Every key that this account had, in other installations as well: as the directory has them, where they lead to the present one.
async fn own_keys(unlocked: &Arc<Unlocked>) -> Result<Option<Senders>, Error> {
    let me = unlocked.user_id();
    let entries = crate::contacts::look_up(unlocked, std::slice::from_ref(me)).await?;
    let entry = entries.iter().find(|entry| entry.user_id == me.as_str());
    let followed = entry.map(|entry| directory::follow(entry, None, unlocked.clock.now_ms()));
    let Some(Ok(contact)) = followed else {
        return Ok(None);
    };
    let present = unlocked.me().sign_key().public_key();
    let leads_here = contact
        .keys
        .first()
        .is_some_and(|key| key.sign_key == present);
    Ok(leads_here.then(|| Senders::only(contact)))
}

/// What we wrote ourselves with the present keys, where the directory does not tell of others.
fn own(unlocked: &Unlocked, inside: open::Unverified) -> Result<Opened, Refusal> {
    let me = unlocked.me();
    inside.verify(&[Signer {
        sign_key: &me.sign_key().public_key(),
        box_key: &me.boxed().public,
        standing: Standing::Active,
    }])
}

/// Those who are not known yet are looked up: their signatures are what is to be verified.
async fn authors_of(unlocked: &Arc<Unlocked>, authors: Vec<UserId>) -> Result<Senders, Error> {
    let others: Vec<UserId> = authors
        .into_iter()
        .filter(|author| author != unlocked.user_id())
        .collect();
    let known = contacts::find_many(&unlocked.store, &others).await?;
    let unknown: Vec<UserId> = others
        .iter()
        .filter(|author| !known.contains_key(author))
        .cloned()
        .collect();
    if !unknown.is_empty() {
        crate::contacts::refresh(unlocked, &unknown, &[]).await?;
    }
    let known = contacts::find_many(&unlocked.store, &others).await?;
    Ok(Senders::of(known))
}
