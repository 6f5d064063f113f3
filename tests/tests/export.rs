//! A conversation for the record system: valid FHIR R4, a page that runs nothing, all of one moment, told in the audit log.

mod case;
mod files;
mod stream;

use anyhow::{Context as _, Result, ensure};
use connect_api::account::RotateKeys;
use connect_api::apps::{Create, CreateParams};
use connect_api::audit;
use connect_api::conversation::Conversation;
use connect_api::conversations::{ExportConversation, ExportFormat, ExportParams};
use connect_api::errors::ErrorCode;
use connect_api::messages::{Delete, Edit, EditParams, MessageParams, MessageState};
use connect_api::page::Nothing;
use connect_api::scope::Scope;
use connect_client::client::Client;
use connect_client::credentials::Credentials;
use connect_tests::backups::why;
use connect_tests::exports::{Fetched, Judge, all_of, ask, export, resources};
use connect_tests::fake_relay::Reply;
use connect_tests::keys::{changes, verified};
use connect_tests::world::{Person, World, refusal};
use serde_json::{Value, json};

const HOSTILE: &str = "<script src=\"https://evil.example/x.js\">alert(1)</script></article><footer id=\"end\"> \u{202e}gnp.exe";
const UNICODE: &str = "Kalium 6,1\u{a0}mmol/l · 钾 · البوتاسيوم · 🩺\n\tBett 4 \"&amp;' \\u0000";
const CONTROLS: &str = "bell \u{7}, escape \u{1b}[2J";

/// Ids in the order in which they were written.
struct Told {
    question: String,
    answer: String,
    edited: String,
    deleted: String,
}

pub(crate) async fn edit(person: &Person, message_id: &str, text: &str) -> Result<()> {
    let params = EditParams {
        message_id: message_id.to_owned(),
        text: text.to_owned(),
    };
    person.client.call::<Edit>(params).await?;
    Ok(())
}

/// Alice and Bob talk, and each takes something back.
async fn talk(alice: &Person, bob: &Person) -> Result<Told> {
    alice.adds(bob).await?;
    let question = alice.writes(bob, UNICODE).await?;
    bob.receives(&question).await?;
    let reply_to = question.clone();
    let answer = connect_api::messages::SendParams {
        conversation: alice.conversation(),
        text: Some(HOSTILE.to_owned()),
        attachment: None,
        reply_to: Some(reply_to),
        client_ref: None,
    };
    let answer = bob
        .client
        .call::<connect_api::messages::Send>(answer)
        .await?;
    alice.receives(&answer.message_id).await?;
    let controls = bob.writes(alice, CONTROLS).await?;
    alice.receives(&controls).await?;
    let edited = alice.writes(bob, "bed 3").await?;
    edit(alice, &edited, "bed 4").await?;
    let deleted = alice.writes(bob, "of another patient").await?;
    alice.sees_state(&deleted, MessageState::Delivered).await?;
    let message_id = deleted.clone();
    let params = MessageParams { message_id };
    alice.client.call::<Delete>(params).await?;
    Ok(Told {
        question,
        answer: answer.message_id,
        edited,
        deleted,
    })
}

fn message<'b>(bundle: &'b Value, id: &str) -> Result<&'b Value> {
    let all = resources(bundle, "Communication").into_iter();
    let mut found = all.filter(|message| {
        let value = message["identifier"][0]["value"].as_str();
        value.is_some_and(|value| value.ends_with(id))
    });
    found.next().context("the message is in the bundle")
}

/// What is known of a message's author.
fn author<'b>(bundle: &'b Value, message: &Value) -> Result<&'b Value> {
    let target = format!("urn:uuid:{}", message["id"].as_str().context("an id")?);
    let all = resources(bundle, "Provenance").into_iter();
    let mut of = all.filter(|provenance| provenance["target"][0]["reference"] == target.as_str());
    Ok(&of.next().context("a provenance")?["agent"][0])
}

