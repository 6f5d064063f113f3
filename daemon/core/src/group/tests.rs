//! Rosters: who may, how they follow each other, and what is none.

use super::*;
use crate::message::{Payload, decode, encode};

fn user(name: &str) -> UserId {
    name.parse().unwrap()
}

fn group() -> GroupControl {
    let others = ["carol", "bob", "carol", "alice"].map(user);
    GroupControl::first("Ward 3".to_owned(), &user("alice"), others).unwrap()
}

#[test]
fn the_first_revision_is_its_author_s_and_sorted() {
    let group = group();
    let names: Vec<_> = group.roster.iter().map(|it| it.user_id.as_str()).collect();
    assert_eq!(names, ["alice", "bob", "carol"]);
    assert_eq!(group.admins().collect::<Vec<_>>(), [&user("alice")]);
    assert_eq!((group.revision, group.previous), (1, None));
}

#[test]
fn a_revision_names_the_one_before_and_changes_what_it_is_to() {
    let first = group();
    let change = Change {
        name: Some("Ward 4".to_owned()),
        add: vec![user("dave"), user("bob")],
        remove: vec![user("carol")],
        promote: vec![user("dave")],
    };
    let next = first.next(&change).unwrap();
    assert_eq!(next.revision, 2);
    assert_eq!(next.previous, Some(first.digest()));
    assert!(next.is_admin(&user("dave")) && !next.is_admin(&user("bob")));
    assert!(next.member(&user("carol")).is_none());
    assert_ne!(next.digest(), first.digest());
    let leave = Change {
        remove: vec![user("alice")],
        ..Change::default()
    };
    assert_eq!(first.next(&leave), Err(BadControl::NoAdmin));
}

#[test]
fn what_was_encoded_is_decoded_under_the_same_digest() {
    let group = group();
    let payload = Payload::GroupControl(group.clone());
    let Ok(Payload::GroupControl(decoded)) = decode(&encode(&payload)) else {
        panic!("no group control");
    };
    assert_eq!(decoded.digest(), group.digest());
    assert_eq!(decoded, group);
}

#[test]
fn admins_may_and_others_may_only_leave() {
    let first = group();
    let remove = |name: &str| {
        let change = Change {
            remove: vec![user(name)],
            ..Change::default()
        };
        first.next(&change).unwrap()
    };
    assert_eq!(first.right_to(&user("alice"), &remove("bob")), Right::Admin);
    assert_eq!(
        first.right_to(&user("bob"), &remove("bob")),
        Right::OwnLeave
    );
    assert_eq!(first.right_to(&user("bob"), &remove("carol")), Right::None);
    assert_eq!(first.right_to(&user("eve"), &remove("bob")), Right::None);
    let mut renamed = remove("bob");
    renamed.name = "Mine".to_owned();
    assert_eq!(first.right_to(&user("bob"), &renamed), Right::None);
    let mut promoted = remove("bob");
    promoted.roster[1].role = Role::Admin;
    assert_eq!(first.right_to(&user("bob"), &promoted), Right::None);
}

type Tampering = dyn Fn(&mut wire::GroupControl);

#[test]
fn what_is_no_revision_has_a_name() {
    let group = group();
    let refused = |change: &dyn Fn(&mut wire::GroupControl)| {
        let mut wire = group.to_wire();
        change(&mut wire);
        GroupControl::from_wire(&wire).err()
    };
    assert_eq!(refused(&|_| {}), None);
    let cases: [(&Tampering, BadControl); 9] = [
        (&|it| it.name = " ".to_owned(), BadControl::NameEmpty),
        (&|it| it.name = "a".repeat(257), BadControl::NameTooLong),
        (&|it| it.name = "a\nb".to_owned(), BadControl::NameMalformed),
        (&|it| it.roster.swap(0, 1), BadControl::NotSorted),
        (
            &|it| it.roster.push(it.roster[2].clone()),
            BadControl::NotSorted,
        ),
        (&|it| it.roster[0].role = 0, BadControl::NoAdmin),
        (&|it| it.roster[0].role = 7, BadControl::Malformed),
        (&|it| it.revision = 2, BadControl::BadRevision),
        (
            &|it| it.previous_digest = vec![1; 31],
            BadControl::Malformed,
        ),
    ];
    for (place, (change, expected)) in cases.into_iter().enumerate() {
        assert_eq!(refused(change), Some(expected), "case {place}");
    }
}

#[test]
fn a_group_has_room_for_512_and_one_more_is_refused() {
    let others = |count: usize| (0..count).map(|n| user(&format!("dr.{n:04}@hospital.example")));
    let full = GroupControl::first("All".to_owned(), &user("alice"), others(511)).unwrap();
    assert_eq!(full.roster.len(), MAX_MEMBERS);
    let over = GroupControl::first("All".to_owned(), &user("alice"), others(512));
    assert_eq!(over, Err(BadControl::TooManyMembers));
    // The longest ids there are: at least 256 of them.
    let long = (0..255).map(|n| user(&format!("{n:064}")));
    GroupControl::first("All".to_owned(), &user("alice"), long).unwrap();
}
