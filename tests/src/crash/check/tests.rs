//! A checker that cannot fail is none: a sound record passes, and every way to doctor it is found.

use connect_api::events::{Event, EventBody};
use connect_api::messages::MessageState;
use connect_proto::hash::sha256;

use super::super::findings::{Defect, Finding};
use super::super::record::{Answer, Complaint, Record};
use super::check;
use super::sound::{history, incoming, push, sound, told};

/// What is found after the record was doctored.
fn found(doctor: impl FnOnce(&mut Record)) -> Vec<(Defect, String)> {
    let mut record = sound();
    doctor(&mut record);
    let findings = check(&record);
    let total: usize = findings.counts().values().sum();
    let all = findings.first(total);
    assert_eq!(all.len(), total, "every defect is counted");
    all.into_iter()
        .map(|Finding { defect, user, what }| (defect, format!("{user}: {what}")))
        .collect()
}

fn only(defect: Defect, what: &str) -> Vec<(Defect, String)> {
    vec![(defect, what.to_owned())]
}

#[test]
fn a_sound_record_passes() {
    assert_eq!(found(|_| {}), []);
}

#[test]
fn a_lost_message_is_found_at_either_side() {
    let at_bob = found(|record| {
        let history = history(record, "bob", "alice");
        history.remove(incoming(history, 1));
    });
    // Its event is there, so that what it announced is nowhere.
    let expected = [
        (Defect::Lost, "bob: id-alice-1".to_owned()),
        (Defect::Invented, "bob: event of id-alice-1".to_owned()),
    ];
    assert_eq!(at_bob, expected);
    let at_alice = found(|record| {
        let history = history(record, "alice", "bob");
        history.remove(incoming(history, 1));
    });
    assert_eq!(at_alice, only(Defect::Lost, "alice: id-alice-1"));
    let everything = found(|record| {
        let told = told(record, "bob");
        told.histories.clear();
        let unlocked = |event: &Event| event.event_id == 1;
        told.log.retain(unlocked);
        told.followed.retain(unlocked);
    });
    let lost = everything
        .iter()
        .filter(|(found, _)| *found == Defect::Lost);
    assert_eq!(lost.count(), 6);
}

#[test]
fn a_doubled_message_is_found_under_its_own_and_under_another_id() {
    let same = found(|record| {
        let history = history(record, "bob", "alice");
        let double = history[incoming(history, 1)].clone();
        history.push(double);
    });
    assert!(
        same.contains(&(Defect::Doubled, "bob: id-alice-1".into())),
        "{same:?}"
    );
    let other = found(|record| {
        let history = history(record, "alice", "bob");
        let mut double = history[incoming(history, 2)].clone();
        double.message_id = "id-other".into();
        history.push(double);
    });
    assert_eq!(other, only(Defect::Doubled, "alice: id-other"));
}

#[test]
fn a_reference_that_became_two_messages_is_found() {
    let found = found(|record| {
        let mut again = record.answers[0].clone();
        again.message_id = "id-alice-1".into();
        again.content = record.answers[2].content;
        again.task = 9;
        record.answers.push(again);
    });
    let what = "alice: ref-alice-0: id-alice-0 and id-alice-1";
    assert_eq!(found, only(Defect::Doubled, what));
}

#[test]
fn a_reordered_message_is_found() {
    let swap = |record: &mut Record, user: &str, other: &str, one: usize, two: usize| {
        let history = history(record, user, other);
        let (one, two) = (incoming(history, one), incoming(history, two));
        history.swap(one, two);
    };
    // Messages 0 and 2 are of one task.
    let at_both = found(|record| {
        swap(record, "bob", "alice", 0, 2);
        swap(record, "alice", "bob", 0, 2);
    });
    let expected = [
        (Defect::Reordered, "alice: id-alice-2".to_owned()),
        (Defect::Reordered, "bob: id-alice-2".to_owned()),
    ];
    assert_eq!(at_both, expected);
    // Messages 0 and 1 are of two tasks, whose order is free, but the same at both sides.
    let free = found(|record| {
        swap(record, "bob", "alice", 0, 1);
        swap(record, "alice", "bob", 0, 1);
    });
    assert_eq!(free, []);
    let at_one = found(|record| swap(record, "bob", "alice", 0, 1));
    assert_eq!(at_one, only(Defect::Reordered, "bob: id-alice-0"));
}

