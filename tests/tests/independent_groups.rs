//! Groups with a second implementation of the wire in them: rosters by either, and what is said by all (D17, D18).

use anyhow::{Context as _, Result};
use connect_api::contacts::{Add, UserParams};
use connect_api::conversation::Conversation;
use connect_api::events::{EventBody, GroupChange};
use connect_api::groups::{
    Create, CreateParams, Get, Group, GroupParams, Role, Update, UpdateParams,
};
use connect_tests::attachments::{PATIENCE, download, film, name, upload};
use connect_tests::independent::{Independent, comes_to};
use connect_tests::world::{Person, World};
use serde_json::{Value, json};
use tokio::time::timeout;

async fn group(person: &Person, id: &str) -> Result<Group> {
    let group = id.to_owned();
    Ok(person.client.call::<Get>(GroupParams { group }).await?)
}

/// Once somebody is told of that.
async fn is_told(person: &Person, id: &str, wanted: GroupChange) -> Result<Group> {
    let conversation = Conversation::Group(id.to_owned());
    let event = person.sees(|body| {
        matches!(body, EventBody::GroupChanged { conversation: of, what, .. } if *of == conversation && *what == wanted)
    });
    timeout(PATIENCE, event).await??;
    group(person, id).await
}

async fn writes(person: &Person, id: &str, text: &str) -> Result<String> {
    let conversation = Conversation::Group(id.to_owned());
    Ok(person
        .client
        .send_text(conversation, text, None)
        .await?
        .message_id)
}

/// Whether both see the same people under the same digest.
fn agree(ours: &Group, theirs: &Value) {
    assert_eq!(theirs["digest"], ours.digest);
    assert_eq!(theirs["revision"], ours.revision);
    assert_eq!(theirs["name"], ours.name);
    let role = |role: Role| {
        if role == Role::Admin {
            "admin"
        } else {
            "member"
        }
    };
    let members = ours.members.iter();
    let members = members.map(|it| json!({ "user": it.user_id, "role": role(it.role) }));
    assert_eq!(theirs["members"], members.collect::<Value>());
}

