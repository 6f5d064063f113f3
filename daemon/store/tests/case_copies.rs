//! Copies of attachments for whoever joins a case late.

use crate::support::{fresh, id, new, user};
use connect_core::attachment::{Attachment, seal_blob};
use connect_proto::ids::{AttachmentId, CaseId};
use connect_store::amendments::{self, Amendment};
use connect_store::attachments::{self, New, transfers};
use connect_store::cases::copying::{self, Copied, Due};
use connect_store::cases::{self, copies, past};
use connect_store::codes::AttachmentState;
use connect_store::conversations::ConversationRow;
use connect_store::database::{Store, Tx};
use connect_store::error::StoreError;
use connect_store::files::FileName;
use connect_store::place::MessageRow;
use connect_store::received;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

const CASE: CaseId = CaseId::from_bytes([9; 16]);

/// A message of Bob's with a file.
async fn add(
    tx: &mut Tx,
    of: ConversationRow,
    said: &Attachment,
    state: AttachmentState,
    rng: &mut ChaCha20Rng,
) -> Result<MessageRow, StoreError> {
    let bob = user("bob");
    let sent = new(of, &bob, 3, "");
    past::add_message(tx, &sent, false, 1).await?;
    let message = received::find_in(tx, &bob, id(3)).await?;
    let (message, _) = message.ok_or(StoreError::Inconsistent("messages"))?;
    let added = New {
        said,
        message: Some(message),
        app: None,
        file: FileName::random(rng),
        state,
        reason: None,
        now_ms: 1,
    };
    attachments::add(tx, added).await?;
    Ok(message)
}