async fn fhir(client: &Client, with: Conversation) -> Result<(Fetched, Value)> {
    let fetched = export(client, all_of(with, ExportFormat::Fhir)).await?;
    let bundle = serde_json::from_str(&fetched.text)?;
    Ok((fetched, bundle))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_holds_against_hl7s_schema_and_says_what_was_said() -> Result<()> {
    let world = World::new().await?;
    let (alice, bob) = (world.person("alice").await?, world.person("bob").await?);
    let told = talk(&alice, &bob).await?;
    let (fetched, bundle) = fhir(&alice.client, bob.conversation()).await?;
    let mut judge = Judge::start();
    assert_eq!(judge.wrong_with(&fetched.text)?, [""; 0]);
    ensure!(fetched.taken_at.event_id > 0);
    assert_eq!(bundle["timestamp"].as_str().map(str::len), Some(24));

    let question = message(&bundle, &told.question)?;
    assert_eq!(question["payload"], json!([{"contentString": UNICODE}]));
    let answer = message(&bundle, &told.answer)?;
    assert_eq!(answer["payload"][0]["contentString"], HOSTILE);
    let id = question["id"].as_str().context("an id")?;
    assert_eq!(
        answer["inResponseTo"],
        json!([{"reference": format!("urn:uuid:{id}")}])
    );
    assert_eq!(answer["recipient"], json!([question["sender"]]));
    let edited = message(&bundle, &told.edited)?;
    assert_eq!(edited["payload"][0]["contentString"], "bed 4");
    assert_eq!(
        edited["extension"][0]["extension"][0]["valueString"],
        "bed 3"
    );
    let deleted = message(&bundle, &told.deleted)?;
    assert_eq!(deleted["status"], "entered-in-error");
    ensure!(deleted["payload"].is_null(), "{deleted}");
    assert_eq!(resources(&bundle, "Communication").len(), 5);
    for (message, standing) in [(question, "own"), (answer, "seen")] {
        let known = &author(&bundle, message)?["extension"];
        assert_eq!(known[0]["valueCode"], standing);
        assert_eq!(known[1]["valueCode"], "current");
    }
    // The other side calls the same things by the same names.
    let (_, of_bob) = fhir(&bob.client, alice.conversation()).await?;
    assert_eq!(message(&of_bob, &told.question)?["id"], question["id"]);
    Ok(())
}

/// A check that lets everything pass would be none.
#[tokio::test(flavor = "multi_thread")]
async fn a_broken_bundle_is_refused_by_the_same_check() -> Result<()> {
    let world = World::new().await?;
    let (alice, bob) = (world.person("alice").await?, world.person("bob").await?);
    alice.adds(&bob).await?;
    alice.writes(&bob, "potassium 6.1").await?;
    let (fetched, bundle) = fhir(&alice.client, bob.conversation()).await?;
    let mut judge = Judge::start();
    assert_eq!(judge.wrong_with(&fetched.text)?, [""; 0]);
    let entries = bundle["entry"].as_array().context("entries")?;
    let place = |kind: &str| {
        let mut kinds = entries
            .iter()
            .map(|entry| &entry["resource"]["resourceType"]);
        kinds.position(|found| found == kind).context("an entry")
    };
    let (message, provenance) = (place("Communication")?, place("Provenance")?);
    let at = |place: usize, rest: &str| format!("/entry/{place}/resource/{rest}");
    for (pointer, value) in [
        ("/type".to_owned(), json!("pile")),
        ("/timestamp".to_owned(), json!("2026-03-02 08:00")),
        (at(message, "status"), json!("done")),
        (at(message, "id"), json!("a/b")),
        (at(message, "sent"), json!("yesterday")),
        (at(message, "payload/0/contentString"), json!("")),
        (at(message, "payload"), json!([{"contentText": "x"}])),
        (at(message, "sender/reference"), json!("urn:uuid:nobody")),
        (at(message, "resourceType"), json!("Talk")),
        (at(provenance, "agent"), json!([])),
        (at(provenance, "recorded"), json!("2026-03-02T08:00:00")),
        (at(provenance, "target"), Value::Null),
    ] {
        let mut broken = bundle.clone();
        let found = broken.pointer_mut(&pointer).context("something to break")?;
        *found = value;
        let wrong = judge.wrong_with(&broken.to_string())?;
        ensure!(!wrong.is_empty(), "{pointer} passed");
    }
    // Cut anywhere, it is no bundle.
    let text = fetched.text.trim_end();
    for end in [1, 100, text.len() / 2, text.len() - 1] {
        let end = (0..=end).rev().find(|end| text.is_char_boundary(*end));
        let cut = &text[..end.unwrap_or_default()];
        let wrong = judge.wrong_with(cut)?;
        ensure!(wrong[0].starts_with("no JSON"), "{wrong:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_shows_everything_and_loads_and_runs_nothing() -> Result<()> {
    let world = World::new().await?;
    let (alice, bob) = (world.person("alice").await?, world.person("bob").await?);
    let told = talk(&alice, &bob).await?;
    let fetched = export(
        &alice.client,
        all_of(bob.conversation(), ExportFormat::Html),
    )
    .await?;
    let mut judge = Judge::start();
    let page = judge.page(&fetched.text);
    for never in ["script", "img", "link", "iframe", "object", "form", "base"] {
        ensure!(page["tags"][never].is_null(), "<{never}>: {}", page["tags"]);
    }
    assert_eq!(page["handlers"], json!([]));
    assert_eq!(
        (&page["unbalanced"], &page["open"]),
        (&json!([]), &json!([]))
    );
    // Links stay on the page.
    let loads = page["loads"].as_array().context("a list")?;
    ensure!(!loads.is_empty());
    for load in loads {
        let inside = load.as_str().and_then(|load| load.strip_prefix('#'));
        let inside = inside.with_context(|| format!("{load} leads away"))?;
        ensure!(
            page["ids"]
                .as_array()
                .is_some_and(|ids| ids.contains(&json!(inside)))
        );
    }
    let policy = page["policy"].as_str().context("a policy")?;
    let style = page["style"].as_str().context("a style")?;
    let digest = connect_proto::hash::sha256(style.as_bytes());
    let digest = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, digest);
    assert_eq!(
        policy,
        format!(
            "default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
        )
    );
    ensure!(!style.contains("url(") && !style.contains("@import"));

    let articles = page["articles"].as_array().context("articles")?;
    let texts: Vec<_> = articles.iter().map(|article| &article["text"]).collect();
    let controls = "bell \u{2407}, escape \u{241b}[2J";
    assert_eq!(texts, [UNICODE, HOSTILE, controls, "bed 4", ""]);
    let all = |place: usize| articles[place]["all"].as_str().unwrap_or_default();
    ensure!(
        all(1).contains("in answer to a message of Dr. alice"),
        "{}",
        all(1)
    );
    ensure!(all(3).contains("earlier text") && all(3).contains("bed 3"));
    ensure!(all(4).contains("Deleted by its author."));
    let marks = |place: usize| articles[place]["marks"].to_string();
    ensure!(marks(0).contains("own"), "{}", marks(0));
    ensure!(marks(1).contains("key seen, not verified"), "{}", marks(1));
    ensure!(marks(3).contains("edited") && marks(4).contains("deleted"));
    // What was taken back is an earlier text, for whoever may audit.
    assert_eq!(told.deleted.len(), 32);
    ensure!(all(4).contains("of another patient"));
    // Its end is told once, and a page that was cut off has none.
    let ids = page["ids"].as_array().context("ids")?;
    assert_eq!(ids.iter().filter(|id| *id == "end").count(), 1);
    let cut = &fetched.text[..fetched.text.len() * 9 / 10];
    let cut = judge.page(&String::from_utf8_lossy(cut.as_bytes()));
    ensure!(!cut["ids"].to_string().contains("\"end\""));
    Ok(())
}

/// An app that may read messages and not the audit log gets what it could read anyway.
#[tokio::test(flavor = "multi_thread")]
async fn earlier_texts_are_for_whoever_may_audit() -> Result<()> {
    let world = World::new().await?;
    let (alice, bob) = (world.person("alice").await?, world.person("bob").await?);
    let told = talk(&alice, &bob).await?;
    let app = |scopes: Vec<Scope>| async {
        let params = CreateParams {
            name: "records".into(),
            scopes,
            uid: None,
        };
        let app = alice.client.call::<Create>(params).await?;
        let credentials = Credentials::new(app.app_id, app.token.into_inner());
        let client = Client::builder().endpoint(alice.endpoint.clone());
        anyhow::Ok(client.credentials(credentials).lazy())
    };
    let reader = app(vec![Scope::MessagesRead]).await?;
    let auditor = app(vec![Scope::MessagesRead, Scope::AuditRead]).await?;
    let other = app(vec![Scope::AuditRead, Scope::CasesRead]).await?;
    for format in [ExportFormat::Fhir, ExportFormat::Html] {
        let of = all_of(bob.conversation(), format);
        let refused = other.call::<ExportConversation>(of.clone()).await;
        assert_eq!(refusal(refused)?, ErrorCode::Forbidden);
        let read = export(&reader, of.clone()).await?.text;
        let audited = export(&auditor, of).await?.text;
        for earlier in ["bed 3", "of another patient"] {
            ensure!(!read.contains(earlier) && audited.contains(earlier));
        }
        ensure!(read.contains("not in this export"));
    }
    let (_, bundle) = fhir(&reader, bob.conversation()).await?;
    let edited = message(&bundle, &told.edited)?;
    ensure!(edited["extension"].is_null() && !edited["note"].is_null());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_export_is_in_the_audit_log_before_a_byte_has_left() -> Result<()> {
    let world = World::new().await?;
    let mut alice = world.person("alice").await?;
    let bob = world.person("bob").await?;
    alice.adds(&bob).await?;
    alice.writes(&bob, "hello").await?;
    let html = || all_of(bob.conversation(), ExportFormat::Html);
    ask(&alice.client, html()).await?;
    // Nothing was fetched yet, and what only waits in memory is lost in the stop.
    alice.restart().await?;
    let log = alice
        .client
        .call::<audit::List>(audit::ListParams::default());
    let log = log.await?.items;
    let exports: Vec<_> = log
        .iter()
        .filter(|entry| entry.method == "conversations.export")
        .collect();
    assert_eq!(exports.len(), 1, "{log:?}");
    assert_eq!(exports[0].outcome, "ok");
    ensure!(exports[0].object.is_some());
    let backwards = ExportParams {
        from_ms: Some(5),
        to_ms: Some(5),
        ..html()
    };
    let refused = alice.client.call::<ExportConversation>(backwards).await;
    assert_eq!(why(refused)?, ("to_ms".into(), "out_of_range".into()));
    for (conversation, code) in [
        (Conversation::User("carol".into()), ErrorCode::NotFound),
        (Conversation::Group("0a".repeat(16)), ErrorCode::NotFound),
        (Conversation::Case("0a".repeat(16)), ErrorCode::Invalid),
    ] {
        let of = all_of(conversation, ExportFormat::Fhir);
        let refused = alice.client.call::<ExportConversation>(of).await;
        assert_eq!(refusal(refused)?, code);
    }
    let verdict = alice.client.call::<audit::Verify>(Nothing {}).await?;
    ensure!(verdict.intact);
    Ok(())
}

/// What came under a key that is in use no more says so, and how well a key is known is what is known today.
#[tokio::test(flavor = "multi_thread")]
async fn keys_that_were_retired_verified_and_changed_are_marked() -> Result<()> {
    let story = verified().await?;
    let retired = story.honest("sealed for a key from before");
    let id = hex::encode(&retired.message_id);
    story.alice.client.call::<RotateKeys>(Nothing {}).await?;
    story.relay.replies(Reply::Page(vec![retired]));
    story.alice.receives(&id).await?;
    let with = Conversation::User("mallory".to_owned());
    let mut judge = Judge::start();
    let (fetched, bundle) = fhir(&story.alice.client, with.clone()).await?;
    assert_eq!(judge.wrong_with(&fetched.text)?, [""; 0]);
    let known = &author(&bundle, message(&bundle, &id)?)?["extension"];
    assert_eq!(known[0]["valueCode"], "verified");
    assert_eq!(known[1]["valueCode"], "retired_key");

    let forged = story.mallory.with_new_keys();
    let now_ms = story.world.now_ms();
    let entry = forged.entry_after(
        &story.mallory,
        connect_proto::wire::KeyState::KeyReplaced,
        now_ms,
    );
    changes(&story, &entry).await?;
    let (_, bundle) = fhir(&story.alice.client, with.clone()).await?;
    let known = &author(&bundle, message(&bundle, &id)?)?["extension"];
    assert_eq!(known[0]["valueCode"], "changed");
    let page = export(&story.alice.client, all_of(with, ExportFormat::Html)).await?;
    let page = judge.page(&page.text);
    let marks = page["articles"][0]["marks"].to_string();
    ensure!(marks.contains("key changed or rejected"), "{marks}");
    ensure!(marks.contains("under a retired key"), "{marks}");
    Ok(())
}
