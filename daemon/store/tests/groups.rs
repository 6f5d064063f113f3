//! Groups as they are kept: the roster that counts, who came when, and the chain of revisions before it.

use crate::support::{fresh, id, receive, user};
use connect_core::group::{Change, GroupControl};
use connect_proto::ids::GroupId;
use connect_store::codes::GroupStanding;
use connect_store::conversations::{self, Conversation, ConversationRow};
use connect_store::database::Tx;
use connect_store::groups::{self, Answers, Group};
use connect_store::order::{self, Gap, Mark, Stream};

const GROUP: GroupId = GroupId::from_bytes([7; 16]);

fn first() -> GroupControl {
    let others = ["bob", "carol"].map(user);
    GroupControl::first("Ward 3".to_owned(), &user("alice"), others).unwrap()
}

fn adding(before: &GroupControl, name: &str) -> GroupControl {
    let change = Change {
        add: vec![user(name)],
        ..Change::default()
    };
    before.next(&change).unwrap()
}

async fn row(tx: &mut Tx) -> ConversationRow {
    let conversation = Conversation::Group(GROUP);
    conversations::ensure(tx, &conversation).await.unwrap()
}

async fn put(tx: &mut Tx, control: &GroupControl, now_ms: u64) {
    let row = row(tx).await;
    let is_fresh = control.revision == 1;
    groups::put(tx, row, control, GroupStanding::Member, now_ms, is_fresh)
        .await
        .unwrap();
}

async fn found(tx: &mut Tx) -> Group {
    groups::find_in(tx, GROUP).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_revision_takes_the_place_of_the_one_before_and_of_what_it_was_followed_by() {
    let (_dir, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    let (one, row) = (first(), row(&mut tx).await);
    let two = adding(&one, "dave");
    let three = adding(&two, "eve");
    for (control, now_ms) in [(&one, 1), (&two, 2), (&three, 3)] {
        put(&mut tx, control, now_ms).await;
    }
    let group = found(&mut tx).await;
    assert_eq!((group.revision, group.digest), (3, three.digest()));
    let since: Vec<_> = group.members.iter().map(|member| member.since).collect();
    assert_eq!(since, [1, 1, 1, 2, 3]);
    assert_eq!(group.admins().collect::<Vec<_>>(), [&user("alice")]);
    let seen = groups::find_digest(&mut tx, row, &two.digest()).await;
    assert_eq!(seen.unwrap(), Some(2));
    let replaced = groups::find_replaced(&mut tx, row, &two.digest()).await;
    assert_eq!(replaced.unwrap(), Some((two.clone(), 3)));
    let newest = groups::find_replaced(&mut tx, row, &three.digest()).await;
    assert_eq!(newest.unwrap(), None);
    let chain = groups::list_revisions(&mut tx, row, 1).await.unwrap();
    assert_eq!(chain, [two.clone(), three.clone()]);

    // Another second revision won.
    let other = adding(&one, "frank");
    put(&mut tx, &other, 4).await;
    let group = found(&mut tx).await;
    assert_eq!((group.revision, group.members.len()), (2, 4));
    assert!(group.member(&user("frank")).is_some() && group.member(&user("dave")).is_none());
    for lost in [&two, &three] {
        let seen = groups::find_digest(&mut tx, row, &lost.digest()).await;
        assert_eq!(seen.unwrap(), None);
    }
    let led = groups::list_led(&mut tx, &user("alice"), &user("frank")).await;
    assert_eq!(led.unwrap(), [GROUP]);
    let led = groups::list_led(&mut tx, &user("bob"), &user("frank")).await;
    assert_eq!(led.unwrap(), []);
    drop(tx);
    store.close().await;
}

#[tokio::test]
async fn who_goes_by_another_roster_is_answered_once_for_each_until_ours_changes() {
    let (_dir, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    let (one, row, bob) = (first(), row(&mut tx).await, user("bob"));
    put(&mut tx, &one, 1).await;
    let answers = Answers {
        most: 2,
        within_ms: 100,
    };
    for (user, theirs, now_ms, expected) in [
        (&bob, [1; 32], 1000, true),
        (&bob, [1; 32], 1001, false),
        (&bob, [2; 32], 1002, true),
        (&user("nobody"), [1; 32], 1003, false),
        // Made-up rosters are no way to be answered without end.
        (&bob, [3; 32], 1100, false),
        (&bob, [4; 32], 1101, true),
        (&bob, [5; 32], 1102, true),
        (&bob, [6; 32], 1103, false),
    ] {
        let by = (user, &theirs);
        let answered = groups::note_answered(&mut tx, row, by, now_ms, answers).await;
        assert_eq!(answered.unwrap(), expected, "{theirs:?}");
    }
    put(&mut tx, &adding(&one, "dave"), 2).await;
    let again = groups::note_answered(&mut tx, row, (&bob, &[5; 32]), 1104, answers).await;
    assert!(again.unwrap());
    drop(tx);
    store.close().await;
}

/// Whoever was out for a while misses nothing of what was said then.
#[tokio::test]
async fn what_was_missing_is_not_any_more_where_everything_begins_anew() {
    let (_dir, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    let (one, row) = (first(), row(&mut tx).await);
    put(&mut tx, &one, 1).await;
    let stream = Stream {
        conversation: row,
        sender: user("bob"),
        installation_id: connect_proto::ids::InstallationId::from_bytes([1; 8]),
    };
    let mark = Mark {
        sequence: 9,
        message_id: id(9),
        timestamp_ms: 1,
    };
    order::put_highest(&mut tx, &stream, mark).await.unwrap();
    let gap = Gap {
        stream: stream.clone(),
        first: 2,
        last: 8,
        before: (id(1), 1),
        after: (id(9), 1),
        noticed_ms: 1,
    };
    order::add_gap(&mut tx, &gap).await.unwrap();
    let two = adding(&one, "dave");
    let standing = GroupStanding::Member;
    let forgotten = groups::put(&mut tx, row, &two, standing, 2, true).await;
    assert_eq!(forgotten.unwrap(), 7);
    assert_eq!(order::find_highest(&mut tx, &stream).await.unwrap(), None);
    groups::set_latest(&mut tx, row, &user("dave"))
        .await
        .unwrap();
    let since: Vec<_> = found(&mut tx)
        .await
        .members
        .iter()
        .map(|it| it.since)
        .collect();
    assert_eq!(since, [1, 1, 1, 2]);
    drop(tx);
    store.close().await;
}

#[tokio::test]
async fn a_group_is_listed_by_its_id_and_its_conversation_by_its_name() {
    let (_dir, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    put(&mut tx, &first(), 1).await;
    let row = row(&mut tx).await;
    receive(&mut tx, row, 1, "to all").await;
    tx.commit().await.unwrap();
    let listed = groups::list(&store, None, 9).await.unwrap();
    let (group, members) = &listed[0];
    assert_eq!(
        (group.name.as_str(), *members, listed.len()),
        ("Ward 3", 3, 1)
    );
    assert!(
        groups::list(&store, Some(GROUP), 9)
            .await
            .unwrap()
            .is_empty()
    );
    let conversations = conversations::list(&store, None, 9).await.unwrap();
    assert_eq!(conversations[0].title, "Ward 3");
    assert_eq!(conversations[0].unread, 1);
    assert_eq!(
        groups::find(&store, GROUP)
            .await
            .unwrap()
            .unwrap()
            .members
            .len(),
        3
    );
    store.close().await;
}