#[test]
fn a_message_that_was_altered_or_never_sent_is_found() {
    let altered = found(|record| {
        let history = history(record, "bob", "alice");
        let place = incoming(history, 1);
        history[place].content = sha256(b"other");
    });
    let expected = [
        (Defect::Altered, "bob: id-alice-1".to_owned()),
        (Defect::Invented, "bob: id-alice-1".to_owned()),
    ];
    assert_eq!(altered, expected);
    let misplaced = found(|record| {
        let history = history(record, "bob", "alice");
        let place = incoming(history, 1);
        history[place].author = "mallory".into();
    });
    assert!(
        misplaced.contains(&(Defect::Invented, "bob: id-alice-1".into())),
        "{misplaced:?}"
    );
}

#[test]
fn what_was_attempted_and_never_answered_may_be_there_or_not() {
    let found = found(|record| {
        let never_answered = |answer: &Answer| answer.message_id != "id-alice-2";
        record.answers.retain(never_answered);
    });
    assert_eq!(found, []);
}

#[test]
fn a_hole_in_the_events_is_found() {
    let in_the_middle = found(|record| {
        told(record, "bob").followed.remove(1);
    });
    let expected = [
        (Defect::Unannounced, "bob: id-alice-0".to_owned()),
        (Defect::Hole, "bob: followed: events 2 to 2".to_owned()),
    ];
    assert_eq!(in_the_middle, expected);
    let in_the_log = found(|record| {
        told(record, "bob").log.remove(0);
    });
    let expected = [
        (Defect::Hole, "bob: kept: events 1 to 1".to_owned()),
        (Defect::Retold, "bob: event 1".to_owned()),
    ];
    assert_eq!(in_the_log, expected);
    let at_the_end = found(|record| {
        told(record, "alice").followed.pop();
    });
    assert!(
        at_the_end.contains(&(Defect::Hole, "alice: followed: events 4 to 4".into())),
        "{at_the_end:?}"
    );
}

#[test]
fn an_event_told_twice_late_or_otherwise_than_kept_is_found() {
    let twice = found(|record| {
        let followed = &mut told(record, "bob").followed;
        let event = followed[0].clone();
        followed.insert(1, event);
    });
    assert_eq!(
        twice,
        only(Defect::Repeated, "bob: followed: event 1 after 1")
    );
    let late = found(|record| told(record, "bob").followed.swap(0, 1));
    assert!(
        late.contains(&(Defect::Repeated, "bob: followed: event 1 after 2".into())),
        "{late:?}"
    );
    let otherwise = found(|record| {
        told(record, "bob").followed[0].body = EventBody::RelayReachable {};
    });
    assert_eq!(otherwise, only(Defect::Retold, "bob: event 1"));
}

#[test]
fn a_message_announced_twice_is_found() {
    let found = found(|record| {
        let body = told(record, "bob").log[1].body.clone();
        push(record, "bob", body);
    });
    assert_eq!(found, only(Defect::Doubled, "bob: events of id-alice-0"));
}

#[test]
fn what_has_not_left_or_was_put_aside_is_found() {
    let state = found(|record| {
        let history = history(record, "alice", "bob");
        let place = incoming(history, 2);
        history[place].state = MessageState::Queued;
    });
    assert_eq!(state, only(Defect::NotSent, "alice: id-alice-2"));
    let outbox = found(|record| told(record, "alice").held = 1);
    assert_eq!(
        outbox,
        only(Defect::OutboxNotEmpty, "alice: 0 queued, 1 held")
    );
    let aside = found(|record| told(record, "bob").quarantined = 2);
    assert_eq!(
        aside,
        only(Defect::PutAside, "bob: 0 missing, 2 quarantined")
    );
    let lying = found(|record| {
        record.mailboxes.insert("bob".into(), 3);
    });
    assert_eq!(lying, only(Defect::MailboxNotEmpty, "bob: 3 lie there"));
    let unknown = found(|record| {
        record.mailboxes.remove("bob");
    });
    assert_eq!(
        unknown,
        only(Defect::MailboxNotEmpty, "bob: not looked into")
    );
}

#[test]
fn every_complaint_of_the_run_counts() {
    let complaint = || {
        vec![Complaint {
            user: "relay".into(),
            what: "why".into(),
        }]
    };
    let found = found(|record| {
        record.refused = complaint();
        record.unanswered = complaint();
        record.down = complaint();
        record.restless = complaint();
    });
    let defects: Vec<Defect> = found.into_iter().map(|(defect, _)| defect).collect();
    let expected = [
        Defect::Refused,
        Defect::Unanswered,
        Defect::Down,
        Defect::NotAtRest,
    ];
    assert_eq!(defects, expected);
}