#[tokio::test]
async fn a_copy_lies_where_who_brought_the_account_in_says() {
    let (_dir, store) = fresh().await;
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let said = seal_blob(b"film", "a/b", &mut rng).unwrap().attachment;
    let mut tx = store.begin().await.unwrap();
    let row = cases::ensure(&mut tx, CASE, 5).await.unwrap().row;
    let (bob, carol) = (user("bob"), user("carol"));
    let copy = |byte| (said.id, AttachmentId::from_bytes([byte; 16]));
    for (sender, byte) in [(&bob, 1), (&carol, 2), (&bob, 3)] {
        let told = [copy(byte)];
        copies::put(&mut tx, row, sender, &told, 9).await.unwrap();
    }
    tx.commit().await.unwrap();
    let of = cases::find(&store, CASE)
        .await
        .unwrap()
        .unwrap()
        .conversation;
    let mut tx = store.begin().await.unwrap();
    let found = copies::find(&mut tx, of, said.id).await.unwrap();
    assert_eq!(found, None, "nobody brought it in");
    cases::introduce(&mut tx, row, &bob).await.unwrap();
    add(&mut tx, of, &said, AttachmentState::Available, &mut rng)
        .await
        .unwrap();
    let to_fetch = copies::list_to_fetch(&mut tx, row).await.unwrap();
    assert_eq!(to_fetch.len(), 1);
    let found = copies::find(&mut tx, of, said.id).await.unwrap();
    assert_eq!(found, Some(copy(3).1));
    let another = copies::find(&mut tx, of, copy(9).1).await.unwrap();
    assert_eq!(another, None);

    // What is none is forgotten, and nothing else.
    copies::forget(&mut tx, of, copy(9).1).await.unwrap();
    assert!(copies::find(&mut tx, of, said.id).await.unwrap().is_some());
    copies::forget(&mut tx, of, copy(3).1).await.unwrap();
    assert!(copies::find(&mut tx, of, said.id).await.unwrap().is_none());
    assert!(
        copies::list_to_fetch(&mut tx, row)
            .await
            .unwrap()
            .is_empty()
    );
    tx.commit().await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn of_one_sender_so_many_are_kept_and_no_more() {
    let (_dir, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    let of = cases::ensure(&mut tx, CASE, 5).await.unwrap();
    let bob = user("bob");
    cases::introduce(&mut tx, of.row, &bob).await.unwrap();
    let numbered = |n: u128| AttachmentId::from_bytes(n.to_be_bytes());
    let many: Vec<_> = (0..10_001)
        .map(|n| (numbered(n), numbered(n + 1)))
        .collect();
    for part in many.chunks(500) {
        copies::put(&mut tx, of.row, &bob, part, 9).await.unwrap();
    }
    // What is known has its newest place all the same.
    let moved = [(numbered(5), numbered(77))];
    copies::put(&mut tx, of.row, &bob, &moved, 10)
        .await
        .unwrap();
    for (n, expected) in [
        (5, Some(numbered(77))),
        (9_999, Some(numbered(10_000))),
        (10_000, None),
    ] {
        let found = copies::find(&mut tx, of.conversation, numbered(n))
            .await
            .unwrap();
        assert_eq!(found, expected);
    }
    // The relay has forgotten what is older.
    assert_eq!(copies::expire(&mut tx, 10, 9_000).await.unwrap(), 9_000);
    assert_eq!(copies::expire(&mut tx, 10, 9_000).await.unwrap(), 999);
    let found = copies::find(&mut tx, of.conversation, numbered(5)).await;
    assert_eq!(found.unwrap(), Some(numbered(77)));
    tx.commit().await.unwrap();
    store.close().await;
}

/// A case with a message of Bob's and a file that lies here, to be copied for Carol, who is asked for twice.
async fn due(store: &Store) -> Result<(Due, MessageRow, AttachmentId), StoreError> {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let said = seal_blob(b"film", "a/b", &mut rng);
    let said = said.ok_or(StoreError::Inconsistent("tests"))?.attachment;
    let mut tx = store.begin().await?;
    let of = cases::ensure(&mut tx, CASE, 5).await?;
    let message = add(
        &mut tx,
        of.conversation,
        &said,
        AttachmentState::Ready,
        &mut rng,
    )
    .await?;
    for _ in 0..2 {
        copying::add_due(&mut tx, of.row, &user("carol")).await?;
    }
    tx.commit().await?;
    let listed = copying::list_due(store).await?;
    assert_eq!(listed.len(), 1);
    let due = listed.into_iter().next();
    Ok((
        due.ok_or(StoreError::Inconsistent("tests"))?,
        message,
        said.id,
    ))
}

const FIRST: AttachmentId = AttachmentId::from_bytes([7; 16]);
const SECOND: AttachmentId = AttachmentId::from_bytes([8; 16]);

#[tokio::test]
async fn what_is_begun_is_gone_on_with_and_told_once() {
    let (_dir, store) = fresh().await;
    let (due, _, film) = due(&store).await.unwrap();
    assert_eq!((due.user_id.as_str(), due.case_id), ("carol", CASE));
    let find = async |since_ms| copying::find(&store, &due, film, since_ms).await.unwrap();
    let copied = |is_there, chunks| {
        Some(Copied {
            id: FIRST,
            is_there,
            chunks,
        })
    };
    let untold = async || copying::list_here(&store, &due).await.unwrap().len();
    let told_bytes = async || copying::count_told_bytes(&store, &due).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    assert!(
        copying::begin(&mut tx, &due, (film, FIRST), 100)
            .await
            .unwrap()
    );
    tx.commit().await.unwrap();
    assert_eq!(find(100).await, copied(false, 0));
    assert_eq!(find(101).await, None, "the relay may have forgotten it");
    let mut tx = store.begin().await.unwrap();
    copying::note_chunks(&mut tx, FIRST, 3).await.unwrap();
    assert!(copying::note_there(&mut tx, FIRST).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(find(100).await, copied(true, 3));
    assert_eq!((untold().await, told_bytes().await), (1, 0));
    let mut tx = store.begin().await.unwrap();
    assert!(copying::note_told(&mut tx, FIRST).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!((untold().await, told_bytes().await), (0, 4));

    // Who is added anew may have lost what was told, and is not settled with those before.
    let mut tx = store.begin().await.unwrap();
    copying::add_due(&mut tx, due.case, &due.user_id)
        .await
        .unwrap();
    assert!(!copying::settle(&mut tx, &due).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(untold().await, 1);
    let [anew] = <[_; 1]>::try_from(copying::list_due(&store).await.unwrap()).unwrap();
    let mut tx = store.begin().await.unwrap();
    assert!(copying::settle(&mut tx, &anew).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(copying::list_due(&store).await.unwrap(), []);
    assert!(!copying::has_withdrawn(&store).await.unwrap());
    store.close().await;
}

#[tokio::test]
async fn what_is_withdrawn_goes_once_none_is_on_its_way() {
    let (_dir, store) = fresh().await;
    let (due, _, film) = due(&store).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    for (copy, begun_ms) in [(FIRST, 100), (SECOND, 200)] {
        assert!(
            copying::begin(&mut tx, &due, (film, copy), begun_ms)
                .await
                .unwrap()
        );
    }
    tx.commit().await.unwrap();
    // One that takes another's place has the relay forget it.
    let found = copying::find(&store, &due, film, 0).await.unwrap();
    assert_eq!(found.map(|found| found.id), Some(SECOND));
    assert!(copying::has_withdrawn(&store).await.unwrap());
    assert!(!copying::is_wanted(&store, FIRST).await.unwrap());
    assert!(copying::is_wanted(&store, SECOND).await.unwrap());
    let removals = async || transfers::list_removals(&store, 9).await.unwrap();
    assert_eq!(removals().await, [], "one may be on its way");
    let mut tx = store.begin().await.unwrap();
    copying::ask_for_removals(&mut tx).await.unwrap();
    let readers = copying::list_readers(&mut tx, due.case).await.unwrap();
    assert_eq!(readers, std::slice::from_ref(&due.user_id));
    copying::withdraw(&mut tx, due.case, &user("dora"))
        .await
        .unwrap();
    assert!(copying::note_there(&mut tx, SECOND).await.unwrap());
    copying::withdraw(&mut tx, due.case, &due.user_id)
        .await
        .unwrap();
    assert!(!copying::note_there(&mut tx, SECOND).await.unwrap());
    assert!(!copying::note_told(&mut tx, SECOND).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(removals().await, [(FIRST, None)]);
    let mut tx = store.begin().await.unwrap();
    copying::ask_for_removals(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(removals().await, [(FIRST, None), (SECOND, None)]);
    assert!(!copying::has_withdrawn(&store).await.unwrap());
    store.close().await;
}

#[tokio::test]
async fn what_is_not_there_when_it_is_settled_is_withdrawn() {
    let (_dir, store) = fresh().await;
    let (due, _, film) = due(&store).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    assert!(
        copying::begin(&mut tx, &due, (film, FIRST), 100)
            .await
            .unwrap()
    );
    assert!(copying::settle(&mut tx, &due).await.unwrap());
    tx.commit().await.unwrap();
    assert!(copying::has_withdrawn(&store).await.unwrap());
    store.close().await;
}

#[tokio::test]
async fn a_message_that_is_taken_back_takes_its_copies_along_and_old_ones_are_forgotten() {
    let (_dir, store) = fresh().await;
    let (due, message, film) = due(&store).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    assert!(
        copying::begin(&mut tx, &due, (film, FIRST), 100)
            .await
            .unwrap()
    );
    let taken_back = Amendment {
        sequence: 4,
        timestamp_ms: 6,
        text: None,
    };
    amendments::apply(&mut tx, message, taken_back)
        .await
        .unwrap();
    // Nor is it begun anew.
    assert!(
        !copying::begin(&mut tx, &due, (film, SECOND), 200)
            .await
            .unwrap()
    );
    tx.commit().await.unwrap();
    assert!(!copying::is_wanted(&store, FIRST).await.unwrap());
    assert!(copying::list_here(&store, &due).await.unwrap().is_empty());
    let mut tx = store.begin().await.unwrap();
    assert_eq!(copying::expire(&mut tx, 100, 9).await.unwrap(), 0);
    assert_eq!(copying::expire(&mut tx, 101, 9).await.unwrap(), 1);
    tx.commit().await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn what_comes_after_somebody_joined_is_not_copied() {
    let (_dir, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    let of = cases::ensure(&mut tx, CASE, 5).await.unwrap();
    copying::add_due(&mut tx, of.row, &user("carol"))
        .await
        .unwrap();
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let said = seal_blob(b"film", "a/b", &mut rng).unwrap().attachment;
    let state = AttachmentState::Downloading;
    add(&mut tx, of.conversation, &said, state, &mut rng)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let [due] = <[_; 1]>::try_from(copying::list_due(&store).await.unwrap()).unwrap();
    assert!(!copying::awaits_any(&store, &due).await.unwrap());
    assert!(copying::list_here(&store, &due).await.unwrap().is_empty());
    let mut tx = store.begin().await.unwrap();
    copying::add_due(&mut tx, of.row, &user("carol"))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let [due] = <[_; 1]>::try_from(copying::list_due(&store).await.unwrap()).unwrap();
    assert!(copying::awaits_any(&store, &due).await.unwrap());
    store.close().await;
}
