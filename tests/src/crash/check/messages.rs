//! Every answered send at both sides once, byte for byte, in order; nothing else in any history.

use std::collections::{BTreeMap, BTreeSet};

use connect_api::messages::MessageState;

use super::super::findings::{Defect, Findings};
use super::super::record::{Answer, Entry, Record, Way};

/// One way's messages at one side.
struct Side<'a> {
    /// Whose history it is.
    user: &'a str,
    entries: Vec<&'a Entry>,
}

impl<'a> Side<'a> {
    /// In the history of `user` with `other`, what went out or what came in.
    fn new(record: &'a Record, user: &'a str, other: &str, outgoing: bool) -> Self {
        let told = record.told.get(user);
        let history = told.and_then(|told| told.histories.get(other));
        let entries = history.into_iter().flatten();
        Self {
            user,
            entries: entries.filter(|entry| entry.outgoing == outgoing).collect(),
        }
    }

    fn positions(&self) -> BTreeMap<&'a str, usize> {
        let entries = self.entries.iter().enumerate();
        entries
            .map(|(position, entry)| (entry.message_id.as_str(), position))
            .collect()
    }
}

pub(super) fn check(record: &Record, findings: &mut Findings) {
    one_id_each(&record.answers, findings);
    for way in ways(record) {
        let answers: Vec<&Answer> = record
            .answers
            .iter()
            .filter(|answer| answer.way == way)
            .collect();
        let sent = Side::new(record, &way.from, &way.to, true);
        let received = Side::new(record, &way.to, &way.from, false);
        for side in [&sent, &received] {
            all_there(side, &answers, findings);
            none_twice(side, findings);
            none_invented(side, &way, record, findings);
            in_order(side, &answers, findings);
        }
        same_order(&sent, &received, findings);
        on_their_way(&sent, findings);
    }
}

/// Those that were used, and those that a history claims were.
fn ways(record: &Record) -> BTreeSet<Way> {
    let mut ways: BTreeSet<Way> = record.attempted.keys().cloned().collect();
    ways.extend(record.answers.iter().map(|answer| answer.way.clone()));
    for (user, told) in &record.told {
        for other in told.histories.keys() {
            ways.extend([Way::new(user, other), Way::new(other, user)]);
        }
    }
    ways
}

/// However often a reference was answered, it is one message.
fn one_id_each(answers: &[Answer], findings: &mut Findings) {
    let mut first: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    for answer in answers {
        let reference = (answer.way.from.as_str(), answer.client_ref.as_str());
        let id = *first.entry(reference).or_insert(&answer.message_id);
        if id != answer.message_id {
            let what = format!("{}: {id} and {}", answer.client_ref, answer.message_id);
            findings.add(Defect::Doubled, &answer.way.from, what);
        }
    }
}

fn all_there(side: &Side<'_>, answers: &[&Answer], findings: &mut Findings) {
    let entries: BTreeMap<&str, &Entry> = side
        .entries
        .iter()
        .map(|entry| (entry.message_id.as_str(), *entry))
        .collect();
    for answer in answers {
        match entries.get(answer.message_id.as_str()) {
            None => findings.add(Defect::Lost, side.user, &answer.message_id),
            Some(entry) if entry.content != answer.content => {
                findings.add(Defect::Altered, side.user, &answer.message_id);
            }
            Some(_) => {}
        }
    }
}

/// Every text is sent once only: the same one under another id is a double as well.
fn none_twice(side: &Side<'_>, findings: &mut Findings) {
    let (mut ids, mut contents) = (BTreeSet::new(), BTreeSet::new());
    for entry in &side.entries {
        if !ids.insert(&entry.message_id) | !contents.insert(entry.content) {
            findings.add(Defect::Doubled, side.user, &entry.message_id);
        }
    }
}

fn none_invented(side: &Side<'_>, way: &Way, record: &Record, findings: &mut Findings) {
    let attempted = record.attempted.get(way);
    for entry in &side.entries {
        let known = attempted.is_some_and(|contents| contents.contains(&entry.content));
        if !known || entry.author != way.from {
            findings.add(Defect::Invented, side.user, &entry.message_id);
        }
    }
}

/// What one task sent, one after the other, stands there in that order.
fn in_order(side: &Side<'_>, answers: &[&Answer], findings: &mut Findings) {
    let positions = side.positions();
    let mut furthest: BTreeMap<usize, usize> = BTreeMap::new();
    for answer in answers {
        // What is not there at all was found by others.
        let Some(&position) = positions.get(answer.message_id.as_str()) else {
            continue;
        };
        let furthest = furthest.entry(answer.task).or_insert(position);
        if position < *furthest {
            findings.add(Defect::Reordered, side.user, &answer.message_id);
        }
        *furthest = position.max(*furthest);
    }
}

/// Whatever the order of concurrent sends came out as, both sides have the same one.
fn same_order(sent: &Side<'_>, received: &Side<'_>, findings: &mut Findings) {
    let positions = sent.positions();
    let mut furthest = 0;
    for entry in &received.entries {
        let Some(&position) = positions.get(entry.message_id.as_str()) else {
            continue;
        };
        if position < furthest {
            findings.add(Defect::Reordered, received.user, &entry.message_id);
        }
        furthest = position.max(furthest);
    }
}

fn on_their_way(sent: &Side<'_>, findings: &mut Findings) {
    for entry in &sent.entries {
        match entry.state {
            MessageState::Sent | MessageState::Delivered | MessageState::Read => {}
            MessageState::Queued
            | MessageState::Held
            | MessageState::Failed
            | MessageState::Received
            | MessageState::Other => {
                findings.add(Defect::NotSent, sent.user, &entry.message_id);
            }
        }
    }
}
