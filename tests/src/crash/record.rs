//! What the clients of a run were told: the only thing that is judged. Texts are in it as digests alone.

use std::collections::{BTreeMap, BTreeSet};

use connect_api::events::Event;
use connect_api::messages::MessageState;
use connect_proto::hash::Digest;

use super::meddler::Meddling;

/// From whom to whom.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Way {
    pub from: String,
    pub to: String,
}

impl Way {
    pub fn new(from: &str, to: &str) -> Self {
        Self {
            from: from.to_owned(),
            to: to.to_owned(),
        }
    }
}

/// A send that was answered with a message's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub way: Way,
    /// What one task sends, it sends one after the other.
    pub task: usize,
    pub client_ref: String,
    pub message_id: String,
    pub content: Digest,
}

/// A message as a history shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub message_id: String,
    pub author: String,
    pub outgoing: bool,
    pub content: Digest,
    pub state: MessageState,
}

/// What one user's daemon told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// The events in the order in which a client was told of them while the daemon was killed again and again.
    pub followed: Vec<Event>,
    /// The log as it reads at the end.
    pub log: Vec<Event>,
    /// By the other side, oldest first.
    pub histories: BTreeMap<String, Vec<Entry>>,
    pub queued: u64,
    pub held: u64,
    pub missing: u64,
    pub quarantined: u64,
}

/// Something that is wrong before anything is compared: whose it is, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    pub user: String,
    pub what: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// All that was ever asked to be sent, answered or not.
    pub attempted: BTreeMap<Way, BTreeSet<Digest>>,
    /// In the order in which they came.
    pub answers: Vec<Answer>,
    pub told: BTreeMap<String, Told>,
    /// What still lies at the relay, by user.
    pub mailboxes: BTreeMap<String, u64>,
    /// Sends that were answered with an error that no kill explains.
    pub refused: Vec<Complaint>,
    /// Sends that had no answer until the end.
    pub unanswered: Vec<Complaint>,
    /// Processes that ended by themselves, or did not come up again.
    pub down: Vec<Complaint>,
    /// What did not come to rest.
    pub restless: Vec<Complaint>,
    /// Fail points that should have been met.
    pub not_met: Vec<Complaint>,
    pub meddling: Meddling,
}
