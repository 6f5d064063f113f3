//! Attachments in the database: which chunks are done, what the outbox waits for, and what a withdrawal leaves.

use crate::support::{fresh, id, send, with};
use connect_core::attachment::{Attachment, seal_blob};
use connect_store::attachments::{self, Life, New, transfers};
use connect_store::codes::{AttachmentReason, AttachmentState};
use connect_store::database::Tx;
use connect_store::files::FileName;
use connect_store::{amendments, messages, outbox, restored};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

fn film(rng: &mut ChaCha20Rng) -> Attachment {
    seal_blob(b"film", "a/b", rng).unwrap().attachment
}

async fn add(tx: &mut Tx, said: &Attachment, rng: &mut ChaCha20Rng) -> Life {
    let file = FileName::random(rng);
    let new = New {
        said,
        message: None,
        app: Some("owner"),
        file,
        state: AttachmentState::Incomplete,
        reason: None,
        now_ms: 1,
    };
    let row = attachments::add(tx, new).await.unwrap();
    Life { row, file }
}

#[tokio::test]
async fn a_message_waits_for_its_attachment_and_is_shown_with_it() {
    let (_dir, store) = fresh().await;
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let said = film(&mut rng);
    let mut tx = store.begin().await.unwrap();
    let conversation = with(&mut tx, "bob").await;
    let life = add(&mut tx, &said, &mut rng).await;
    assert_eq!(attachments::count_bytes(&mut tx).await.unwrap(), 4);
    let digest = said.ciphertext_digest;
    assert!(
        attachments::seal(&mut tx, life, &digest, b"small", 2)
            .await
            .unwrap()
    );
    assert!(
        !attachments::seal(&mut tx, life, &digest, b"small", 2)
            .await
            .unwrap()
    );
    let message = send(&mut tx, conversation, 1, Ok(b"envelope")).await;
    attachments::name_in(&mut tx, life.row, message, 3)
        .await
        .unwrap();
    tx.commit().await.unwrap();

    assert!(outbox::find_due(&store, 9, 9).await.unwrap().is_none());
    let mut tx = store.begin().await.unwrap();
    let uploading = AttachmentState::Uploading;
    let noted = transfers::note_chunk(&mut tx, life, uploading, 1)
        .await
        .unwrap();
    assert_eq!(noted, Some(1));
    let again = transfers::note_chunk(&mut tx, life, uploading, 1)
        .await
        .unwrap();
    assert_eq!(again, Some(1), "a chunk counts once");
    let ready = (AttachmentState::Ready, None);
    assert!(
        transfers::move_on(&mut tx, life, uploading, ready, 4)
            .await
            .unwrap()
    );
    let late = transfers::note_chunk(&mut tx, life, uploading, 1)
        .await
        .unwrap();
    assert_eq!(late, None, "its transfer has ended");
    tx.commit().await.unwrap();
    assert!(outbox::find_due(&store, 9, 9).await.unwrap().is_some());
    let shown = messages::find(&store, id(1)).await.unwrap().unwrap();
    let attached = shown.attachment.unwrap();
    assert_eq!(attached.attachment_id, said.id);
    assert!(attached.has_thumbnail);

    let mut tx = store.begin().await.unwrap();
    let taken_back = amendments::Amendment {
        sequence: 9,
        timestamp_ms: 5,
        text: None,
    };
    amendments::apply(&mut tx, message, taken_back)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let found = attachments::find(&store, said.id).await.unwrap().unwrap();
    assert_eq!(found.reason, Some(AttachmentReason::Withdrawn));
    assert!(found.said.thumbnail.is_empty());
    assert!(attachments::list_files(&store).await.unwrap().is_empty());
    assert_eq!(
        transfers::list_removals(&store, 9).await.unwrap(),
        [(said.id, Some(life.row))]
    );
    let shown = messages::find(&store, id(1)).await.unwrap().unwrap();
    assert_eq!(shown.attachment, None);
    store.close().await;
}

/// The installation that made the backup may have brought it to the relay afterwards: it is not told as taken back.
#[tokio::test]
async fn an_upload_that_a_restore_ends_was_not_given_up() {
    let (_dir, store) = fresh().await;
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let said = film(&mut rng);
    let mut tx = store.begin().await.unwrap();
    let conversation = with(&mut tx, "bob").await;
    let life = add(&mut tx, &said, &mut rng).await;
    attachments::seal(&mut tx, life, &said.ciphertext_digest, b"", 2)
        .await
        .unwrap();
    let message = send(&mut tx, conversation, 1, Ok(b"envelope")).await;
    attachments::name_in(&mut tx, life.row, message, 3)
        .await
        .unwrap();
    restored::take_over(&mut tx, 5).await.unwrap();
    tx.commit().await.unwrap();
    let found = attachments::find(&store, said.id).await.unwrap().unwrap();
    assert_eq!(found.state, AttachmentState::Failed);
    assert!(!found.was_given_up());
    store.close().await;
}

#[tokio::test]
async fn what_stopped_coming_and_what_nobody_named_goes() {
    let (_dir, store) = fresh().await;
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let mut tx = store.begin().await.unwrap();
    let (half, whole) = (film(&mut rng), film(&mut rng));
    add(&mut tx, &half, &mut rng).await;
    let life = add(&mut tx, &whole, &mut rng).await;
    attachments::seal(&mut tx, life, &[0; 32], b"", 50)
        .await
        .unwrap();
    let gone = attachments::remove_abandoned(&mut tx, false, 50)
        .await
        .unwrap();
    assert_eq!(gone, 0, "one is coming, and one may still be named");
    assert_eq!(
        attachments::remove_abandoned(&mut tx, true, 50)
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        attachments::remove_abandoned(&mut tx, true, 51)
            .await
            .unwrap(),
        1
    );
    tx.commit().await.unwrap();
    assert!(attachments::find(&store, half.id).await.unwrap().is_none());
    store.close().await;
}

#[tokio::test]
async fn nothing_moves_what_lives_on_under_another_file() {
    let (_dir, store) = fresh().await;
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let said = film(&mut rng);
    let (downloading, ready) = (AttachmentState::Downloading, AttachmentState::Ready);
    let mut tx = store.begin().await.unwrap();
    let first = add(&mut tx, &said, &mut rng).await;
    let sealed = AttachmentState::Sealed;
    attachments::seal(&mut tx, first, &said.ciphertext_digest, b"", 2)
        .await
        .unwrap();
    let file = FileName::random(&mut rng);
    assert!(
        transfers::fetch(&mut tx, first, sealed, file, 3)
            .await
            .unwrap()
    );
    let second = Life { file, ..first };
    let late = transfers::note_chunk(&mut tx, first, downloading, 1).await;
    assert_eq!(late.unwrap(), None);
    let late = transfers::move_on(&mut tx, first, downloading, (ready, None), 4).await;
    assert!(!late.unwrap());
    attachments::remove(&mut tx, first).await.unwrap();
    let noted = transfers::note_chunk(&mut tx, second, downloading, 1).await;
    assert_eq!(noted.unwrap(), Some(1));
    let moved = transfers::move_on(&mut tx, second, downloading, (ready, None), 5).await;
    assert!(moved.unwrap());
    tx.commit().await.unwrap();
    assert!(
        attachments::find_again(&store, first)
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        attachments::find_again(&store, second)
            .await
            .unwrap()
            .is_some()
    );
    store.close().await;
}
