//! Who may change a case, and in which way.

use connect_proto::ids::UserId;

use super::{Control, Participant, Role};
use crate::case::rules::{GRACE_MS, check_author};
use crate::message::{Payload, decode, encode};
use crate::refusal::Refusal;
use crate::refused::PayloadRefused;

fn user(name: &str) -> UserId {
    name.parse().unwrap()
}

fn roster(people: &[(&str, Role)]) -> Vec<Participant> {
    let one = |(name, role): &(&str, Role)| Participant {
        user_id: user(name),
        role: *role,
    };
    people.iter().map(one).collect()
}

pub(crate) fn first() -> Control {
    Control {
        revision: 1,
        previous: None,
        title: "Bed 4".to_owned(),
        patient_reference: "MRN 17".to_owned(),
        roster: roster(&[
            ("alice", Role::Admin),
            ("bob", Role::Member),
            ("carol", Role::Member),
        ]),
        epoch: 1,
        closed: false,
    }
}

#[test]
fn only_who_is_in_the_roster_that_it_wrote_under_is_heard() {
    let old = first();
    let mut current = old.next().unwrap();
    current.roster.remove(1);
    let of =
        |name: &str, named: Option<&Control>| check_author(&user(name), named, &current, None, 0);
    assert_eq!(of("alice", None), Ok(()));
    assert_eq!(of("bob", None), Err(Refusal::NotAParticipant));
    assert_eq!(of("bob", Some(&current)), Err(Refusal::NotAParticipant));
    assert_eq!(of("bob", Some(&old)), Ok(()));
    assert_eq!(of("mallory", Some(&old)), Err(Refusal::NotAParticipant));
}

#[test]
fn what_was_written_after_the_end_is_refused_and_what_was_on_its_way_is_not() {
    let open = first();
    let mut closed = open.next().unwrap();
    closed.closed = true;
    let of = |named, at_ms| check_author(&user("bob"), named, &closed, Some(1000), at_ms);
    assert_eq!(of(Some(&closed), 1001), Err(Refusal::CaseClosed));
    assert_eq!(of(Some(&open), 1001), Ok(()));
    assert_eq!(of(Some(&open), 1000 + GRACE_MS), Err(Refusal::CaseClosed));
}

#[test]
fn a_case_begins_with_its_author_as_admin() {
    assert_eq!(first().check_first(&user("alice")), Ok(()));
    assert_eq!(
        first().check_first(&user("bob")),
        Err(Refusal::NotAParticipant)
    );
    assert_eq!(
        first().next().unwrap().check_first(&user("alice")),
        Err(Refusal::BrokenControlChain)
    );
}

fn checked(author: &str, change: impl FnOnce(&mut Control)) -> Result<(), Refusal> {
    let mut next = first().next().unwrap();
    change(&mut next);
    first().check_next(&next, &user(author))
}

#[test]
fn each_revision_follows_the_one_before() {
    assert_eq!(checked("bob", |next| next.epoch = 2), Ok(()));
    let broken: [fn(&mut Control); 3] = [
        |next| next.revision = 3,
        |next| next.previous = Some([1; 32]),
        |next| next.previous = None,
    ];
    for change in broken {
        assert_eq!(checked("alice", change), Err(Refusal::BrokenControlChain));
    }
    let mut closed = first();
    closed.closed = true;
    let next = closed.next().unwrap();
    assert_eq!(
        closed.check_next(&next, &user("alice")),
        Err(Refusal::CaseClosed)
    );
}

#[test]
fn whoever_takes_somebody_out_is_an_admin_and_makes_another_epoch() {
    let without = |name: &str, next: &mut Control| {
        next.roster.retain(|one| one.user_id.as_str() != name);
    };
    assert_eq!(
        checked("alice", |next| {
            without("bob", next);
            next.epoch = 2;
        }),
        Ok(())
    );
    assert_eq!(
        checked("alice", |next| without("bob", next)),
        Err(Refusal::NotAllowed)
    );
    assert_eq!(
        checked("carol", |next| {
            without("bob", next);
            next.epoch = 2;
        }),
        Err(Refusal::NotAllowed)
    );
    // Whoever goes cannot make the key that it is not to have.
    assert_eq!(checked("bob", |next| without("bob", next)), Ok(()));
    assert_eq!(
        checked("bob", |next| {
            without("bob", next);
            next.epoch = 2;
        }),
        Err(Refusal::NotAllowed)
    );
}

#[test]
fn a_member_adds_members_and_changes_nothing_else() {
    let dora = |role| Participant {
        user_id: user("dora"),
        role,
    };
    assert_eq!(
        checked("bob", |next| next.roster.push(dora(Role::Member))),
        Ok(())
    );
    for author in ["bob", "mallory"] {
        let refused = checked(author, |next| next.roster.push(dora(Role::Admin)));
        assert!(refused.is_err());
    }
    let denied: [fn(&mut Control); 5] = [
        |next| next.title = "Bed 5".to_owned(),
        |next| next.patient_reference.clear(),
        |next| next.closed = true,
        |next| next.roster[1].role = Role::Admin,
        |next| next.epoch = 3,
    ];
    for change in denied {
        assert_eq!(checked("bob", change), Err(Refusal::NotAllowed));
    }
    assert_eq!(
        checked("mallory", |next| next.epoch = 2),
        Err(Refusal::NotAParticipant)
    );
    assert_eq!(checked("alice", |next| next.closed = true), Ok(()));
}

#[test]
fn where_the_last_admin_has_gone_everybody_is_one() {
    let mut left = first().next().unwrap();
    left.roster.remove(0);
    assert_eq!(left.role_of(&user("bob")), Some(Role::Admin));
    assert_eq!(left.steward(&user("alice")), Some(&user("bob")));
    assert_eq!(left.steward(&user("bob")), Some(&user("carol")));
    assert_eq!(first().steward(&user("bob")), Some(&user("alice")));
    assert_eq!(first().steward(&user("alice")), Some(&user("bob")));
}

#[test]
fn a_number_that_does_not_cross_the_socket_whole_is_none() {
    let numbered = |revision| {
        let control = Control {
            revision,
            previous: Some([1; 32]),
            ..first()
        };
        decode(&encode(&Payload::CaseControl(control)))
    };
    assert!(numbered((1 << 53) - 1).is_ok());
    assert_eq!(numbered(1 << 53), Err(PayloadRefused::Malformed));
    assert_eq!(numbered(u64::MAX), Err(PayloadRefused::Malformed));
}
