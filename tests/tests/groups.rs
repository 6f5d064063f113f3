//! Groups between real daemons: who hears what, what late and former members have, and who waits alone (D17, D18, D25).

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use connect_api::account::RotateKeys;
use connect_api::conversation::Conversation;
use connect_api::conversations;
use connect_api::errors::ErrorCode;
use connect_api::events::{EventBody, GroupChange};
use connect_api::groups::{
    Create, CreateParams, Get, Group, GroupParams, Leave, Role, Standing, Update, UpdateParams,
};
use connect_api::messages::{
    self, Delete, Edit, EditParams, MarkRead, MarkReadParams, Message, MessageParams, MessageState,
    StateReason,
};
use connect_api::page::{ListParams, Nothing};
use connect_api::search::{Search, SearchParams};
use connect_api::trust::{Compare, CompareParams, Decide, DecideParams, Decision, Fingerprint};
use connect_tests::world::{Person, World, refusal};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(30);

async fn soon<T>(what: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(PATIENCE, what).await.context("it takes too long")?
}

async fn people<const N: usize>(world: &World, names: [&str; N]) -> Result<[Person; N]> {
    let mut people = Vec::new();
    for name in names {
        people.push(world.person(name).await?);
    }
    people.try_into().ok().context("as many as were asked for")
}

async fn create(admin: &Person, others: &[&Person]) -> Result<Conversation> {
    let params = CreateParams {
        name: "Ward 3".to_owned(),
        members: others.iter().map(|person| person.name.clone()).collect(),
    };
    let group = admin.client.call::<Create>(params).await?;
    let group = Conversation::Group(group.group);
    for other in others {
        changes(other, &group, GroupChange::Joined, None).await?;
    }
    Ok(group)
}

fn id(group: &Conversation) -> String {
    match group {
        Conversation::Group(id) => id.clone(),
        other => panic!("{other:?} is no group"),
    }
}

async fn changes(
    person: &Person,
    group: &Conversation,
    wanted: GroupChange,
    about: Option<&Person>,
) -> Result<u64> {
    let about = about.map(|person| person.name.clone());
    let event = person.sees(|body| {
        matches!(body, EventBody::GroupChanged { conversation, what, user_id, .. }
            if conversation == group && *what == wanted && *user_id == about)
    });
    Ok(soon(event).await?.event_id)
}

async fn update(admin: &Person, params: UpdateParams) -> Result<Group> {
    Ok(admin.client.call::<Update>(params).await?)
}

async fn roster(person: &Person, group: &Conversation) -> Result<Group> {
    let params = GroupParams { group: id(group) };
    Ok(person.client.call::<Get>(params).await?)
}

async fn writes(person: &Person, group: &Conversation, text: &str) -> Result<String> {
    let sent = person.client.send_text(group.clone(), text, None).await?;
    Ok(sent.message_id)
}

async fn message(person: &Person, message_id: &str) -> Result<Message> {
    let params = MessageParams {
        message_id: message_id.to_owned(),
    };
    Ok(person.client.call::<messages::Get>(params).await?)
}

/// Oldest first.
async fn texts(person: &Person, group: &Conversation) -> Result<Vec<String>> {
    let params = messages::ListParams {
        conversation: group.clone(),
        before: None,
        after: None,
        limit: Some(500),
    };
    let mut page = person.client.call::<messages::List>(params).await?.items;
    page.reverse();
    Ok(page.into_iter().map(|message| message.text).collect())
}

/// Once a message of ours has come as far as that for somebody.
async fn comes_to(
    person: &Person,
    id: &str,
    recipient: &Person,
    wanted: MessageState,
) -> Result<()> {
    let event = person.sees(|body| {
        matches!(body, EventBody::MessageState { message_id, user_id, state, .. }
            if message_id == id && *user_id == recipient.name && *state == wanted)
    });
    soon(event).await?;
    Ok(())
}