/// Nothing of what came was put aside, and no number is missing.
async fn has_all(person: &Person) -> Result<()> {
    let inbox = person.client.health().await?.inbox;
    assert_eq!(
        (inbox.missing, inbox.quarantined),
        (0, 0),
        "{}",
        person.name
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_independent_client_is_in_a_group_of_our_daemons() -> Result<()> {
    let world = World::new().await?;
    let (alice, bob) = (world.person("alice").await?, world.person("bob").await?);
    let mut carol = Independent::enrolled(&world, "carol").await?;
    let user_id = "carol".to_owned();
    alice.client.call::<Add>(UserParams { user_id }).await?;
    let params = CreateParams {
        name: "Ward 3".to_owned(),
        members: vec!["bob".to_owned(), "carol".to_owned()],
    };
    let first = alice.client.call::<Create>(params).await?;
    let id = first.group.as_str();
    let look = json!({ "cmd": "group", "group": id });
    let told = carol.hears(|message| message["kind"] == "group_control");
    assert_eq!(told["same_roster"], true, "{told}");
    agree(&first, &carol.does(&look));

    is_told(&bob, id, GroupChange::Joined).await?;
    for person in [&alice, &bob] {
        let text = format!("from {}", person.name);
        writes(person, id, &text).await?;
        let heard = carol.hears(|message| message["text"] == text);
        assert_eq!(heard["group"], id);
        assert_eq!(heard["from"], person.name);
        assert_eq!(heard["same_roster"], true, "{heard}");
    }
    let sent = carol.does(&json!({ "cmd": "say", "group": id, "text": "from carol" }));
    comes_to(
        &alice,
        &sent,
        &Conversation::Group(id.to_owned()),
        "from carol",
    )
    .await?;
    comes_to(
        &bob,
        &sent,
        &Conversation::Group(id.to_owned()),
        "from carol",
    )
    .await?;

    // The next revision follows the first one by its digest.
    let params = UpdateParams {
        group: id.to_owned(),
        name: Some("Ward 4".to_owned()),
        remove: vec!["bob".to_owned()],
        ..UpdateParams::default()
    };
    let second = alice.client.call::<Update>(params).await?;
    carol.hears(|message| message["kind"] == "group_control" && message["revision"] == 2);
    agree(&second, &carol.does(&look));
    let sent = carol.does(&json!({ "cmd": "say", "group": id, "text": "without bob" }));
    comes_to(
        &alice,
        &sent,
        &Conversation::Group(id.to_owned()),
        "without bob",
    )
    .await?;
    has_all(&alice).await
}

#[tokio::test(flavor = "multi_thread")]
async fn files_in_a_group_are_opened_by_either() -> Result<()> {
    let world = World::new().await?;
    let (alice, bob) = (world.person("alice").await?, world.person("bob").await?);
    let mut carol = Independent::enrolled(&world, "carol").await?;
    let made = carol.does(&json!({
        "cmd": "create_group", "name": "Ward 3", "members": ["alice", "bob"],
    }));
    let id = made["group"].as_str().context("an id")?;
    is_told(&alice, id, GroupChange::Joined).await?;
    is_told(&bob, id, GroupChange::Joined).await?;

    let bytes = film(100_000, "left knee");
    let sent = carol.attaches(&json!({ "group": id }), &bytes, None)?;
    let attachment_id = sent["attachment_id"].as_str().context("an id")?;
    for person in [&alice, &bob] {
        comes_to(
            person,
            &sent,
            &Conversation::Group(id.to_owned()),
            "left knee",
        )
        .await?;
        timeout(PATIENCE, person.has_all_of(attachment_id)).await??;
        let fetched = timeout(PATIENCE, download(&person.client, attachment_id, 0)).await??;
        assert!(fetched == bytes, "{}", person.name);
    }

    let bytes = film(200_000, "right knee");
    let uploaded = upload(&bob.client, &bytes, "knee.dcm").await?;
    let group = Conversation::Group(id.to_owned());
    name(&bob.client, group, &uploaded.attachment_id, None).await?;
    let heard = carol.hears(|message| message["kind"] == "attachment");
    assert_eq!(
        (&heard["from"], &heard["group"]),
        (&json!("bob"), &json!(id))
    );
    assert!(carol.fetches(&heard["attachment_id"])? == Ok(bytes));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn our_daemons_are_in_a_group_of_an_independent_client() -> Result<()> {
    let world = World::new().await?;
    let (alice, bob) = (world.person("alice").await?, world.person("bob").await?);
    let dave = world.person("dave").await?;
    let mut carol = Independent::enrolled(&world, "carol").await?;
    let made = carol.does(&json!({
        "cmd": "create_group", "name": "Ward 3", "members": ["alice", "bob"],
    }));
    let id = made["group"].as_str().context("an id")?;
    let look = json!({ "cmd": "group", "group": id });
    for person in [&alice, &bob] {
        let joined = is_told(person, id, GroupChange::Joined).await?;
        agree(&joined, &carol.does(&look));
    }
    let sent = carol.does(&json!({ "cmd": "say", "group": id, "text": "from carol" }));
    comes_to(
        &alice,
        &sent,
        &Conversation::Group(id.to_owned()),
        "from carol",
    )
    .await?;
    comes_to(
        &bob,
        &sent,
        &Conversation::Group(id.to_owned()),
        "from carol",
    )
    .await?;
    writes(&alice, id, "from alice").await?;
    let heard = carol.hears(|message| message["text"] == "from alice");
    assert_eq!(heard["same_roster"], true, "{heard}");

    carol.does(&json!({ "cmd": "change_group", "group": id, "add": ["dave"], "remove": ["bob"] }));
    let changed = is_told(&alice, id, GroupChange::Removed).await?;
    agree(&changed, &carol.does(&look));
    agree(
        &is_told(&dave, id, GroupChange::Joined).await?,
        &carol.does(&look),
    );
    is_told(&bob, id, GroupChange::Removed).await?;
    writes(&dave, id, "from dave").await?;
    let heard = carol.hears(|message| message["text"] == "from dave");
    assert_eq!(heard["same_roster"], true, "{heard}");
    let sent = carol.does(&json!({ "cmd": "say", "group": id, "text": "welcome" }));
    comes_to(
        &alice,
        &sent,
        &Conversation::Group(id.to_owned()),
        "welcome",
    )
    .await?;
    comes_to(&dave, &sent, &Conversation::Group(id.to_owned()), "welcome").await?;
    for person in [&alice, &dave] {
        has_all(person).await?;
    }
    Ok(())
}
