//! Who waits in a long poll, and how a committed change wakes them: one poll per user, the newest.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::users::UserNumber;

#[derive(Debug, Default)]
struct Bell {
    /// Keeps one ring that nobody listened to yet: a change between the look into the mailbox and the wait is not lost.
    news: Notify,
    superseded: AtomicBool,
}

/// The users who wait.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wakes(Arc<Mutex<HashMap<UserNumber, Arc<Bell>>>>);

impl Wakes {
    /// Registers a poll, and ends the one that this user had. To be called before the mailbox is looked into.
    pub(crate) fn register(&self, user: UserNumber) -> Poll {
        let bell = Arc::new(Bell::default());
        let older = self.0.lock().insert(user, Arc::clone(&bell));
        if let Some(older) = older {
            older.superseded.store(true, Ordering::Release);
            older.news.notify_one();
        }
        Poll {
            user,
            bell,
            wakes: self.clone(),
        }
    }

    pub(crate) fn wake(&self, user: UserNumber) {
        let bell = self.0.lock().get(&user).map(Arc::clone);
        if let Some(bell) = bell {
            bell.news.notify_one();
        }
    }

    pub(crate) fn waiting(&self) -> usize {
        self.0.lock().len()
    }
}

/// A registered poll; it is taken out when dropped.
#[derive(Debug)]
pub(crate) struct Poll {
    user: UserNumber,
    bell: Arc<Bell>,
    wakes: Wakes,
}

impl Poll {
    /// Returns when something was committed for the user since it was registered or last returned, or when a newer
    /// poll took its place.
    pub(crate) async fn news(&self) {
        self.bell.news.notified().await;
    }

    pub(crate) fn is_superseded(&self) -> bool {
        self.bell.superseded.load(Ordering::Acquire)
    }
}

impl Drop for Poll {
    fn drop(&mut self) {
        let mut waiting = self.wakes.0.lock();
        if waiting
            .get(&self.user)
            .is_some_and(|bell| Arc::ptr_eq(bell, &self.bell))
        {
            waiting.remove(&self.user);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: UserNumber = UserNumber(1);

    #[tokio::test]
    async fn a_wake_between_the_look_and_the_wait_is_not_lost() {
        let wakes = Wakes::default();
        let poll = wakes.register(USER);
        wakes.wake(USER);
        poll.news().await;
        assert!(!poll.is_superseded());
    }

    #[tokio::test]
    async fn a_newer_poll_ends_the_older_one() {
        let wakes = Wakes::default();
        let older = wakes.register(USER);
        let newer = wakes.register(USER);
        older.news().await;
        assert!(older.is_superseded() && !newer.is_superseded());
        drop(older);
        assert_eq!(wakes.waiting(), 1);
        drop(newer);
        assert_eq!(wakes.waiting(), 0);
    }
}
