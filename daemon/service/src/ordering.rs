//! The order of what comes in, page by page: what is missing is told at once, and nothing waits for it (D13).

use std::collections::BTreeMap;

use connect_store::codes::EventKind;
use connect_store::events::NewEvent;
use connect_store::order::{self, Gap, Mark, Stream};

use crate::error::Error;
use crate::journal::Journal;

/// Numbers that a gap counts at most: whoever writes says how large it is, and they are summed up.
const LONGEST_GAP: u64 = 1_000_000;

/// The streams that a page touches: each is read once and written once, however many of the envelopes are its.
#[derive(Debug, Default)]
pub(crate) struct Streams(BTreeMap<Stream, Option<Mark>>);

/// Where a message came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    InOrder,
    /// After one that its sender wrote later.
    Late,
}

impl Streams {
    pub(crate) async fn arrive(
        &mut self,
        journal: &mut Journal,
        stream: Stream,
        mark: Mark,
        from_first: bool,
    ) -> Result<Arrival, Error> {
        if !self.0.contains_key(&stream) {
            let highest = order::find_highest(journal.tx(), &stream).await?;
            self.0.insert(stream.clone(), highest);
        }
        let known = self.0.get(&stream).copied().flatten();
        let highest = match known {
            Some(highest) => highest,
            // Of what came before us nothing is known, unless we are the first that could have received it.
            None if !from_first => Mark {
                sequence: mark.sequence.saturating_sub(1),
                ..mark
            },
            None => Mark {
                sequence: 0,
                ..mark
            },
        };
        if mark.sequence <= highest.sequence {
            fill(journal, &stream, mark).await?;
            return Ok(Arrival::Late);
        }
        if mark.sequence > highest.sequence + 1 {
            let gap = Gap {
                first: mark
                    .sequence
                    .saturating_sub(LONGEST_GAP)
                    .max(highest.sequence + 1),
                last: mark.sequence - 1,
                before: side(highest),
                after: side(mark),
                noticed_ms: journal.now_ms(),
                stream: stream.clone(),
            };
            tell(journal, &gap).await?;
        }
        self.0.insert(stream, Some(mark));
        Ok(Arrival::InOrder)
    }

    pub(crate) async fn finish(self, journal: &mut Journal) -> Result<(), Error> {
        for (stream, highest) in self.0 {
            if let Some(highest) = highest {
                order::put_highest(journal.tx(), &stream, highest).await?;
            }
        }
        Ok(())
    }
}

fn side(mark: Mark) -> (connect_proto::ids::MessageId, u64) {
    (mark.message_id, mark.timestamp_ms)
}

async fn tell(journal: &mut Journal, gap: &Gap) -> Result<(), Error> {
    order::add_gap(journal.tx(), gap).await?;
    count(journal, gap.len(), 1);
    let event = NewEvent {
        conversation: Some(gap.stream.conversation),
        user_id: Some(gap.stream.sender.as_str()),
        range: Some((gap.first, gap.last)),
        ..NewEvent::of(EventKind::MessageMissing, journal.now_ms())
    };
    Ok(journal.append(&event).await?)
}

/// One of the missing came: what is left on either side of it stays missing.
async fn fill(journal: &mut Journal, stream: &Stream, mark: Mark) -> Result<(), Error> {
    let Some(gap) = order::take_gap(journal.tx(), stream, mark.sequence).await? else {
        return Ok(());
    };
    count(journal, 1, -1);
    if gap.first < mark.sequence {
        let left = Gap {
            last: mark.sequence - 1,
            after: side(mark),
            ..gap.clone()
        };
        order::add_gap(journal.tx(), &left).await?;
    }
    if mark.sequence < gap.last {
        let right = Gap {
            first: mark.sequence + 1,
            before: side(mark),
            ..gap
        };
        order::add_gap(journal.tx(), &right).await?;
    }
    Ok(())
}

fn count(journal: &mut Journal, messages: u64, sign: i64) {
    let change = i64::try_from(messages)
        .unwrap_or(i64::MAX)
        .saturating_mul(sign);
    journal.afterwards(move |unlocked| unlocked.counters.change_missing(change));
}
