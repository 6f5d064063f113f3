//! Cases: revisions, keys, fields with what was written beside each other, and entries for whoever joins later.

use crate::support::{fresh, id, new, receive, user};
use connect_core::case::control::{Control, Participant, Role};
use connect_core::case::field::Field;
use connect_core::secret::CaseKey;
use connect_proto::ids::{CaseId, UserId};
use connect_store::cases::controls::NewControl;
use connect_store::cases::fields::{Added, NewField};
use connect_store::cases::{self, CaseRow, controls, due, fields, history, keys, past, shares};
use connect_store::conversations::{self, Conversation};
use connect_store::database::{Store, Tx};
use connect_store::messages::{self, From};
use connect_store::place::MessageRow;

const CASE: CaseId = CaseId::from_bytes([9; 16]);

fn first() -> Control {
    Control {
        revision: 1,
        previous: None,
        title: "Bed 4".to_owned(),
        patient_reference: "MRN 17".to_owned(),
        roster: vec![Participant {
            user_id: user("alice"),
            role: Role::Admin,
        }],
        epoch: 1,
        closed: false,
    }
}

async fn case(tx: &mut Tx) -> CaseRow {
    cases::ensure(tx, CASE, 5).await.unwrap().row
}

fn by<'a>(control: &'a Control, author: &'a UserId, stored_ms: u64) -> NewControl<'a> {
    NewControl {
        control,
        author,
        introduced_by: None,
        stored_ms,
    }
}

async fn put(tx: &mut Tx, row: CaseRow, control: &Control, now_ms: u64) -> bool {
    let author = user("alice");
    let added = controls::add(tx, row, by(control, &author, now_ms)).await;
    controls::put_in_force(tx, row, control, now_ms)
        .await
        .unwrap();
    added.unwrap()
}

