//! A case as it will be exported: its patient, its fields and its files.

use anyhow::Result;
use connect_api::cases::{Create, CreateParams, ExportCase, ExportCaseParams};
use connect_api::conversations::ExportFormat;
use connect_proto::ids::{MessageId, UserId};
use connect_service::export::fhir::Fhir;
use connect_service::export::model::{
    Attachment, Case, Entry, Field, Form as _, Heading, People, Person, Signature,
};
use connect_service::export::naming::Naming;
use connect_store::conversations::Conversation;
use connect_store::messages::Message;
use connect_store::place::MessageRow;
use connect_store::reading::Window;
use connect_tests::attachments;
use connect_tests::exports::{Judge, fetch, resources};
use connect_tests::world::World;
use serde_json::Value;

/// What no conversation between two has: fields, a patient, files.
#[test]
fn a_case_with_files_holds_against_hl7s_schema() -> Result<()> {
    let bob: UserId = "bob".parse()?;
    let alice: UserId = "alice".parse()?;
    let field = |name: &str, value: &str, is_contested| Field {
        name: name.to_owned(),
        value: value.to_owned(),
        author: bob.clone(),
        set_ms: 1_772_438_412_345,
        is_contested,
    };
    let file = |id: &str, size| Attachment {
        id: id.to_owned(),
        file_name: "../../film \u{7}.dcm".to_owned(),
        media_type: "application/dicom".to_owned(),
        size,
        content: None,
    };
    let heading = Heading {
        naming: Naming::new("https://relay.example.org:8443"),
        conversation: Conversation::Case("0c".repeat(16).parse()?),
        title: "Hyperkalaemia, bed 4".to_owned(),
        exporter: alice.clone(),
        exported_ms: 1_772_438_531_807,
        last_event_id: 1482,
        window: Window::ALWAYS,
        missing: 0,
        has_earlier: false,
        files_up_to_bytes: None,
        case: Some(Case {
            patient_reference: Some("MRN 4711".to_owned()),
            closed_ms: Some(1_772_438_531_807),
            fields: vec![
                field("allergies", "penicillin", true),
                field("allergies", "none known", true),
                field("empty", "", false),
            ],
        }),
    };
    let mut people = People::default();
    people.add(Person::unknown(alice));
    people.add(Person::unknown(bob.clone()));
    let entry = Entry {
        message: Message {
            row: MessageRow(1),
            conversation: heading.conversation.clone(),
            sender: bob,
            message_id: MessageId::from_bytes([1; 16]),
            outgoing: false,
            timestamp_ms: 1_772_438_412_345,
            stored_ms: 1_772_438_412_351,
            retired_key: false,
            text: "the films".to_owned(),
            reply_to: None,
            client_ref: None,
            edited_ms: None,
            deleted_ms: None,
            has_attachment: false,
            attachment: None,
            recipients: Vec::new(),
        },
        earlier: Vec::new(),
        earlier_count: 0,
        answers: None,
        attachments: vec![file("a1", 0), file("a2", 1 << 40)],
        signature: Some(Signature::Holds),
    };
    let mut form = Fhir::new(&heading);
    let mut out = Vec::new();
    form.begin(&mut out, &heading, &people);
    form.entry(&mut out, &entry, &people);
    form.end(&mut out, 1);
    let text = String::from_utf8(out)?;
    assert_eq!(Judge::start().wrong_with(&text)?, [""; 0]);
    let bundle: Value = serde_json::from_str(&text)?;
    for (kind, count) in [
        ("QuestionnaireResponse", 1),
        ("DocumentReference", 2),
        ("Communication", 1),
    ] {
        assert_eq!(resources(&bundle, kind).len(), count, "{kind}");
    }
    Ok(())
}

/// A real one: two people, a field that both set, a file.
#[tokio::test(flavor = "multi_thread")]
async fn a_case_is_exported_with_its_patient_its_fields_and_its_files() -> Result<()> {
    let world = World::new().await?;
    let (alice, bob) = (world.person("alice").await?, world.person("bob").await?);
    alice.adds(&bob).await?;
    bob.adds(&alice).await?;
    let params = CreateParams {
        title: "Hyperkalaemia, bed 4".to_owned(),
        patient_reference: Some("MRN 4711".to_owned()),
        participants: vec!["bob".to_owned()],
        fields: [("allergies".to_owned(), "penicillin".to_owned())].into(),
    };
    let case = alice.client.call::<Create>(params).await?.case;
    let conversation = connect_api::conversation::Conversation::Case(case.clone());
    let text = "potassium 6.1 <b>now</b>".to_owned();
    let sent = alice
        .client
        .send_text(conversation.clone(), text, None)
        .await?;
    bob.receives(&sent.message_id).await?;
    let film = attachments::upload(&bob.client, b"a film", "film.dcm").await?;
    let caption = Some("the film");
    let named = attachments::name(&bob.client, conversation, &film.attachment_id, caption).await?;
    alice.receives(&named.message_id).await?;

    let fetched = |format| {
        let (client, case) = (alice.client.clone(), case.clone());
        async move {
            let params = ExportCaseParams {
                case,
                format,
                from_ms: None,
                to_ms: None,
                files_up_to_bytes: None,
            };
            let ready = client.call::<ExportCase>(params).await?;
            fetch(&client, ready.ticket).await
        }
    };
    let bundle = fetched(ExportFormat::Fhir).await?.text;
    assert_eq!(Judge::start().wrong_with(&bundle)?, [""; 0]);
    let bundle: Value = serde_json::from_str(&bundle)?;
    for (kind, count) in [
        ("QuestionnaireResponse", 1),
        ("DocumentReference", 1),
        ("Communication", 2),
    ] {
        assert_eq!(resources(&bundle, kind).len(), count, "{kind}");
    }
    for said in [
        "MRN 4711",
        "penicillin",
        "film.dcm",
        "potassium 6.1",
        "holds",
    ] {
        anyhow::ensure!(bundle.to_string().contains(said), "{said}");
    }
    let page = fetched(ExportFormat::Html).await?.text;
    for said in [
        "Hyperkalaemia, bed 4",
        "MRN 4711",
        "penicillin",
        "film.dcm",
        "&lt;b&gt;now",
    ] {
        anyhow::ensure!(page.contains(said), "{said}");
    }
    Ok(())
}
