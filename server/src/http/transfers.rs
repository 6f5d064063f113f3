//! Chunks on their way in or out: how many of one user's, and how much of all of them is held.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::HttpBody;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use parking_lot::Mutex;
use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::body::{Bodies, Held};
use crate::limits::Limits;
use crate::refusal::Refusal;
use crate::store::UserNumber;

/// What of a chunk is handed on at a time: as much is held for who does not take it.
const PIECE: usize = 64 << 10;

/// Room apart from that of other bodies: films never keep a message waiting.
#[derive(Debug)]
pub(crate) struct Transfers {
    pub(super) room: Bodies,
    pub(super) within: Duration,
    per_user: usize,
    running: Arc<Mutex<HashMap<UserNumber, usize>>>,
}

/// One of a user's places; free again when dropped.
#[derive(Debug)]
pub(super) struct Transfer {
    user: UserNumber,
    running: Arc<Mutex<HashMap<UserNumber, usize>>>,
}

impl Transfers {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            room: Bodies::new(limits.chunks_in_transit_bytes),
            within: Duration::from_secs(limits.chunk_seconds),
            per_user: limits.transfers_per_user,
            running: Arc::default(),
        }
    }

    pub(super) fn admit(&self, user: UserNumber) -> Result<Transfer, Refusal> {
        let mut all = self.running.lock();
        let running = all.entry(user).or_default();
        if *running >= self.per_user {
            return Err(Refusal::SlowDown { seconds: 1 });
        }
        *running += 1;
        Ok(Transfer {
            user,
            running: Arc::clone(&self.running),
        })
    }

    pub(crate) fn running(&self) -> usize {
        self.running.lock().values().sum()
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        let mut all = self.running.lock();
        if let Some(running) = all.get_mut(&self.user) {
            *running -= 1;
            if *running == 0 {
                all.remove(&self.user);
            }
        }
    }
}

/// A chunk on its way out. After a while it is let go of, whether its reader took it or not: how fast someone reads must
/// not decide for how long memory is held.
#[derive(Debug)]
pub(super) struct Outflow {
    left: Arc<Mutex<Option<Left>>>,
    timer: AbortHandle,
}

#[derive(Debug)]
struct Left {
    bytes: Bytes,
    _room: Held,
    _transfer: Transfer,
}

impl Outflow {
    pub(super) fn new(bytes: Bytes, room: Held, transfer: Transfer, within: Duration) -> Self {
        let left = Arc::new(Mutex::new(Some(Left {
            bytes,
            _room: room,
            _transfer: transfer,
        })));
        let held = Arc::clone(&left);
        let timer = tokio::spawn(async move {
            sleep(within).await;
            held.lock().take();
        });
        Self {
            left,
            timer: timer.abort_handle(),
        }
    }
}

impl Drop for Outflow {
    fn drop(&mut self) {
        self.timer.abort();
        // Now, and not once the timer has noticed.
        self.left.lock().take();
    }
}

impl HttpBody for Outflow {
    type Data = Bytes;
    type Error = Refusal;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Refusal>>> {
        let mut held = self.left.lock();
        let Some(left) = held.as_mut() else {
            return Poll::Ready(Some(Err(Refusal::TooSlow)));
        };
        if left.bytes.is_empty() {
            return Poll::Ready(None);
        }
        let piece = left.bytes.split_to(PIECE.min(left.bytes.len()));
        // A copy: a part of the chunk would keep the whole of it.
        let piece = Bytes::copy_from_slice(&piece);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        let held = self.left.lock();
        held.as_ref().is_some_and(|left| left.bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        let held = self.left.lock();
        let len = held.as_ref().map_or(0, |left| left.bytes.len());
        SizeHint::with_exact(len as u64)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    fn transfers(per_user: usize) -> Transfers {
        Transfers::new(&Limits {
            transfers_per_user: per_user,
            chunks_in_transit_bytes: 1 << 20,
            ..Limits::default()
        })
    }

    const ALICE: UserNumber = UserNumber(1);
    const BOB: UserNumber = UserNumber(2);

    #[test]
    fn one_user_has_so_many_places_and_no_more() {
        let transfers = transfers(2);
        let one = transfers.admit(ALICE).unwrap();
        let _two = transfers.admit(ALICE).unwrap();
        assert!(transfers.admit(ALICE).is_err());
        assert!(transfers.admit(BOB).is_ok());
        drop(one);
        assert!(transfers.admit(ALICE).is_ok());
        assert_eq!(transfers.running(), 1);
    }

    fn outflow(transfers: &Transfers, len: usize) -> Outflow {
        let room = transfers.room.hold(len).unwrap();
        let transfer = transfers.admit(ALICE).unwrap();
        Outflow::new(vec![7; len].into(), room, transfer, transfers.within)
    }

    #[tokio::test]
    async fn a_chunk_goes_out_whole_and_in_pieces() {
        let transfers = transfers(1);
        for len in [0, 1, PIECE, 3 * PIECE + 5] {
            let mut body = outflow(&transfers, len);
            let mut read = 0;
            while let Some(frame) = body.frame().await {
                let piece = frame.unwrap().into_data().unwrap();
                assert!(piece.len() <= PIECE);
                read += piece.len();
            }
            assert_eq!(read, len);
        }
        assert_eq!(transfers.running(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_take_its_chunk_holds_no_memory_for_long() {
        let transfers = transfers(1);
        let mut body = outflow(&transfers, 1 << 20);
        assert!(body.frame().await.unwrap().is_ok());
        assert!(transfers.room.hold(1).is_err(), "all room is taken");
        sleep(transfers.within + Duration::from_secs(1)).await;
        assert!(transfers.room.hold(1 << 20).is_ok());
        assert_eq!(transfers.running(), 0);
        assert!(body.frame().await.unwrap().is_err(), "it is cut off");
    }
}
