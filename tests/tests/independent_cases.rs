//! Patient cases with a second implementation of the wire in them: entries, fields, files and keys by either (§3.6, D14, D16).

use anyhow::{Context as _, Result};
use connect_api::cases::{
    AddParticipant, Case, CaseState, Create, CreateParams, Field, ParticipantParams,
};
use connect_api::contacts::{Add, UserParams};
use connect_api::conversation::Conversation;
use connect_api::events::EventBody;
use connect_tests::attachments::{CHUNK, PATIENCE, download, film, name, upload};
use connect_tests::cases::value;
use connect_tests::independent::{Independent, comes_to};
use connect_tests::world::{Person, World};
use serde_json::{Value, json};
use tokio::time::timeout;

async fn knows_carol(person: &Person) -> Result<()> {
    let user_id = "carol".to_owned();
    person.client.call::<Add>(UserParams { user_id }).await?;
    Ok(())
}

fn asked(cmd: &str, case: &str) -> Value {
    json!({ "cmd": cmd, "case": case })
}

fn says(case: &str, text: &str) -> Value {
    json!({ "cmd": "say", "case": case, "text": text })
}

async fn sees_field(person: &Person, case: &str, field: &str, wanted: &str) -> Result<Case> {
    let seen = person.sees_case_with(case, |case| value(case, field) == Some(wanted));
    timeout(PATIENCE, seen).await?
}

fn field<'c>(case: &'c Case, name: &str) -> Result<&'c Field> {
    let field = case.fields.iter().find(|field| field.name == name);
    field.context("the field")
}

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

