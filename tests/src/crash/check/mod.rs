//! The checker itself: a record in, everything that is wrong with it out; no process, file or clock.

mod events;
mod messages;
#[cfg(test)]
mod sound;
#[cfg(test)]
mod tests;

use super::findings::{Defect, Findings};
use super::record::{Complaint, Record};

pub fn check(record: &Record) -> Findings {
    let mut findings = Findings::default();
    messages::check(record, &mut findings);
    for (user, told) in &record.told {
        events::check(user, told, &mut findings);
    }
    queues(record, &mut findings);
    let complaints: [(Defect, &[Complaint]); 5] = [
        (Defect::Refused, &record.refused),
        (Defect::Unanswered, &record.unanswered),
        (Defect::Down, &record.down),
        (Defect::NotAtRest, &record.restless),
        (Defect::PointNotMet, &record.not_met),
    ];
    for (defect, complaints) in complaints {
        for complaint in complaints {
            findings.add(defect, &complaint.user, &complaint.what);
        }
    }
    findings
}

fn queues(record: &Record, findings: &mut Findings) {
    for (user, told) in &record.told {
        if told.queued > 0 || told.held > 0 {
            let what = format!("{} queued, {} held", told.queued, told.held);
            findings.add(Defect::OutboxNotEmpty, user, what);
        }
        if told.missing > 0 || told.quarantined > 0 {
            let what = format!("{} missing, {} quarantined", told.missing, told.quarantined);
            findings.add(Defect::PutAside, user, what);
        }
        // A mailbox that nobody could look into counts as one that is not empty.
        match record.mailboxes.get(user) {
            Some(0) => {}
            Some(lying) => {
                let what = format!("{lying} lie there");
                findings.add(Defect::MailboxNotEmpty, user, what);
            }
            None => findings.add(Defect::MailboxNotEmpty, user, "not looked into"),
        }
    }
}
