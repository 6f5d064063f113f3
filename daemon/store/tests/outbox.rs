//! What goes out: in order, once, and held where somebody has to decide.

use crate::support::{fresh, id, new, send, user, with};
use connect_proto::ids::{GroupId, InstallationId};
use connect_proto::keys::{BoxPublicKey, SignPublicKey};
use connect_store::account::{self, Account};
use connect_store::client_refs;
use connect_store::codes::{RecipientState, StateReason};
use connect_store::conversations::{self, Conversation};
use connect_store::lanes::{self, Lane};
use connect_store::messages::{self, From};
use connect_store::outbox::{self, Freight};
use connect_store::outgoing::{Control, Numbered, Outgoing, Recipients, To};
use connect_store::received::{self, Stored};
use connect_store::recipients::{self, Recipient};
use connect_store::{drafts, events, outgoing, parting, restored};

const LONGEST: u64 = 300_000;

/// Of the installation that everything here is of.
fn numbered(sequence: u64) -> Numbered {
    Numbered {
        installation_id: InstallationId::from_bytes([1; 8]),
        sequence,
    }
}

fn me() -> Account {
    Account {
        user_id: user("me"),
        installation_id: InstallationId::from_bytes([1; 8]),
        display_name: String::new(),
        profession: String::new(),
        organisation: String::new(),
        attested: false,
        box_key: BoxPublicKey::from_trusted([1; 32]),
        sign_key: SignPublicKey::from_trusted([1; 32]),
        bundle_revision: 1,
        relay_url: String::new(),
        relay_pins: Vec::new(),
        relay_ca_pem: None,
        operations_key: SignPublicKey::from_trusted([1; 32]),
        enrolled_ms: 0,
    }
}