/// Of Alice, with Bob and Carol in it from the start.
async fn begin(alice: &Person, bob: &Person) -> Result<String> {
    knows_carol(alice).await?;
    alice.adds(bob).await?;
    let params = CreateParams {
        title: "Left knee".to_owned(),
        patient_reference: Some("MRN 17".to_owned()),
        participants: vec!["bob".to_owned(), "carol".to_owned()],
        fields: [("weight".to_owned(), "72 kg".to_owned())].into(),
    };
    Ok(alice.client.call::<Create>(params).await?.case)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_independent_client_reads_and_writes_in_a_case_of_our_daemons() -> Result<()> {
    let world = World::new().await?;
    let (alice, bob) = (world.person("alice").await?, world.person("bob").await?);
    let mut carol = Independent::enrolled(&world, "carol").await?;
    let case = begin(&alice, &bob).await?;
    alice.says(&case, "Swollen since Monday").await?;
    let heard = carol.hears(|message| message["text"] == "Swollen since Monday");
    assert_eq!((&heard["case"], &heard["epoch"]), (&json!(case), &json!(1)));
    assert_eq!(
        carol.does(&asked("case", &case)),
        json!({
            "title": "Left knee",
            "patient_reference": "MRN 17",
            "revision": 1,
            "epoch": 1,
            "closed": false,
            "participants": [
                { "user": "alice", "role": "admin" },
                { "user": "bob", "role": "member" },
                { "user": "carol", "role": "member" },
            ],
            "fields": { "weight": { "value": "72 kg", "revision": 1, "author": "alice" } },
            "texts": [["alice", "Swollen since Monday"]],
            "left_out": 0,
        })
    );

    let sent = carol.does(&says(&case, "Puncture today"));
    comes_to(
        &alice,
        &sent,
        &Conversation::Case(case.clone()),
        "Puncture today",
    )
    .await?;
    comes_to(
        &bob,
        &sent,
        &Conversation::Case(case.clone()),
        "Puncture today",
    )
    .await?;
    for (field, value) in [("weight", "71 kg"), ("allergies", "none")] {
        carol.does(&json!({ "cmd": "set_field", "case": case, "name": field, "value": value }));
    }
    for person in [&alice, &bob] {
        let seen = sees_field(person, &case, "allergies", "none").await?;
        let weight = field(&seen, "weight")?;
        assert_eq!(
            (weight.newest.revision, weight.newest.author.as_str()),
            (2, "carol")
        );
        assert_eq!(value(&seen, "weight"), Some("71 kg"));
        assert!(weight.conflicts.is_empty());
    }
    // Both count the next revision from the same digest.
    bob.sets(&case, ("weight", "70 kg"), 2).await?;
    let seen = carol.sees(&asked("case", &case), |case| {
        case["fields"]["weight"]["value"] == "70 kg"
    });
    assert_eq!(seen["fields"]["weight"]["revision"], 3);
    assert_eq!(seen["fields"]["weight"]["author"], "bob");

    // What it keeps is enough to go on with.
    drop(carol);
    let mut carol = Independent::stranger(&world, "carol");
    let texts = json!([
        ["alice", "Swollen since Monday"],
        ["carol", "Puncture today"]
    ]);
    assert_eq!(carol.does(&asked("case", &case))["texts"], texts);
    let sent = carol.does(&says(&case, "Clear fluid"));
    comes_to(
        &alice,
        &sent,
        &Conversation::Case(case.clone()),
        "Clear fluid",
    )
    .await?;
    has_all(&alice).await?;
    has_all(&bob).await
}

#[tokio::test(flavor = "multi_thread")]
async fn files_in_a_case_are_opened_by_either() -> Result<()> {
    let world = World::new().await?;
    let (alice, bob) = (world.person("alice").await?, world.person("bob").await?);
    let mut carol = Independent::enrolled(&world, "carol").await?;
    let case = begin(&alice, &bob).await?;
    let bytes = film(2 * CHUNK + 1000, "left knee");
    let uploaded = upload(&alice.client, &bytes, "knee.dcm").await?;
    let to = Conversation::Case(case.clone());
    name(
        &alice.client,
        to,
        &uploaded.attachment_id,
        Some("from alice"),
    )
    .await?;
    let heard = carol.hears(|message| message["kind"] == "attachment");
    assert_eq!(
        (&heard["case"], &heard["chunk_count"]),
        (&json!(case), &json!(3))
    );
    assert!(carol.fetches(&heard["attachment_id"])? == Ok(bytes));

    let bytes = film(CHUNK + 1000, "right knee");
    let sent = carol.attaches(&json!({ "case": case }), &bytes, None)?;
    let id = sent["attachment_id"].as_str().context("an id")?;
    for person in [&alice, &bob] {
        comes_to(
            person,
            &sent,
            &Conversation::Case(case.clone()),
            "left knee",
        )
        .await?;
        timeout(PATIENCE, person.has_all_of(id)).await??;
        let fetched = timeout(PATIENCE, download(&person.client, id, 0)).await??;
        assert!(fetched == bytes, "{}", person.name);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_independent_client_that_joins_late_reads_the_case_from_its_start() -> Result<()> {
    let world = World::new().await?;
    let (alice, bob) = (world.person("alice").await?, world.person("bob").await?);
    let mut carol = Independent::enrolled(&world, "carol").await?;
    alice.adds(&bob).await?;
    knows_carol(&alice).await?;
    let fields = [("weight", "72 kg")];
    let case = alice.begins_case("Left knee", &[&bob], &fields).await?.case;
    alice.says(&case, "Swollen since Monday").await?;
    timeout(PATIENCE, bob.sees_case(&case, 1)).await??;
    let said = bob.says(&case, "Puncture today").await?;
    timeout(PATIENCE, alice.receives(&said)).await??;
    bob.sets(&case, ("weight", "71 kg"), 1).await?;
    sees_field(&alice, &case, "weight", "71 kg").await?;

    let params = ParticipantParams {
        case: case.clone(),
        user_id: "carol".to_owned(),
    };
    alice.client.call::<AddParticipant>(params).await?;
    let seen = carol.sees(&asked("case", &case), |case| {
        case["texts"]
            .as_array()
            .is_some_and(|texts| texts.len() == 2)
    });
    let texts = json!([["alice", "Swollen since Monday"], ["bob", "Puncture today"]]);
    assert_eq!(seen["texts"], texts);
    assert_eq!(
        seen["fields"],
        json!({ "weight": { "value": "71 kg", "revision": 2, "author": "bob" } })
    );
    assert_eq!(
        (&seen["revision"], &seen["left_out"]),
        (&json!(2), &json!(0))
    );

    // And goes on in it, also under the key that comes when somebody is taken out.
    let sent = carol.does(&says(&case, "Clear fluid"));
    comes_to(
        &alice,
        &sent,
        &Conversation::Case(case.clone()),
        "Clear fluid",
    )
    .await?;
    comes_to(
        &bob,
        &sent,
        &Conversation::Case(case.clone()),
        "Clear fluid",
    )
    .await?;
    alice.removes_from_case(&case, &bob).await?;
    alice.says(&case, "Bob is on leave").await?;
    let heard = carol.hears(|message| message["text"] == "Bob is on leave");
    assert_eq!(heard["epoch"], 2);
    let sent = carol.does(&says(&case, "Noted"));
    comes_to(&alice, &sent, &Conversation::Case(case.clone()), "Noted").await?;
    has_all(&alice).await
}

#[tokio::test(flavor = "multi_thread")]
async fn our_daemons_are_in_a_case_of_an_independent_client_and_join_it_late() -> Result<()> {
    let world = World::new().await?;
    let (alice, bob) = (world.person("alice").await?, world.person("bob").await?);
    let mut carol = Independent::enrolled(&world, "carol").await?;
    let made = carol.does(&json!({
        "cmd": "create_case", "title": "Left knee", "participants": ["bob"], "reference": "MRN 17",
    }));
    let case = made["case"].as_str().context("an id")?;
    carol.does(&json!({ "cmd": "set_field", "case": case, "name": "weight", "value": "72 kg" }));
    let sent = carol.does(&says(case, "Swollen since Monday"));
    comes_to(
        &bob,
        &sent,
        &Conversation::Case(case.to_owned()),
        "Swollen since Monday",
    )
    .await?;
    let seen = sees_field(&bob, case, "weight", "72 kg").await?;
    assert_eq!(
        (seen.title.as_str(), seen.patient_reference.as_deref()),
        ("Left knee", Some("MRN 17"))
    );
    bob.says(case, "Puncture today").await?;
    bob.sets(case, ("weight", "71 kg"), 1).await?;
    carol.sees(&asked("case", case), |case| {
        case["fields"]["weight"]["author"] == "bob"
    });

    carol.does(&json!({ "cmd": "add_to_case", "case": case, "user": "alice" }));
    let here = alice.sees_case_with(case, |case| case.revision == 2 && !case.awaits_history);
    let here = timeout(PATIENCE, here).await??;
    assert_eq!(value(&here, "weight"), Some("71 kg"));
    let texts = alice.reads_case(case).await?;
    let texts: Vec<_> = texts
        .iter()
        .map(|it| (it.author.as_str(), it.text.as_str()))
        .collect();
    assert_eq!(
        texts,
        [("carol", "Swollen since Monday"), ("bob", "Puncture today")]
    );
    alice.says(case, "Clear fluid").await?;
    let heard = carol.hears(|message| message["text"] == "Clear fluid");
    assert_eq!(
        (&heard["from"], &heard["epoch"]),
        (&json!("alice"), &json!(1))
    );

    carol.does(&json!({ "cmd": "remove_from_case", "case": case, "user": "bob" }));
    let seen = timeout(PATIENCE, alice.sees_case(case, 3)).await??;
    assert_eq!((seen.epoch, seen.participants.len()), (2, 2));
    let left = bob.sees_case_with(case, |case| case.state == CaseState::Left);
    timeout(PATIENCE, left).await??;
    alice.says(case, "Bob is on leave").await?;
    let heard = carol.hears(|message| message["text"] == "Bob is on leave");
    assert_eq!(heard["epoch"], 2);
    let sent = carol.does(&says(case, "Noted"));
    comes_to(&alice, &sent, &Conversation::Case(case.to_owned()), "Noted").await?;
    has_all(&alice).await?;
    has_all(&bob).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_signed_as_an_entry_is_none() -> Result<()> {
    let world = World::new().await?;
    let alice = world.person("alice").await?;
    let mut carol = Independent::enrolled(&world, "carol").await?;
    let mut dave = Independent::enrolled(&world, "dave").await?;
    let made = carol.does(&json!({
        "cmd": "create_case", "title": "Left knee", "participants": ["alice", "dave"],
    }));
    let case = made["case"].as_str().context("an id")?;
    let mut question = says(case, "signed, but as a bundle");
    question["purpose"] = json!("bundle");
    let sent = carol.does(&question);
    let id = sent["message_id"].as_str().context("an id")?;
    let put_aside = alice.sees(|body| {
        matches!(body, EventBody::MessageQuarantined { message_id, reason, .. }
            if message_id.as_deref() == Some(id) && reason == "bad_signature")
    });
    timeout(PATIENCE, put_aside).await??;
    assert_eq!(dave.refuses(&sent["message_id"]), "bad_signature");
    // And what is signed as an entry is one.
    let sent = carol.does(&says(case, "signed"));
    comes_to(
        &alice,
        &sent,
        &Conversation::Case(case.to_owned()),
        "signed",
    )
    .await?;
    assert_eq!(
        dave.hears(|message| message["text"] == "signed")["case"],
        case
    );
    Ok(())
}