async fn is_missing_nothing(person: &Person) -> Result<()> {
    assert_eq!(
        person.client.health().await?.inbox.missing,
        0,
        "{}",
        person.name
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn three_people_talk_and_each_author_alone_is_told_who_has_read_what() -> Result<()> {
    let world = World::new().await?;
    let [alice, bob, carol] = people(&world, ["alice", "bob", "carol"]).await?;
    // Nobody knows anybody: the directory does.
    let group = create(&alice, &[&bob, &carol]).await?;
    let seen = roster(&bob, &group).await?;
    assert_eq!(seen, roster(&carol, &group).await?.clone());
    assert_eq!(seen.digest, roster(&alice, &group).await?.digest);
    assert_eq!(seen.members[0].role, Role::Admin);

    let first = writes(&alice, &group, "first").await?;
    for reader in [&bob, &carol] {
        let got = soon(reader.receives(&first)).await?;
        assert_eq!(
            (got.text.as_str(), got.conversation),
            ("first", group.clone())
        );
        comes_to(&alice, &first, reader, MessageState::Delivered).await?;
    }
    let second = writes(&bob, &group, "second, by potassium").await?;
    soon(carol.receives(&second)).await?;
    soon(alice.receives(&second)).await?;
    let third = writes(&alice, &group, "third").await?;
    soon(carol.receives(&third)).await?;
    assert_eq!(
        texts(&carol, &group).await?,
        ["first", "second, by potassium", "third"]
    );

    // Carol reads: each author is told of what is theirs, and of nothing else.
    let listed = carol
        .client
        .call::<conversations::List>(ListParams::default())
        .await?;
    let summary = listed.items.first().context("a conversation")?;
    assert_eq!((summary.title.as_str(), summary.unread), ("Ward 3", 3));
    let read = MarkReadParams {
        conversation: group.clone(),
        up_to: third.clone(),
    };
    assert_eq!(carol.client.call::<MarkRead>(read).await?.unread, 0);
    comes_to(&alice, &third, &carol, MessageState::Read).await?;
    comes_to(&bob, &second, &carol, MessageState::Read).await?;
    let states = message(&bob, &second).await?.recipients;
    let states: Vec<_> = states
        .iter()
        .map(|it| (it.user_id.as_str(), it.state))
        .collect();
    assert_eq!(
        states,
        [
            ("alice", MessageState::Delivered),
            ("carol", MessageState::Read)
        ]
    );
    let found = SearchParams {
        query: "potassium".to_owned(),
        conversation: Some(group.clone()),
        after: None,
        limit: None,
    };
    let hits = carol.client.call::<Search>(found).await?.items;
    assert_eq!(hits.len(), 1);

    let edit = EditParams {
        message_id: first.clone(),
        text: "first, corrected".to_owned(),
    };
    alice.client.call::<Edit>(edit).await?;
    let gone = MessageParams {
        message_id: third.clone(),
    };
    alice.client.call::<Delete>(gone).await?;
    for reader in [&bob, &carol] {
        let deleted = reader.sees(
            |body| matches!(body, EventBody::MessageDeleted { message_id, .. } if *message_id == third),
        );
        soon(deleted).await?;
        assert_eq!(message(reader, &first).await?.text, "first, corrected");
    }
    for person in [&alice, &bob, &carol] {
        is_missing_nothing(person).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_late_gets_no_history_and_misses_nothing() -> Result<()> {
    let world = World::new().await?;
    let [alice, bob, carol] = people(&world, ["alice", "bob", "carol"]).await?;
    let group = create(&alice, &[&bob]).await?;
    let early = writes(&alice, &group, "before carol").await?;
    let by_bob = writes(&bob, &group, "also before").await?;
    soon(bob.receives(&early)).await?;
    soon(alice.receives(&by_bob)).await?;
    let add = UpdateParams {
        group: id(&group),
        add: vec![carol.name.clone()],
        ..UpdateParams::default()
    };
    assert_eq!(update(&alice, add).await?.revision, 2);
    changes(&bob, &group, GroupChange::Added, Some(&carol)).await?;
    changes(&carol, &group, GroupChange::Joined, None).await?;

    // What was said before is corrected: she learns nothing of it, and what comes after it is no gap.
    let edit = EditParams {
        message_id: early.clone(),
        text: "before carol, and not for her".to_owned(),
    };
    alice.client.call::<Edit>(edit).await?;
    for author in [&alice, &bob] {
        let id = writes(author, &group, &format!("by {}", author.name)).await?;
        soon(carol.receives(&id)).await?;
    }
    let edited = bob.sees(|body| matches!(body, EventBody::MessageEdited { .. }));
    soon(edited).await?;
    assert_eq!(texts(&carol, &group).await?, ["by alice", "by bob"]);
    assert_eq!(
        message(&bob, &early).await?.text,
        "before carol, and not for her"
    );
    is_missing_nothing(&carol).await?;
    let hers = writes(&carol, &group, "by carol").await?;
    soon(bob.receives(&hers)).await?;
    is_missing_nothing(&bob).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_members_copy_stops_at_the_removal() -> Result<()> {
    let world = World::new().await?;
    let [alice, bob, mut carol] = people(&world, ["alice", "bob", "carol"]).await?;
    let group = create(&alice, &[&bob, &carol]).await?;
    let before = writes(&alice, &group, "for all").await?;
    soon(carol.receives(&before)).await?;
    let remove = UpdateParams {
        group: id(&group),
        remove: vec![carol.name.clone()],
        ..UpdateParams::default()
    };
    update(&alice, remove).await?;
    changes(&carol, &group, GroupChange::Removed, Some(&carol)).await?;
    changes(&bob, &group, GroupChange::Removed, Some(&carol)).await?;
    for author in [&alice, &bob] {
        let after = writes(author, &group, "not for carol").await?;
        soon(author.sees_state(&after, MessageState::Sent)).await?;
        let recipients = message(author, &after).await?.recipients;
        assert_eq!(recipients.len(), 1, "{recipients:?}");
    }
    // Whatever is in her mailbox comes before what is written to her alone.
    let told = alice.writes(&carol, "you are out").await;
    ensure!(told.is_ok(), "{told:?}");
    soon(carol.receives(&told?)).await?;
    assert_eq!(texts(&carol, &group).await?, ["for all"]);
    assert_eq!(roster(&carol, &group).await?.standing, Standing::Removed);
    let refused = refusal(
        carol
            .client
            .send_text(group.clone(), "still here", None)
            .await,
    )?;
    assert_eq!(refused, ErrorCode::NotAParticipant);

    // She is taken in again, and what was said meanwhile is neither there nor missed.
    carol.restart().await?;
    let add = UpdateParams {
        group: id(&group),
        add: vec![carol.name.clone()],
        ..UpdateParams::default()
    };
    update(&alice, add).await?;
    let again = writes(&alice, &group, "welcome again").await?;
    soon(carol.receives(&again)).await?;
    let by_bob = writes(&bob, &group, "from me too").await?;
    soon(carol.receives(&by_bob)).await?;
    assert_eq!(
        texts(&carol, &group).await?,
        ["for all", "welcome again", "from me too"]
    );
    is_missing_nothing(&carol).await
}

#[tokio::test(flavor = "multi_thread")]
async fn anybody_may_leave_and_only_admins_may_change() -> Result<()> {
    let world = World::new().await?;
    let [alice, bob, carol] = people(&world, ["alice", "bob", "carol"]).await?;
    let group = create(&alice, &[&bob, &carol]).await?;
    let rename = |name: &str| UpdateParams {
        group: id(&group),
        name: Some(name.to_owned()),
        ..UpdateParams::default()
    };
    let refused = refusal(bob.client.call::<Update>(rename("Mine")).await)?;
    assert_eq!(refused, ErrorCode::Invalid);
    update(&alice, rename("Ward 4")).await?;
    changes(&bob, &group, GroupChange::Renamed, None).await?;
    assert_eq!(roster(&bob, &group).await?.name, "Ward 4");
    // The same once more is no change.
    assert_eq!(update(&alice, rename("Ward 4")).await?.revision, 2);

    let of_group = || GroupParams { group: id(&group) };
    changes(&carol, &group, GroupChange::Renamed, None).await?;
    let left = carol.client.call::<Leave>(of_group()).await?;
    assert_eq!(left.standing, Standing::Left);
    for other in [&alice, &bob] {
        changes(other, &group, GroupChange::Left, Some(&carol)).await?;
    }
    let refused = refusal(carol.client.call::<Leave>(of_group()).await)?;
    assert_eq!(refused, ErrorCode::NotAParticipant);
    // The last admin leaves: somebody has to be one.
    alice.client.call::<Leave>(of_group()).await?;
    changes(&bob, &group, GroupChange::Left, Some(&alice)).await?;
    let now = roster(&bob, &group).await?;
    assert_eq!(now.members.len(), 1);
    assert_eq!(now.members[0].role, Role::Admin);
    let refused = refusal(bob.client.send_text(group.clone(), "anyone?", None).await)?;
    assert_eq!(refused, ErrorCode::Invalid);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_whose_key_waits_for_a_decision_holds_up_nobody_else() -> Result<()> {
    let world = World::new().await?;
    let [alice, bob, carol] = people(&world, ["alice", "bob", "carol"]).await?;
    let group = create(&alice, &[&bob, &carol]).await?;
    let of = |person: &Person| connect_api::contacts::UserParams {
        user_id: person.name.clone(),
    };
    let digits = alice.client.call::<Fingerprint>(of(&bob)).await?;
    let compare = CompareParams {
        user_id: bob.name.clone(),
        digits: None,
        qr: Some(digits.qr),
    };
    assert!(alice.client.call::<Compare>(compare).await?.verified);
    bob.client.call::<RotateKeys>(Nothing {}).await?;
    let holds = alice.sees(
        |body| matches!(body, EventBody::KeyChangeHold { user_id, .. } if *user_id == bob.name),
    );
    soon(holds).await?;

    let ids = [
        writes(&alice, &group, "one").await?,
        writes(&alice, &group, "two").await?,
    ];
    for id in &ids {
        soon(carol.receives(id)).await?;
        let recipients = message(&alice, id).await?.recipients;
        let held = recipients.iter().find(|it| it.user_id == bob.name);
        let held = held.context("Bob")?;
        assert_eq!(held.state, MessageState::Held);
        assert_eq!(held.reason, Some(StateReason::KeyChanged));
    }
    // And the roster, in case his is another installation.
    assert_eq!(alice.client.health().await?.outbox.held, 3);
    let accept = DecideParams {
        user_id: bob.name.clone(),
        decision: Decision::Accept,
        key: None,
    };
    alice.client.call::<Decide>(accept).await?;
    for id in &ids {
        soon(bob.receives(id)).await?;
        comes_to(&alice, id, &bob, MessageState::Delivered).await?;
    }
    assert_eq!(texts(&bob, &group).await?, ["one", "two"]);
    assert_eq!(alice.client.health().await?.outbox.held, 0);
    is_missing_nothing(&bob).await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_away_finds_everything_in_its_order() -> Result<()> {
    let world = World::new().await?;
    let [alice, bob, mut carol] = people(&world, ["alice", "bob", "carol"]).await?;
    let group = create(&alice, &[&bob, &carol]).await?;
    carol.stop().await;
    let mut expected = Vec::new();
    for n in 0..5 {
        for (author, other) in [(&alice, &bob), (&bob, &alice)] {
            let text = format!("{n} by {}", author.name);
            let id = writes(author, &group, &text).await?;
            soon(other.receives(&id)).await?;
            expected.push((id, text));
        }
    }
    let (add, name) = (vec!["dave".to_owned()], Some("Ward 5".to_owned()));
    let dave = world.person("dave").await?;
    let params = UpdateParams {
        group: id(&group),
        name,
        add,
        ..UpdateParams::default()
    };
    update(&alice, params).await?;
    changes(&dave, &group, GroupChange::Joined, None).await?;
    let by_dave = writes(&dave, &group, "by dave").await?;
    soon(alice.receives(&by_dave)).await?;
    carol.start().await?;
    carol.unlock().await?;
    soon(carol.receives(&by_dave)).await?;
    let mut expected: Vec<String> = expected.into_iter().map(|(_, text)| text).collect();
    expected.push("by dave".to_owned());
    assert_eq!(texts(&carol, &group).await?, expected);
    assert_eq!(roster(&carol, &group).await?.name, "Ward 5");
    is_missing_nothing(&carol).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_who_enrolled_anew_is_told_of_the_group_and_of_what_came_meanwhile() -> Result<()>
{
    let world = World::new().await?;
    let [alice, mut bob] = people(&world, ["alice", "bob"]).await?;
    let group = create(&alice, &[&bob]).await?;
    bob.stop().await;
    let meanwhile = writes(&alice, &group, "meanwhile").await?;
    soon(alice.sees_state(&meanwhile, MessageState::Sent)).await?;
    let again = world.stranger("bob-again").await?;
    let mut enrollment = world.enrollment("bob").await?;
    enrollment.replace_existing_installation = true;
    again
        .client
        .call::<connect_api::account::Enroll>(enrollment)
        .await?;
    changes(&again, &group, GroupChange::Joined, None).await?;
    let got = soon(again.receives(&meanwhile)).await?;
    assert_eq!(
        (got.text.as_str(), got.conversation),
        ("meanwhile", group.clone())
    );
    let later = writes(&alice, &group, "later").await?;
    soon(again.receives(&later)).await?;
    is_missing_nothing(&again).await
}
