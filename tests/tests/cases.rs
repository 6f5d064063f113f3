//! A patient case among colleagues, over a real relay: everybody reads it, in fields and in words (§3.6, §8.2.3).

use anyhow::Result;
use connect_api::account::Enroll;
use connect_api::cases::{
    CaseParams, CaseRole, CaseState, Close, FieldParams, Leave, ListFieldHistory,
};
use connect_api::conversation::Conversation;
use connect_api::errors::ErrorCode;
use connect_api::events::EventBody;
use connect_api::messages::{
    Delete, Edit, EditParams, Get, MarkRead, MarkReadParams, MessageParams, MessageState,
};
use connect_api::search::{Search, SearchParams};
use connect_tests::cases::{three, value};
use connect_tests::world::{World, refusal, unhurried};
use connectd::limits::Limits;

#[tokio::test(flavor = "multi_thread")]
async fn three_share_fields_and_words_and_each_has_its_author() -> Result<()> {
    let world = World::new().await?;
    let [alice, bob, carol] = three(&world).await?;
    let fields = [("allergies", "none known"), ("weight", "71 kg")];
    let case = alice.begins_case("Bed 4", &[&bob, &carol], &fields).await?;
    let id = case.case.as_str();
    assert_eq!(case.state, CaseState::Open);
    let roles: Vec<_> = case.participants.iter().map(|one| one.role).collect();
    assert_eq!(roles, [CaseRole::Admin, CaseRole::Member, CaseRole::Member]);

    for person in [&bob, &carol] {
        let seen = person
            .sees_case_with(id, |case| case.fields.len() == 2)
            .await?;
        assert_eq!(seen.title, "Bed 4");
        assert_eq!(seen.patient_reference.as_deref(), Some("MRN 17"));
        assert_eq!(value(&seen, "allergies"), Some("none known"));
        assert_eq!(seen.participants.len(), 3);
    }
    let asked = bob.says(id, "Since when the rash?").await?;
    assert_eq!(carol.receives(&asked).await?.author, "bob");
    alice.receives(&asked).await?;
    bob.sees_state(&asked, MessageState::Delivered).await?;
    let set = carol.sets(id, ("allergies", "penicillin"), 1).await?;
    assert_eq!(value(&set, "allergies"), Some("penicillin"));
    for person in [&alice, &bob] {
        let seen = person
            .sees_case_with(id, |case| value(case, "allergies") == Some("penicillin"))
            .await?;
        let field = &seen.fields[0];
        assert_eq!(
            (field.newest.author.as_str(), field.newest.revision),
            ("carol", 2)
        );
        assert!(field.conflicts.is_empty());
        let params = FieldParams {
            case: id.to_owned(),
            name: "allergies".to_owned(),
        };
        let history = person.client.call::<ListFieldHistory>(params).await?;
        let authors: Vec<_> = history.items.iter().map(|it| it.author.as_str()).collect();
        assert_eq!(authors, ["alice", "carol"]);
    }
    let outdated = carol.sets(id, ("allergies", "none"), 1).await;
    assert_eq!(refusal(outdated)?, ErrorCode::RevisionConflict);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_is_amended_searched_read_and_kept_over_a_restart() -> Result<()> {
    let world = World::new().await?;
    let [alice, mut bob, carol] = three(&world).await?;
    let case = alice.begins_case("Bed 4", &[&bob, &carol], &[]).await?;
    let id = case.case.as_str();
    let first = alice.says(id, "Potassium 6.1").await?;
    let second = alice.says(id, "Bed 5, sorry").await?;
    bob.receives(&second).await?;
    let edit = EditParams {
        message_id: first.clone(),
        text: "Potassium 5.1".to_owned(),
    };
    alice.client.call::<Edit>(edit).await?;
    let message_id = second.clone();
    alice
        .client
        .call::<Delete>(MessageParams { message_id })
        .await?;
    bob.sees(
        |body| matches!(body, EventBody::MessageDeleted { message_id, .. } if *message_id == second),
    )
    .await?;
    let texts = |all: Vec<connect_api::messages::Message>| -> Vec<String> {
        all.into_iter().map(|message| message.text).collect()
    };
    assert_eq!(texts(bob.reads_case(id).await?), ["Potassium 5.1", ""]);
    let mark = MarkReadParams {
        conversation: Conversation::Case(id.to_owned()),
        up_to: second.clone(),
    };
    bob.client.call::<MarkRead>(mark).await?;
    alice
        .sees(|body| {
            matches!(body, EventBody::MessageState { message_id, user_id, state: MessageState::Read, .. }
                if *message_id == first && user_id == "bob")
        })
        .await?;
    let message_id = first.clone();
    let sent = alice
        .client
        .call::<Get>(MessageParams { message_id })
        .await?;
    assert_eq!(sent.recipients.len(), 2);
    bob.restart().await?;
    let found = bob
        .client
        .call::<Search>(SearchParams {
            query: "potassium".to_owned(),
            conversation: Some(Conversation::Case(id.to_owned())),
            after: None,
            limit: None,
        })
        .await?;
    assert_eq!(found.items.len(), 1);
    let later = carol.says(id, "Seen").await?;
    bob.receives(&later).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_edit_one_field_at_once_and_both_see_both() -> Result<()> {
    let mut world = World::new().await?;
    let [alice, bob, carol] = three(&world).await?;
    let fields = [("allergies", "none known")];
    let case = alice.begins_case("Bed 4", &[&bob, &carol], &fields).await?;
    let id = case.case.as_str();
    for person in [&bob, &carol] {
        person
            .sees_case_with(id, |case| !case.fields.is_empty())
            .await?;
    }
    world.stop_relay().await;
    alice.sets(id, ("allergies", "penicillin"), 1).await?;
    bob.sets(id, ("allergies", "latex"), 1).await?;
    world.start_relay().await?;
    let mut newest = Vec::new();
    for person in [&alice, &bob, &carol] {
        let conflict = |body: &EventBody| matches!(body, EventBody::CaseConflict { case, name: Some(name), .. } if case == id && name == "allergies");
        person.sees(conflict).await?;
        let seen = person.case(id).await?;
        let field = &seen.fields[0];
        assert_eq!((field.newest.revision, field.conflicts.len()), (2, 1));
        let mut both = vec![field.newest.value.clone(), field.conflicts[0].value.clone()];
        newest.push(both[0].clone());
        both.sort();
        let expected = ["latex", "penicillin"].map(|value| Some(value.to_owned()));
        assert_eq!(both, expected);
    }
    // Everybody takes the same one for the newest.
    assert!(newest.iter().all(|value| *value == newest[0]));

    let settled = carol
        .sets(id, ("allergies", "penicillin, latex"), 2)
        .await?;
    assert!(settled.fields[0].conflicts.is_empty());
    for person in [&alice, &bob] {
        let seen = person
            .sees_case_with(id, |case| case.fields[0].newest.revision == 3)
            .await?;
        assert!(seen.fields[0].conflicts.is_empty());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_taken_out_reads_what_was_before_and_nothing_after() -> Result<()> {
    let world = World::new().await?;
    let [alice, bob, carol] = three(&world).await?;
    let case = alice.begins_case("Bed 4", &[&bob, &carol], &[]).await?;
    let id = case.case.as_str();
    let before = alice.says(id, "before").await?;
    carol.receives(&before).await?;
    bob.receives(&before).await?;
    let member = bob.client.call::<connect_api::cases::RemoveParticipant>(
        connect_api::cases::ParticipantParams {
            case: id.to_owned(),
            user_id: "carol".to_owned(),
        },
    );
    assert_eq!(refusal(member.await)?, ErrorCode::Invalid);

    let removed = alice.removes_from_case(id, &carol).await?;
    assert_eq!((removed.epoch, removed.participants.len()), (2, 2));
    let seen = carol
        .sees_case_with(id, |case| case.state == CaseState::Left)
        .await?;
    assert_eq!(seen.participants.len(), 2);
    let seen = bob.sees_case_with(id, |case| case.epoch == 2).await?;
    assert_eq!(seen.participants.len(), 2);
    let after = bob.says(id, "after").await?;
    alice.receives(&after).await?;
    assert_eq!(
        refusal(carol.says(id, "still here").await)?,
        ErrorCode::NotAParticipant
    );

    // What comes to Carol next is not of the case.
    let direct = alice.writes(&carol, "direct").await?;
    carol.receives(&direct).await?;
    let texts: Vec<_> = carol
        .reads_case(id)
        .await?
        .into_iter()
        .map(|it| it.text)
        .collect();
    assert_eq!(texts, ["before"]);
    let health = carol.client.health().await?;
    assert_eq!(health.inbox.quarantined, 0);
    let texts: Vec<_> = bob
        .reads_case(id)
        .await?
        .into_iter()
        .map(|it| it.text)
        .collect();
    assert_eq!(texts, ["before", "after"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn once_somebody_has_left_the_others_write_under_another_key() -> Result<()> {
    let world = World::new().await?;
    let [alice, bob, carol] = three(&world).await?;
    let case = alice.begins_case("Bed 4", &[&bob, &carol], &[]).await?;
    let id = case.case.as_str();
    for person in [&bob, &carol] {
        person.sees_case(id, 1).await?;
    }
    let params = CaseParams {
        case: id.to_owned(),
    };
    let left = bob.client.call::<Leave>(params).await?;
    assert_eq!(left.state, CaseState::Left);
    for person in [&alice, &carol] {
        let seen = person.sees_case_with(id, |case| case.epoch == 2).await?;
        assert_eq!(seen.participants.len(), 2);
    }
    let said = carol.says(id, "he has gone").await?;
    alice.receives(&said).await?;
    // Whoever began it may go too: those who remain are all admins then.
    let params = CaseParams {
        case: id.to_owned(),
    };
    alice.client.call::<Leave>(params).await?;
    let seen = carol.sees_case_with(id, |case| case.epoch == 3).await?;
    assert_eq!(seen.participants.len(), 1);
    assert_eq!(seen.participants[0].role, CaseRole::Admin);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn another_key_of_a_participant_begins_another_epoch() -> Result<()> {
    let world = World::new().await?;
    let [alice, bob, carol] = three(&world).await?;
    let case = alice.begins_case("Bed 4", &[&bob, &carol], &[]).await?;
    let id = case.case.as_str();
    for person in [&bob, &carol] {
        person.sees_case(id, 1).await?;
    }
    bob.client
        .call::<connect_api::account::RotateKeys>(connect_api::page::Nothing {})
        .await?;
    for person in [&alice, &bob, &carol] {
        let seen = person.sees_case_with(id, |case| case.epoch == 2).await?;
        assert_eq!((seen.revision, seen.participants.len()), (2, 3));
    }
    let said = bob.says(id, "under my new keys").await?;
    for person in [&alice, &carol] {
        assert_eq!(person.receives(&said).await?.author, "bob");
    }
    // Where the one who sees to it has another key itself, the next one does.
    alice
        .client
        .call::<connect_api::account::RotateKeys>(connect_api::page::Nothing {})
        .await?;
    for person in [&alice, &bob, &carol] {
        person.sees_case_with(id, |case| case.epoch == 3).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_case_is_read_and_not_written() -> Result<()> {
    let world = World::new().await?;
    let [alice, bob, carol] = three(&world).await?;
    let case = alice.begins_case("Bed 4", &[&bob, &carol], &[]).await?;
    let id = case.case.as_str();
    let said = bob.sees_case(id, 1).await.map(|_| ());
    said?;
    let params = || CaseParams {
        case: id.to_owned(),
    };
    assert_eq!(
        refusal(bob.client.call::<Close>(params()).await)?,
        ErrorCode::Invalid
    );
    let closed = alice.client.call::<Close>(params()).await?;
    assert_eq!(closed.state, CaseState::Closed);
    let seen = bob.sees_case(id, 2).await?;
    assert_eq!(seen.state, CaseState::Closed);
    for person in [&alice, &bob] {
        assert_eq!(refusal(person.says(id, "more").await)?, ErrorCode::Invalid);
        let set = person.sets(id, ("a", "b"), 0).await;
        assert_eq!(refusal(set)?, ErrorCode::Invalid);
    }
    Ok(())
}

/// A call that was carried out says so, and the case stays readable: what does not fit into an answer is got by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_case_is_read_however_much_it_has() -> Result<()> {
    let world = World::new().await?;
    let limits = Limits {
        line_out: 100_000,
        ..unhurried()
    };
    let alice = world.stranger_with("alice", limits).await?;
    let enrollment = world.enrollment("alice").await?;
    alice.client.call::<Enroll>(enrollment).await?;
    let case = alice.begins_case("Bed 4", &[], &[]).await?.case;
    let (long, short) = ("x".repeat(32 << 10), "71 kg");
    for (name, value) in [
        ("a", long.as_str()),
        ("b", &long),
        ("c", &long),
        ("weight", short),
    ] {
        let answered = alice.sets(&case, (name, value), 0).await?;
        assert_eq!(
            answered.fields.last().map(|field| field.newest.revision),
            Some(1)
        );
    }
    let seen = alice.case(&case).await?;
    let there = |name| value(&seen, name).is_some();
    assert_eq!(
        [there("a"), there("b"), there("c")]
            .iter()
            .filter(|it| **it)
            .count(),
        2
    );
    assert_eq!(value(&seen, "weight"), Some(short));
    for name in ["a", "b", "c"] {
        let params = FieldParams {
            case: case.clone(),
            name: name.to_owned(),
        };
        let history = alice.client.call::<ListFieldHistory>(params).await?;
        assert_eq!(history.items[0].value.as_ref(), Some(&long));
    }
    Ok(())
}