#[tokio::test]
async fn a_message_waits_for_the_earlier_one_of_its_conversation() {
    let (_dir, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    let bob = with(&mut tx, "bob").await;
    let carol = with(&mut tx, "carol").await;
    let first = send(&mut tx, bob, 1, Ok(b"first")).await;
    send(&mut tx, bob, 2, Ok(b"second")).await;
    let other = send(&mut tx, carol, 3, Ok(b"other")).await;
    tx.commit().await.unwrap();
    let due = async |now_ms| outbox::find_due(&store, now_ms, LONGEST).await.unwrap();
    let head = due(0).await.unwrap();
    assert_eq!((head.freight, head.attempts), (Freight::Message(first), 0));
    assert_eq!(head.envelope.as_deref(), Some(&b"first"[..]));

    let mut tx = store.begin().await.unwrap();
    let full = Some(StateReason::MailboxFull);
    let was_held = outbox::postpone(&mut tx, head.row, 1, 1000, full).await;
    assert!(!was_held.unwrap());
    tx.commit().await.unwrap();
    let next = due(10).await.unwrap();
    assert_eq!(next.freight, Freight::Message(other));
    let mut tx = store.begin().await.unwrap();
    let removed = outbox::remove(&mut tx, next.row).await.unwrap();
    assert_eq!(removed, Some(false));
    assert_eq!(outbox::remove(&mut tx, next.row).await.unwrap(), None);
    assert_eq!(outbox::count(&mut tx).await.unwrap(), (2, 1));
    tx.commit().await.unwrap();
    assert!(due(10).await.is_none());
    assert_eq!(outbox::next_due_ms(&store).await.unwrap(), Some(1000));
    assert_eq!(due(1000).await.unwrap().attempts, 1);
    store.close().await;
}

/// A clock that was a year ahead and was set back must not hold a message for that year.
#[tokio::test]
async fn what_waits_for_longer_than_anything_may_is_due() {
    let (_dir, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    let bob = with(&mut tx, "bob").await;
    send(&mut tx, bob, 1, Ok(b"first")).await;
    tx.commit().await.unwrap();
    let head = outbox::find_due(&store, 0, LONGEST).await.unwrap().unwrap();
    let mut tx = store.begin().await.unwrap();
    outbox::postpone(&mut tx, head.row, 1, LONGEST + 2, None)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert!(
        outbox::find_due(&store, 2, LONGEST)
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        outbox::find_due(&store, 1, LONGEST)
            .await
            .unwrap()
            .is_some()
    );
    store.close().await;
}

#[tokio::test]
async fn what_is_held_waits_and_goes_out_sealed_anew() {
    let (_dir, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    let bob = with(&mut tx, "bob").await;
    let first = send(&mut tx, bob, 1, Ok(b"old key")).await;
    let second = send(&mut tx, bob, 2, Err(StateReason::KeyChanged)).await;
    let held = outbox::hold_all(&mut tx, Lane::of_all(bob), StateReason::KeyChanged).await;
    let held: Vec<_> = held.unwrap().iter().map(|sent| sent.row).collect();
    assert_eq!(held, [first], "the second one was held already");
    assert_eq!(outbox::count(&mut tx).await.unwrap(), (2, 2));
    tx.commit().await.unwrap();
    assert!(
        outbox::find_due(&store, 9, LONGEST)
            .await
            .unwrap()
            .is_none()
    );

    let mut tx = store.begin().await.unwrap();
    let released = outbox::release_all(&mut tx, Lane::of_all(bob))
        .await
        .unwrap();
    assert_eq!(released.len(), 2);
    tx.commit().await.unwrap();
    let due = outbox::find_due(&store, 9, LONGEST).await.unwrap().unwrap();
    assert_eq!((due.freight, due.envelope), (Freight::Message(first), None));
    let mut tx = store.begin().await.unwrap();
    let draft = drafts::find(&mut tx, due.freight).await.unwrap().unwrap();
    assert_eq!((draft.message_id, draft.sequence), (id(1), 1));
    outbox::reseal(&mut tx, due.row, b"new key").await.unwrap();
    tx.commit().await.unwrap();
    let due = outbox::find_due(&store, 9, LONGEST).await.unwrap().unwrap();
    assert_eq!(due.envelope.as_deref(), Some(&b"new key"[..]));
    assert!(due.resealed, "the relay may have it under the old key");
    let mut tx = store.begin().await.unwrap();
    assert!(
        outbox::withdraw(&mut tx, second).await.unwrap() == 0,
        "it is not held"
    );
    drop(tx);
    store.close().await;
}

/// What was ever sealed may have arrived though nobody answered, and what was restored the installation before may have sent.
#[tokio::test]
async fn only_what_cannot_have_gone_out_is_withdrawn() {
    let (_dir, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    account::put(&mut tx, &me()).await.unwrap();
    let bob = with(&mut tx, "bob").await;
    let sealed = send(&mut tx, bob, 1, Ok(b"the answer was lost")).await;
    let never = send(&mut tx, bob, 2, Err(StateReason::KeyChanged)).await;
    let restored = send(&mut tx, bob, 3, Err(StateReason::KeyChanged)).await;
    outbox::hold_all(&mut tx, Lane::of_all(bob), StateReason::KeyChanged)
        .await
        .unwrap();
    assert_eq!(outbox::withdraw(&mut tx, sealed).await.unwrap(), 0);
    assert_eq!(outbox::withdraw(&mut tx, never).await.unwrap(), 1);
    restored::take_over(&mut tx, 5).await.unwrap();
    assert_eq!(outbox::withdraw(&mut tx, restored).await.unwrap(), 0);
    drop(tx);
    store.close().await;
}

#[tokio::test]
async fn controls_are_forgotten_once_they_are_old_and_on_no_way() {
    let (_dir, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    let bob = with(&mut tx, "bob").await;
    for n in 1..=3 {
        let control = Control {
            conversation: bob,
            message_id: id(n),
            timestamp_ms: u64::from(n),
            sequence: u64::from(n),
            payload: b"payload",
            recipients: Recipients::One(To {
                user_id: &user("bob"),
                hold: None,
            }),
            envelope: Some(b"envelope"),
        };
        outgoing::add_control(&mut tx, &control).await.unwrap();
        let came =
            received::add_control(&mut tx, &user("bob"), id(n), &[n; 32], u64::from(n)).await;
        assert_eq!(came.unwrap(), Stored::New);
    }
    tx.commit().await.unwrap();
    let head = outbox::find_due(&store, 0, LONGEST).await.unwrap().unwrap();
    let mut tx = store.begin().await.unwrap();
    account::put(&mut tx, &me()).await.unwrap();
    outbox::remove(&mut tx, head.row).await.unwrap();
    assert_eq!(outgoing::forget_controls(&mut tx, 3, 9).await.unwrap(), 1);
    assert_eq!(
        outgoing::list_range(&mut tx, bob, None, numbered(1), 9, 9)
            .await
            .unwrap()
            .len(),
        2
    );
    assert_eq!(received::forget_controls(&mut tx, 3, 1).await.unwrap(), 1);
    assert_eq!(received::forget_controls(&mut tx, 3, 9).await.unwrap(), 1);
    assert_eq!(received::forget_controls(&mut tx, 3, 9).await.unwrap(), 0);
    drop(tx);
    store.close().await;
}

#[tokio::test]
async fn what_is_asked_for_again_is_queued_once() {
    let (_dir, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    let bob = with(&mut tx, "bob").await;
    let rows = [
        send(&mut tx, bob, 1, Ok(b"a")).await,
        send(&mut tx, bob, 2, Ok(b"b")).await,
    ];
    let found = outgoing::find_sequence(&mut tx, bob, &user("me"), id(2)).await;
    assert_eq!(found.unwrap(), Some(numbered(2)));
    let range = outgoing::list_range(&mut tx, bob, None, numbered(1), 9, 9)
        .await
        .unwrap();
    assert_eq!(range, rows.map(Freight::Message));
    let of_another = Numbered {
        installation_id: InstallationId::from_bytes([2; 8]),
        sequence: 1,
    };
    let range_of_another = outgoing::list_range(&mut tx, bob, None, of_another, 9, 9).await;
    assert_eq!(range_of_another.unwrap(), []);
    assert!(
        !outgoing::add_again(&mut tx, bob, None, range[0], None)
            .await
            .unwrap()
    );
    tx.commit().await.unwrap();
    let due = outbox::find_due(&store, 9, LONGEST).await.unwrap().unwrap();
    let mut tx = store.begin().await.unwrap();
    let accepted = outbox::accept(&mut tx, &due, rows[0], 7)
        .await
        .unwrap()
        .unwrap();
    assert!(accepted.event.is_some() && !accepted.was_held);
    assert!(
        outgoing::add_again(&mut tx, bob, None, range[0], None)
            .await
            .unwrap()
    );
    let listed = recipients::list(&mut tx, rows[0]).await.unwrap();
    assert_eq!(listed[0].state, RecipientState::Sent);
    tx.commit().await.unwrap();
    let told = events::list(&store, 0, 9).await.unwrap();
    assert_eq!(told.last().unwrap().state, Some(RecipientState::Sent));
    store.close().await;
}

#[tokio::test]
async fn what_is_sent_is_stored_queued_told_and_remembered_together() {
    let (_dir, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    let bob = with(&mut tx, "bob").await;
    let first = send(&mut tx, bob, 1, Ok(b"a")).await;
    send(&mut tx, bob, 2, Ok(b"b")).await;
    let remembered = client_refs::find(&mut tx, "app", "ref").await;
    let remembered = remembered.unwrap().unwrap();
    assert_eq!((remembered.message, remembered.digest), (first, [1; 32]));
    tx.commit().await.unwrap();
    let told = events::list(&store, 0, 9).await.unwrap();
    assert_eq!(told.len(), 2);
    assert_eq!(told[0].message_id, Some(id(1)));
    assert_eq!(told[0].state, Some(RecipientState::Queued));
    assert_eq!(told[0].user_id.as_deref(), Some("bob"));
    store.close().await;
}

#[tokio::test]
async fn recipients_keep_their_state_and_reason() {
    let (_dir, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    let bob = with(&mut tx, "bob").await;
    let message = send(&mut tx, bob, 1, Ok(b"a")).await;
    let mut recipient = Recipient {
        user_id: user("bob"),
        state: RecipientState::Queued,
        reason: None,
        changed_ms: 6,
    };
    let listed = recipients::list(&mut tx, message).await.unwrap();
    assert_eq!(listed, [recipient.clone()]);
    recipient.state = RecipientState::Failed;
    recipient.reason = Some(StateReason::Expired);
    assert!(
        recipients::advance(&mut tx, message, &recipient)
            .await
            .unwrap()
    );
    tx.commit().await.unwrap();
    let listed = messages::list(&store, bob, From::Newest, 5).await.unwrap();
    assert_eq!(listed[0].recipients, [recipient.clone()]);
    let found = messages::find_by_row(&store, message)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.recipients, [recipient]);
    store.close().await;
}

#[tokio::test]
async fn sequences_rise_per_conversation() {
    let (_dir, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    let row = with(&mut tx, "bob").await;
    for (name, expected) in [("bob", 1), ("bob", 2), ("carol", 1), ("bob", 3)] {
        let conversation = Conversation::User(user(name));
        let next = conversations::next_sequence(&mut tx, &conversation).await;
        let (found, sequence) = next.unwrap();
        assert_eq!(sequence, expected);
        assert_eq!(found == row, name == "bob");
    }
    drop(tx);
    store.close().await;
}

/// From each state into each: what `TRANSITIONS` has is done, and nothing else.
#[tokio::test]
async fn a_recipient_goes_no_other_way_than_the_table_has() {
    use RecipientState::{Queued, Sent};
    let (_dir, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    let bob = with(&mut tx, "bob").await;
    let at = |state| Recipient {
        user_id: user("bob"),
        state,
        reason: None,
        changed_ms: 1,
    };
    let mut number = 0;
    for &from in RecipientState::ALL {
        for &to in RecipientState::ALL {
            number += 1;
            let message = send(&mut tx, bob, number, Ok(b"a")).await;
            if from != Queued {
                recipients::advance(&mut tx, message, &at(from))
                    .await
                    .unwrap();
            }
            let is_a_way = recipients::TRANSITIONS.contains(&(from, to));
            let moved = recipients::advance(&mut tx, message, &at(to))
                .await
                .unwrap();
            assert_eq!(moved, is_a_way, "{from:?} to {to:?}");
            let now = recipients::list(&mut tx, message).await.unwrap()[0].state;
            assert_eq!(now, if moved { to } else { from }, "{from:?} to {to:?}");
        }
    }
    assert_eq!(number, 36);
    assert!(!recipients::TRANSITIONS.contains(&(Sent, Queued)));
    drop(tx);
    store.close().await;
}

#[tokio::test]
async fn what_is_held_for_another_reason_is_told_so() {
    let (_dir, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    let bob = with(&mut tx, "bob").await;
    let message = send(&mut tx, bob, 1, Ok(b"a")).await;
    for (reason, is_news) in [
        (StateReason::MailboxFull, true),
        (StateReason::MailboxFull, false),
        (StateReason::KeyRevoked, true),
    ] {
        let held = Recipient {
            user_id: user("bob"),
            state: RecipientState::Held,
            reason: Some(reason),
            changed_ms: 1,
        };
        let moved = recipients::advance(&mut tx, message, &held).await.unwrap();
        assert_eq!(moved, is_news, "{reason:?}");
    }
    drop(tx);
    store.close().await;
}

/// Three read along, and one of them has to wait: alone, in a line of her own.
#[tokio::test]
async fn who_waits_in_a_roster_waits_alone() {
    let (_dir, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    let group = Conversation::Group(GroupId::from_bytes([7; 16]));
    let group = conversations::ensure(&mut tx, &group).await.unwrap();
    let (me, bob, carol, dave) = (user("me"), user("bob"), user("carol"), user("dave"));
    let all = |waits: Option<StateReason>| {
        [(&bob, None), (&carol, waits), (&dave, None)].map(|(user_id, hold)| To { user_id, hold })
    };
    let (held, ready) = (all(Some(StateReason::KeyChanged)), all(None));
    for (n, to) in [(1, &held), (2, &ready)] {
        let new = Outgoing {
            message: new(group, &me, n, "text"),
            recipients: Recipients::Several(to),
            envelope: Some(b"for all of them"),
            app: "app",
            client_ref: None,
            digest: &[n; 32],
        };
        outgoing::add(&mut tx, &new).await.unwrap();
    }
    assert_eq!(Recipients::Several(&held).count_rows(), (2, 1));
    assert_eq!(outbox::count(&mut tx).await.unwrap(), (3, 1));
    tx.commit().await.unwrap();

    let due = outbox::find_due(&store, 0, LONGEST).await.unwrap().unwrap();
    assert_eq!(due.recipients, Some(vec![bob.clone(), dave.clone()]));
    let Freight::Message(first) = due.freight else {
        panic!("{due:?}")
    };
    let mut tx = store.begin().await.unwrap();
    let accepted = outbox::accept(&mut tx, &due, first, 7).await.unwrap();
    assert!(accepted.unwrap().event.is_some());
    let states = recipients::list(&mut tx, first).await.unwrap();
    let states: Vec<_> = states.iter().map(|it| it.state).collect();
    let (sent, waits) = (RecipientState::Sent, RecipientState::Held);
    assert_eq!(states, [sent, waits, sent]);

    // Her key changes while the second one is on its way: it is taken apart.
    for row in parting::list_with(&mut tx, None, &carol).await.unwrap() {
        parting::part(&mut tx, row, std::slice::from_ref(&carol))
            .await
            .unwrap();
    }
    let [lane] = lanes::list_of(&mut tx, &carol).await.unwrap()[..] else {
        panic!("one line of her own")
    };
    let held = outbox::hold_all(&mut tx, lane, StateReason::KeyChanged).await;
    assert_eq!(held.unwrap().len(), 1, "the first one was held before");
    assert_eq!(outbox::count_held_in(&mut tx, lane).await.unwrap(), 2);
    tx.commit().await.unwrap();
    let counted = outbox::count_held(&store).await.unwrap();
    assert_eq!(counted.get("carol"), Some(&2));

    let due = outbox::find_due(&store, 0, LONGEST).await.unwrap().unwrap();
    assert_eq!(due.recipients, Some(vec![bob, dave]));
    assert!(due.envelope.is_none(), "it is sealed anew, without her");
    let mut tx = store.begin().await.unwrap();
    outbox::remove(&mut tx, due.row).await.unwrap();
    tx.commit().await.unwrap();
    assert!(
        outbox::find_due(&store, 0, LONGEST)
            .await
            .unwrap()
            .is_none()
    );
    let mut tx = store.begin().await.unwrap();
    outbox::release_all(&mut tx, lane).await.unwrap();
    tx.commit().await.unwrap();
    let due = outbox::find_due(&store, 0, LONGEST).await.unwrap().unwrap();
    assert_eq!(due.freight, Freight::Message(first));
    assert_eq!(due.recipients, Some(vec![carol]));
    store.close().await;
}