#[tokio::test]
async fn a_case_is_listed_once_its_first_revision_is_here() {
    let (_dir, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    let row = case(&mut tx).await;
    assert_eq!(case(&mut tx).await, row);
    tx.commit().await.unwrap();
    assert!(cases::list(&store, None, 9).await.unwrap().is_empty());
    let mut tx = store.begin().await.unwrap();
    assert!(put(&mut tx, row, &first(), 6).await);
    assert!(!put(&mut tx, row, &first(), 7).await);
    assert_eq!(cases::list_open(&mut tx).await.unwrap().len(), 1);
    tx.commit().await.unwrap();
    let found = cases::find(&store, CASE).await.unwrap().unwrap();
    assert_eq!(found.control, Some((first(), user("alice"))));
    let conversation = conversations::find(&store, &Conversation::Case(CASE)).await;
    assert_eq!(conversation.unwrap(), Some(found.conversation));
    assert_eq!(cases::list(&store, None, 9).await.unwrap().len(), 1);
    assert!(cases::list(&store, Some(CASE), 9).await.unwrap().is_empty());
    store.close().await;
}

#[tokio::test]
async fn an_epoch_ends_with_the_first_revision_of_a_later_one() {
    let (_dir, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    let row = case(&mut tx).await;
    put(&mut tx, row, &first(), 10).await;
    assert_eq!(controls::followed_ms(&mut tx, row, 1).await.unwrap(), None);
    let mut second = first().next().unwrap();
    second.epoch = 2;
    put(&mut tx, row, &second, 20).await;
    let mut third = second.next().unwrap();
    third.closed = true;
    put(&mut tx, row, &third, 30).await;
    let since = async |tx: &mut Tx, epoch| controls::followed_ms(tx, row, epoch).await.unwrap();
    assert_eq!(since(&mut tx, 1).await, Some(20));
    assert_eq!(since(&mut tx, 2).await, None);
    let found = controls::find(&mut tx, row, &first().digest()).await;
    assert_eq!(found.unwrap(), Some(first()));
    assert!(cases::list_open(&mut tx).await.unwrap().is_empty());
    let closed = cases::find_in(&mut tx, CASE).await.unwrap().unwrap();
    assert_eq!(closed.closed_ms, Some(30));
    drop(tx);
    store.close().await;
}

#[tokio::test]
async fn only_the_key_of_who_began_an_epoch_is_written_under() {
    let (_dir, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    let row = case(&mut tx).await;
    put(&mut tx, row, &first(), 10).await;
    let mut second = first().next().unwrap();
    second.epoch = 2;
    let (bob, carol) = (user("bob"), user("carol"));
    controls::add(&mut tx, row, by(&second, &bob, 11))
        .await
        .unwrap();
    let third = second.next().unwrap();
    controls::add(&mut tx, row, by(&third, &carol, 12))
        .await
        .unwrap();
    let key = |seed| CaseKey::from_bytes(&[seed; 32]);
    let add = async |tx: &mut Tx, seed: u8, control: &Control, source: &UserId| {
        keys::add(tx, row, (2, &key(seed)), &control.digest(), source)
            .await
            .unwrap()
    };
    // Whoever wrote a later revision of the epoch has no say in its key, and comes first all the same.
    assert!(add(&mut tx, 1, &third, &carol).await);
    for control in [&second, &third] {
        let found = keys::find_for_writing(&mut tx, row, &control.digest()).await;
        assert!(found.unwrap().is_none());
    }
    assert!(add(&mut tx, 7, &third, &bob).await);
    assert!(!add(&mut tx, 7, &second, &bob).await);
    assert!(add(&mut tx, 7, &second, &carol).await);
    assert!(add(&mut tx, 3, &third, &bob).await);
    for control in [&second, &third] {
        let found = keys::find_for_writing(&mut tx, row, &control.digest()).await;
        assert!(found.unwrap().unwrap().is(&key(7)));
    }
    assert_eq!(keys::count_from(&mut tx, row, 2, &bob).await.unwrap(), 2);
    assert!(controls::counts(&mut tx, row, 2, &bob).await.unwrap());
    assert!(!controls::counts(&mut tx, row, 2, &carol).await.unwrap());
    // All of them open, and whoever is to have them all gets the one that counts first.
    assert_eq!(keys::list_of(&mut tx, row, 2).await.unwrap().len(), 3);
    let all = keys::list(&mut tx, row).await.unwrap();
    let epochs: Vec<u32> = all.iter().map(|(epoch, _)| *epoch).collect();
    assert_eq!(epochs, [2, 2, 2]);
    assert!(all[0].1.is(&key(7)));
    tx.commit().await.unwrap();
    assert_eq!(keys::find_of(&store, row, 2).await.unwrap().len(), 3);
    assert!(keys::find_of(&store, row, 3).await.unwrap().is_empty());
    store.close().await;
}

#[tokio::test]
async fn whoever_brings_the_account_in_says_under_which_key_it_writes() {
    let (_dir, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    let row = case(&mut tx).await;
    let (bob, carol) = (user("bob"), user("carol"));
    let second = first().next().unwrap();
    let introducing = NewControl {
        introduced_by: Some(&carol),
        ..by(&second, &carol, 10)
    };
    controls::add(&mut tx, row, introducing).await.unwrap();
    let third = second.next().unwrap();
    controls::add(&mut tx, row, by(&third, &bob, 11))
        .await
        .unwrap();
    let key = |seed| CaseKey::from_bytes(&[seed; 32]);
    for (seed, control, source) in [(1, &third, &bob), (7, &second, &carol)] {
        keys::add(&mut tx, row, (1, &key(seed)), &control.digest(), source)
            .await
            .unwrap();
    }
    let found = keys::find_for_writing(&mut tx, row, &third.digest()).await;
    assert!(found.unwrap().unwrap().is(&key(7)));
    drop(tx);
    store.close().await;
}

#[tokio::test]
async fn a_history_is_heard_from_who_brought_the_account_in_until_it_is_here() {
    let (_dir, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    let row = case(&mut tx).await;
    let (bob, carol) = (user("bob"), user("carol"));
    for (sender, said) in [(&bob, b"his"), (&carol, b"her")] {
        shares::add(&mut tx, row, sender, &[1; 32], Some(said))
            .await
            .unwrap();
    }
    assert!(!history::accept(&mut tx, row).await.unwrap());
    cases::introduce(&mut tx, row, &bob).await.unwrap();
    assert!(history::accept(&mut tx, row).await.unwrap());
    tx.commit().await.unwrap();
    let found = cases::find(&store, CASE).await.unwrap().unwrap();
    assert_eq!(found.introduced_by.as_ref(), Some(&bob));
    assert!(found.awaits_history && !found.history_is_here);
    assert_eq!(history::list_awaited(&store).await.unwrap(), [CASE]);
    let said = history::find(&store, row).await.unwrap().unwrap();
    assert_eq!(said.as_slice(), b"his");

    // Where it goes on after a crash it has the same place, whatever came since.
    let mut tx = store.begin().await.unwrap();
    let of = found.conversation;
    let places = history::places(&mut tx, row, of, 9).await.unwrap();
    let author = user("bob");
    past::add_message(&mut tx, &new(of, &author, 3, "past"), false, places.0 + 1)
        .await
        .unwrap();
    assert_eq!(history::places(&mut tx, row, of, 9).await.unwrap(), places);
    // Another one is not taken in the middle of it, nor at all once it is here.
    for is_here in [true, false] {
        shares::add(&mut tx, row, &bob, &[2; 32], Some(b"new"))
            .await
            .unwrap();
        assert!(!history::accept(&mut tx, row).await.unwrap());
        history::end(&mut tx, row, is_here).await.unwrap();
        assert_eq!(history::accept(&mut tx, row).await.unwrap(), !is_here);
    }
    tx.commit().await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn the_newest_shares_of_each_sender_are_known() {
    let (_dir, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    let row = case(&mut tx).await;
    let (bob, carol) = (user("bob"), user("carol"));
    shares::add(&mut tx, row, &carol, &[1; 32], None)
        .await
        .unwrap();
    for n in 1..=9 {
        shares::add(&mut tx, row, &bob, &[n; 32], None)
            .await
            .unwrap();
    }
    let has = async |tx: &mut Tx, user: &UserId, n: u8| {
        shares::has(tx, row, user, &[n; 32]).await.unwrap()
    };
    assert!(has(&mut tx, &carol, 1).await);
    assert!(!has(&mut tx, &bob, 1).await);
    assert!(has(&mut tx, &bob, 2).await);
    assert!(!has(&mut tx, &carol, 2).await);
    cases::set_left(&mut tx, row, Some(9)).await.unwrap();
    let left = cases::find_in(&mut tx, CASE).await.unwrap().unwrap();
    assert_eq!((left.left_ms, left.epoch_due), (Some(9), None));
    cases::set_left(&mut tx, row, None).await.unwrap();
    cases::set_epoch_due(&mut tx, row, Some(3)).await.unwrap();
    let found = cases::find_in(&mut tx, CASE).await.unwrap().unwrap();
    assert_eq!((found.left_ms, found.epoch_due), (None, Some(3)));
    drop(tx);
    store.close().await;
}

#[tokio::test]
async fn a_share_is_due_until_it_was_sent() {
    let (_dir, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    let row = case(&mut tx).await;
    for with_history in [false, true, false] {
        due::add(&mut tx, row, &user("dora"), with_history)
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
    let waiting = due::list(&store).await.unwrap();
    assert_eq!(waiting.len(), 1);
    assert!(waiting[0].with_history);
    assert_eq!(waiting[0].case_id, CASE);
    let mut tx = store.begin().await.unwrap();
    assert!(due::settle(&mut tx, &waiting[0]).await.unwrap());
    assert!(!due::settle(&mut tx, &waiting[0]).await.unwrap());
    drop(tx);
    store.close().await;
}

#[tokio::test]
async fn what_was_written_before_stands_before_what_came_live_and_is_no_news() {
    let (_dir, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    let of = cases::ensure(&mut tx, CASE, 5).await.unwrap().conversation;
    receive(&mut tx, of, 9, "live").await;
    let bob = user("bob");
    let place = past::first_place(&mut tx, of).await.unwrap();
    for (n, back) in [(3, 2), (8, 1), (2, 0), (9, 0)] {
        let added =
            past::add_message(&mut tx, &new(of, &bob, n, "past"), false, place - back).await;
        assert_eq!(added.unwrap(), n != 9);
    }
    past::settle(&mut tx, of).await.unwrap();
    tx.commit().await.unwrap();
    let page = messages::list(&store, of, From::Newest, 9).await.unwrap();
    let order: Vec<u8> = page.iter().map(|m| m.message_id.as_bytes()[0]).collect();
    assert_eq!(order, [9, 2, 8, 3]);
    let listed = conversations::list(&store, None, 9).await.unwrap();
    assert_eq!(listed[0].unread, 1);
    let last = MessageRow(listed[0].last_message);
    let last = messages::find_by_row(&store, last).await.unwrap().unwrap();
    assert_eq!(last.message_id, id(9));
    store.close().await;
}

async fn write(tx: &mut Tx, row: CaseRow, author: &str, field: &Field) -> Added {
    let author = user(author);
    let new = NewField {
        field,
        author: &author,
        written_ms: 5,
        stored_ms: 6,
    };
    fields::add(tx, row, new).await.unwrap()
}

fn field(previous: Option<&Field>, value: &str) -> Field {
    Field {
        name: "allergies".to_owned(),
        revision: previous.map_or(1, |before| before.revision + 1),
        previous: previous.map(Field::digest),
        media_type: "text/plain".to_owned(),
        value: value.as_bytes().to_vec(),
    }
}

async fn shown(store: &Store, row: CaseRow) -> Vec<(u64, String, bool)> {
    let kept = fields::list(store, row).await.unwrap();
    let one = |kept: &fields::Kept| {
        let value = String::from_utf8(kept.value.clone()).unwrap();
        (kept.revision, value, kept.contested)
    };
    let mut shown: Vec<_> = kept.iter().map(one).collect();
    shown.sort();
    shown
}

#[tokio::test]
async fn two_edits_of_one_revision_are_both_shown_until_a_later_one_settles_it() {
    let (_dir, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    let row = case(&mut tx).await;
    let first = field(None, "none known");
    assert_eq!(write(&mut tx, row, "alice", &first).await, Added::Newest);
    assert_eq!(write(&mut tx, row, "alice", &first).await, Added::Repeat);
    let hers = field(Some(&first), "penicillin");
    let his = field(Some(&first), "latex");
    assert_eq!(write(&mut tx, row, "alice", &hers).await, Added::Newest);
    assert_eq!(write(&mut tx, row, "bob", &his).await, Added::Contested);
    tx.commit().await.unwrap();
    let both = [
        (2, "latex".to_owned(), true),
        (2, "penicillin".to_owned(), true),
    ];
    assert_eq!(shown(&store, row).await, both);

    let mut tx = store.begin().await.unwrap();
    let settled = field(Some(&his), "penicillin, latex");
    assert_eq!(write(&mut tx, row, "carol", &settled).await, Added::Newest);
    tx.commit().await.unwrap();
    let one = [(3, "penicillin, latex".to_owned(), false)];
    assert_eq!(shown(&store, row).await, one);
    let history = fields::list_history(&store, row, "allergies").await;
    assert_eq!(history.unwrap().len(), 4);
    store.close().await;
}

#[tokio::test]
async fn what_comes_late_beside_an_older_revision_is_shown_too() {
    let (_dir, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    let row = case(&mut tx).await;
    let first = field(None, "a");
    let second = field(Some(&first), "b");
    let third = field(Some(&second), "c");
    for one in [&first, &second, &third] {
        write(&mut tx, row, "alice", one).await;
    }
    let late = field(Some(&first), "late");
    assert_eq!(write(&mut tx, row, "bob", &late).await, Added::Contested);
    let beside_the_first = field(None, "own");
    let added = write(&mut tx, row, "bob", &beside_the_first).await;
    assert_eq!(added, Added::Contested);
    let mut unknown = field(Some(&late), "x");
    unknown.previous = Some([1; 32]);
    assert_eq!(write(&mut tx, row, "bob", &unknown).await, Added::Broken);
    assert_eq!(fields::count(&mut tx, row).await.unwrap(), 1);
    tx.commit().await.unwrap();
    let all: Vec<String> = shown(&store, row)
        .await
        .into_iter()
        .map(|it| it.1)
        .collect();
    assert_eq!(all, ["own", "late", "c"]);
    store.close().await;
}
