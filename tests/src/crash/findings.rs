//! What can be wrong, and how much of it was found.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

/// A way to break the promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Defect {
    /// An answered send is not in a history where it belongs.
    Lost,
    /// It is there, or was announced, more than once.
    Doubled,
    Reordered,
    /// It is there with another content.
    Altered,
    /// It is in a history, or was announced, and nobody sent it there.
    Invented,
    /// It came in without an event.
    Unannounced,
    /// An event is missing in the followed or the kept log.
    Hole,
    /// An event came twice, or after a later one.
    Repeated,
    /// What was announced is not what is kept.
    Retold,
    /// Its sender believes that it is still on its way, or failed.
    NotSent,
    OutboxNotEmpty,
    MailboxNotEmpty,
    /// A sound message was taken for a bad or a missing one.
    PutAside,
    /// A send was refused for no reason that a kill explains.
    Refused,
    Unanswered,
    /// A process ended by itself or did not come up again.
    Down,
    NotAtRest,
    /// A fail point was not met, or its process did not work again.
    PointNotMet,
}

impl Defect {
    pub const ALL: [Self; 18] = [
        Self::Lost,
        Self::Doubled,
        Self::Reordered,
        Self::Altered,
        Self::Invented,
        Self::Unannounced,
        Self::Hole,
        Self::Repeated,
        Self::Retold,
        Self::NotSent,
        Self::OutboxNotEmpty,
        Self::MailboxNotEmpty,
        Self::PutAside,
        Self::Refused,
        Self::Unanswered,
        Self::Down,
        Self::NotAtRest,
        Self::PointNotMet,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Doubled => "doubled",
            Self::Reordered => "reordered",
            Self::Altered => "altered",
            Self::Invented => "never sent",
            Self::Unannounced => "without an event",
            Self::Hole => "holes in the event log",
            Self::Repeated => "events twice or late",
            Self::Retold => "events unlike the log",
            Self::NotSent => "not sent at the sender",
            Self::OutboxNotEmpty => "outboxes not empty",
            Self::MailboxNotEmpty => "mailboxes not empty",
            Self::PutAside => "quarantined or missing",
            Self::Refused => "sends refused",
            Self::Unanswered => "sends not answered",
            Self::Down => "processes down",
            Self::NotAtRest => "not at rest",
            Self::PointNotMet => "fail points not met",
        }
    }
}

/// One thing that is wrong, named by ids.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    pub defect: Defect,
    /// At whose side it was seen.
    pub user: String,
    pub what: String,
}

/// Everything that is wrong, each thing once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings(BTreeSet<Finding>);

impl Findings {
    pub fn add(&mut self, defect: Defect, user: &str, what: impl Into<String>) {
        self.0.insert(Finding {
            defect,
            user: user.to_owned(),
            what: what.into(),
        });
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn count(&self, defect: Defect) -> usize {
        self.0.iter().filter(|found| found.defect == defect).count()
    }

    pub fn counts(&self) -> BTreeMap<Defect, usize> {
        let all = Defect::ALL.into_iter();
        all.map(|defect| (defect, self.count(defect))).collect()
    }

    pub fn first(&self, most: usize) -> Vec<Finding> {
        self.0.iter().take(most).cloned().collect()
    }
}
