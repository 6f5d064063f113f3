//! Where the clients of a run write down what they asked and what they were told, and ring when there is news.

use std::collections::{BTreeMap, BTreeSet};

use connect_api::events::{Event, EventBody};
use connect_proto::hash::Digest;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::record::{Answer, Complaint, Way};

/// Rung for whoever aims a kill.
#[derive(Debug, Default)]
pub(super) struct Bells {
    pub(super) acknowledged: Notify,
    pub(super) received: Notify,
}

#[derive(Debug, Default)]
pub struct Notebook {
    pages: Mutex<Pages>,
    bells: BTreeMap<String, Bells>,
}

#[derive(Debug, Default, Clone)]
pub(super) struct Pages {
    pub(super) attempted: BTreeMap<Way, BTreeSet<Digest>>,
    pub(super) answers: Vec<Answer>,
    pub(super) followed: BTreeMap<String, Vec<Event>>,
    pub(super) refused: Vec<Complaint>,
    /// Sends that may or may not have been done when the connection was cut.
    pub(super) unknown: u64,
    /// Distinct sends that were answered.
    pub(super) messages: u64,
}

impl Notebook {
    pub fn new<'a>(users: impl IntoIterator<Item = &'a str>) -> Self {
        let bells = users
            .into_iter()
            .map(|user| (user.to_owned(), Bells::default()));
        Self {
            pages: Mutex::default(),
            bells: bells.collect(),
        }
    }

    pub(super) fn bells(&self, user: &str) -> Option<&Bells> {
        self.bells.get(user)
    }

    pub(super) fn note_attempt(&self, way: &Way, content: Digest) {
        let attempted = &mut self.pages.lock().attempted;
        attempted.entry(way.clone()).or_default().insert(content);
    }

    pub(super) fn note_unknown(&self) {
        self.pages.lock().unknown += 1;
    }

    pub(super) fn note_answer(&self, answer: Answer, is_new: bool) {
        let from = answer.way.from.clone();
        let mut pages = self.pages.lock();
        pages.answers.push(answer);
        pages.messages += u64::from(is_new);
        drop(pages);
        if let Some(bells) = self.bells(&from) {
            bells.acknowledged.notify_waiters();
        }
    }

    pub(super) fn note_refusal(&self, user: &str, what: String) {
        self.pages.lock().refused.push(Complaint {
            user: user.to_owned(),
            what,
        });
    }

    pub(super) fn note_event(&self, user: &str, event: Event) {
        let received = matches!(event.body, EventBody::MessageReceived(_));
        let mut pages = self.pages.lock();
        pages
            .followed
            .entry(user.to_owned())
            .or_default()
            .push(event);
        drop(pages);
        if received && let Some(bells) = self.bells(user) {
            bells.received.notify_waiters();
        }
    }

    /// The last event that was told: from there it is followed on.
    pub(super) fn last_event(&self, user: &str) -> u64 {
        let pages = self.pages.lock();
        let followed = pages.followed.get(user);
        let last = followed.and_then(|events| events.last());
        last.map_or(0, |event| event.event_id)
    }

    pub(super) fn followed(&self, user: &str) -> Vec<Event> {
        let pages = self.pages.lock();
        pages.followed.get(user).cloned().unwrap_or_default()
    }

    /// Messages answered and outcomes unknown so far.
    pub(super) fn progress(&self) -> (u64, u64) {
        let pages = self.pages.lock();
        (pages.messages, pages.unknown)
    }

    pub(super) fn read(&self) -> Pages {
        self.pages.lock().clone()
    }
}
