//! The event log without hole or double, told as it is kept, with one event for each message that came in.

use std::collections::{BTreeMap, BTreeSet};

use connect_api::events::{Event, EventBody};

use super::super::findings::{Defect, Findings};
use super::super::record::Told;

pub(super) fn check(user: &str, told: &Told, findings: &mut Findings) {
    let newest = told.log.last().map_or(0, |event| event.event_id);
    unbroken(user, "followed", &told.followed, newest, findings);
    unbroken(user, "kept", &told.log, newest, findings);
    as_kept(user, told, findings);
    announced(user, told, findings);
}

/// From the first event to the newest, each once.
fn unbroken(user: &str, which: &str, events: &[Event], newest: u64, findings: &mut Findings) {
    let mut last = 0;
    for event in events {
        let id = event.event_id;
        if id <= last {
            let what = format!("{which}: event {id} after {last}");
            findings.add(Defect::Repeated, user, what);
        } else if id > last + 1 {
            let what = format!("{which}: events {} to {}", last + 1, id - 1);
            findings.add(Defect::Hole, user, what);
        }
        last = last.max(id);
    }
    if last < newest {
        let what = format!("{which}: events {} to {newest}", last + 1);
        findings.add(Defect::Hole, user, what);
    }
}

/// Nothing was announced that a crash could take back.
fn as_kept(user: &str, told: &Told, findings: &mut Findings) {
    let kept: BTreeMap<u64, &Event> = told
        .log
        .iter()
        .map(|event| (event.event_id, event))
        .collect();
    for event in &told.followed {
        if kept.get(&event.event_id) != Some(&event) {
            let what = format!("event {}", event.event_id);
            findings.add(Defect::Retold, user, what);
        }
    }
}

fn announced(user: &str, told: &Told, findings: &mut Findings) {
    let mut announced = BTreeSet::new();
    for event in &told.followed {
        if let EventBody::MessageReceived(received) = &event.body {
            let message = (received.author.as_str(), received.message_id.as_str());
            if !announced.insert(message) {
                findings.add(Defect::Doubled, user, format!("events of {}", message.1));
            }
        }
    }
    let came_in: BTreeSet<(&str, &str)> = told
        .histories
        .values()
        .flatten()
        .filter(|entry| !entry.outgoing)
        .map(|entry| (entry.author.as_str(), entry.message_id.as_str()))
        .collect();
    for (_, id) in came_in.difference(&announced) {
        findings.add(Defect::Unannounced, user, *id);
    }
    for (_, id) in announced.difference(&came_in) {
        findings.add(Defect::Invented, user, format!("event of {id}"));
    }
}
