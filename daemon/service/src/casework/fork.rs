//! Two lines of revisions that follow on one: what the line that lost had begun for others is begun again, and whoever it
//! brought in is told (D16).

use std::cmp::Reverse;

use connect_core::case::control::Control;
use connect_core::message::{self, Payload};
use connect_proto::hash::Digest;
use connect_proto::ids::UserId;
use connect_store::cases::{self, Case, controls};
use connect_store::outgoing;

use super::epochs;
use super::write::{self, Reader};
use crate::error::Error;
use crate::journal::Journal;

/// Revisions of one line that are looked at: nobody makes others read a case's whole past again and again.
const LONGEST: usize = 64;
/// Users of one line that lost who are told at most.
const MOST: usize = 16;

/// A revision and its author.
type Written = (Control, UserId);

/// Two lines from their newest revisions back to where they parted.
pub(crate) struct Fork {
    lost: Vec<Written>,
    won: Vec<Written>,
    /// The last that they have in common; none where it is not here.
    from: Option<Control>,
}

impl Fork {
    /// As far as it is here; both are stored.
    pub(crate) async fn find(
        journal: &mut Journal,
        case: &Case,
        (lost, lost_by): (&Control, &UserId),
        (won, won_by): (&Control, &UserId),
    ) -> Result<Self, Error> {
        let mut fork = Self {
            lost: Vec::new(),
            won: Vec::new(),
            from: None,
        };
        let mut lost = (lost.clone(), lost_by.clone());
        let mut won = (won.clone(), won_by.clone());
        while lost.0 != won.0 {
            if fork.lost.len().max(fork.won.len()) == LONGEST {
                return Ok(fork);
            }
            let (of_lost, of_won) = (lost.0.revision, won.0.revision);
            if of_lost >= of_won {
                let Some(before) = before(journal, case, &lost.0).await? else {
                    return Ok(fork);
                };
                fork.lost.push(std::mem::replace(&mut lost, before));
            }
            if of_won >= of_lost {
                let Some(before) = before(journal, case, &won.0).await? else {
                    return Ok(fork);
                };
                fork.won.push(std::mem::replace(&mut won, before));
            }
        }
        fork.from = Some(lost.0);
        Ok(fork)
    }

    /// An epoch that we began for somebody's sake who has left, or has another key, and that lost its place: what was to be
    /// kept from that one still is.
    pub(crate) async fn begin_again(
        &self,
        journal: &mut Journal,
        case: &Case,
    ) -> Result<(), Error> {
        let me = journal.unlocked().user_id().clone();
        let Some((won, _)) = self.won.first() else {
            return Ok(());
        };
        if won.closed || !won.has(&me) || !self.lost_an_epoch_of(&me, won.epoch) {
            return Ok(());
        }
        let now = cases::find_in(journal.tx(), case.case_id).await?;
        match now {
            // Where another one has begun meanwhile, all is well.
            Some(now) if now.control.as_ref().is_some_and(|(it, _)| it == won) => {
                epochs::begin_for_the_same(journal, &now, won).await
            }
            _ => Ok(()),
        }
    }

    /// One that took somebody out is made up for by any other that is as new.
    fn lost_an_epoch_of(&self, me: &UserId, epoch: u32) -> bool {
        let before = self.lost.iter().skip(1).map(|(control, _)| control);
        let before = before.chain(&self.from);
        self.lost.iter().zip(before).any(|((control, by), before)| {
            let takes_out = before.roster.iter().any(|one| !control.has(&one.user_id));
            by == me && control.epoch > before.epoch && (control.epoch > epoch || !takes_out)
        })
    }

    /// Whoever the line that lost brought in was told of nothing else: each author of the other line sends them what it wrote
    /// of that, as far as it takes for them to see that they are not in it.
    pub(crate) async fn tell_those_left_behind(
        &self,
        journal: &mut Journal,
        case: &Case,
    ) -> Result<(), Error> {
        let (Some(from), Some((lost, _)), Some((won, _))) =
            (&self.from, self.lost.first(), self.won.first())
        else {
            return Ok(());
        };
        let me = journal.unlocked().user_id().clone();
        let joined = lost.roster.iter().map(|one| &one.user_id);
        let behind = joined.filter(|user| !from.has(user) && !won.has(user) && **user != me);
        let behind = behind.take(MOST).cloned().collect();
        let behind = write::with_holds(journal, behind).await?;
        if behind.is_empty() {
            return Ok(());
        }
        for (control, by) in self.won.iter().rev() {
            if *by == me {
                send_again(journal, case, control, &behind).await?;
            }
            if place(control) > place(lost) {
                break;
            }
        }
        Ok(())
    }
}

async fn send_again(
    journal: &mut Journal,
    case: &Case,
    control: &Control,
    to: &[Reader],
) -> Result<(), Error> {
    let of = case.conversation;
    let payload = message::encode(&Payload::CaseControl(control.clone()));
    let Some(freight) = outgoing::find_control(journal.tx(), of, &payload).await? else {
        return Ok(());
    };
    for (user, hold) in to {
        journal.queue_again(of, Some(user), freight, *hold).await?;
    }
    Ok(())
}

/// Of two the higher one is in force, with everybody.
fn place(control: &Control) -> (u64, Reverse<Digest>) {
    (control.revision, Reverse(control.digest()))
}

async fn before(
    journal: &mut Journal,
    case: &Case,
    control: &Control,
) -> Result<Option<Written>, Error> {
    match &control.previous {
        Some(digest) => Ok(controls::find_authored(journal.tx(), case.row, digest).await?),
        None => Ok(None),
    }
}
