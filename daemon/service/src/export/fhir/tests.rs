//! What goes into the bundle, resource by resource.

use connect_proto::ids::{MessageId, UserId};
use connect_store::amendments::Version;
use connect_store::codes::{RecipientState, StateReason, Trust};
use connect_store::conversations::Conversation;
use connect_store::messages::Message;
use connect_store::place::MessageRow;
use connect_store::reading::Window;
use connect_store::recipients::Recipient;
use serde_json::{Value, json};

use super::Fhir;
use crate::export::model::{
    Answers, Attachment, Case, Entry, Field, Form, Heading, People, Person, Signature, Standing,
};
use crate::export::naming::Naming;

fn user(name: &str) -> UserId {
    name.parse().unwrap()
}

fn heading(conversation: Conversation) -> Heading {
    Heading {
        naming: Naming::new("https://relay.example.org"),
        conversation,
        title: "Bob Kessler".into(),
        exporter: user("alice"),
        exported_ms: 1_772_438_531_807,
        last_event_id: 7,
        window: Window::ALWAYS,
        missing: 3,
        has_earlier: true,
        files_up_to_bytes: None,
        case: None,
    }
}

fn people() -> People {
    let mut people = People::default();
    people.add(Person {
        display_name: "Alice".into(),
        profession: "physician".into(),
        organisation: "Ward 3".into(),
        standing: Standing::Own,
        ..Person::unknown(user("alice"))
    });
    people.add(Person {
        display_name: "Bob".into(),
        standing: Standing::Of(Trust::Verified),
        ..Person::unknown(user("bob"))
    });
    people
}

fn entry(sender: &str, n: u8, text: &str) -> Entry {
    Entry {
        message: Message {
            row: MessageRow(i64::from(n)),
            conversation: Conversation::User(user("bob")),
            sender: user(sender),
            message_id: MessageId::from_bytes([n; 16]),
            outgoing: sender == "alice",
            timestamp_ms: 1_772_438_412_345,
            stored_ms: 1_772_438_412_351,
            retired_key: false,
            text: text.into(),
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
        attachments: Vec::new(),
        signature: None,
    }
}

fn bundle(heading: &Heading, entries: &[Entry]) -> Value {
    let people = people();
    let mut form = Fhir::new(heading);
    let mut out = Vec::new();
    form.begin(&mut out, heading, &people);
    for entry in entries {
        form.entry(&mut out, entry, &people);
        assert!(
            serde_json::from_slice::<Value>(&out).is_err(),
            "what was cut off is no JSON"
        );
    }
    form.end(&mut out, entries.len() as u64);
    serde_json::from_slice(&out).unwrap()
}

fn resources<'b>(bundle: &'b Value, kind: &str) -> Vec<&'b Value> {
    let entries = bundle["entry"].as_array().unwrap().iter();
    let all = entries.map(|entry| &entry["resource"]);
    all.filter(|resource| resource["resourceType"] == kind)
        .collect()
}

fn only(entry: &Entry) -> Value {
    let bundle = bundle(
        &heading(Conversation::User(user("bob"))),
        std::slice::from_ref(entry),
    );
    resources(&bundle, "Communication")[0].clone()
}

fn at(recipients: &[(RecipientState, Option<StateReason>)]) -> Vec<Recipient> {
    let recipient = |(state, reason): &(RecipientState, Option<StateReason>)| Recipient {
        user_id: user("bob"),
        state: *state,
        reason: *reason,
        changed_ms: 1_772_438_473_019,
    };
    recipients.iter().map(recipient).collect()
}

#[test]
fn a_message_says_who_when_and_what() {
    let bundle = bundle(
        &heading(Conversation::User(user("bob"))),
        &[entry("bob", 2, "Kalium 6,1\u{a0}mmol/l")],
    );
    assert_eq!(bundle["type"], "collection");
    assert_eq!(bundle["timestamp"], "2026-03-02T08:02:11.807Z");
    let said = bundle["meta"]["extension"][0]["extension"].as_array();
    assert!(
        said.unwrap()
            .contains(&json!({"url": "missing", "valueDecimal": 3}))
    );
    let people = resources(&bundle, "Practitioner");
    let [alice, bob] = people.as_slice() else {
        panic!("{people:?}")
    };
    assert_eq!(alice["qualification"][0]["code"]["text"], "physician");
    assert_eq!(
        bob["identifier"],
        json!([{"system": "https://relay.example.org/connect/user", "value": "bob"}])
    );
    let of = |resource: &Value| format!("urn:uuid:{}", resource["id"].as_str().unwrap());
    let role = resources(&bundle, "PractitionerRole");
    assert_eq!(role.len(), 1, "Bob has said nothing of an organisation");
    assert_eq!(role[0]["practitioner"]["reference"], of(alice));
    let message = resources(&bundle, "Communication")[0];
    assert_eq!(message["status"], "completed");
    assert_eq!(message["sent"], "2026-03-02T08:00:12.345Z");
    assert_eq!(message["received"], "2026-03-02T08:00:12.351Z");
    assert_eq!(message["sender"]["reference"], of(bob));
    assert_eq!(message["recipient"], json!([{"reference": of(alice)}]));
    assert_eq!(
        message["payload"],
        json!([{"contentString": "Kalium 6,1\u{a0}mmol/l"}])
    );
    let provenance = resources(&bundle, "Provenance")[0];
    assert_eq!(provenance["target"], json!([{"reference": of(message)}]));
    assert_eq!(provenance["recorded"], "2026-03-02T08:00:12.351Z");
    let author = &provenance["agent"][0];
    assert_eq!(author["type"]["coding"][0]["code"], "author");
    assert_eq!(
        author["extension"],
        json!([
            {"url": "urn:x-connect:key-standing", "valueCode": "verified"},
            {"url": "urn:x-connect:sent-under", "valueCode": "current"},
        ])
    );
}

#[test]
fn a_status_tells_the_worst_that_has_become_of_a_message() {
    use RecipientState::{Delivered, Failed, Held, Queued, Read, Sent};
    let held = (Held, Some(StateReason::KeyChanged));
    let failed = (Failed, Some(StateReason::Expired));
    for (states, status, reason) in [
        (vec![(Sent, None)], "completed", None),
        (vec![(Read, None), (Queued, None)], "in-progress", None),
        (vec![(Queued, None), held], "on-hold", Some("key_changed")),
        (vec![(Delivered, None), failed], "stopped", Some("expired")),
    ] {
        let mut entry = entry("alice", 1, "text");
        entry.message.recipients = at(&states);
        let told = only(&entry);
        assert_eq!(told["status"], status);
        let code = &told["statusReason"]["coding"][0]["code"];
        assert_eq!(code.as_str(), reason, "{told}");
    }
    let mut entry = entry("alice", 1, "text");
    entry.message.recipients = at(&[(Delivered, None)]);
    assert_eq!(only(&entry)["received"], "2026-03-02T08:01:13.019Z");
    // When it was read, it had been received for a time that nobody knows.
    entry.message.recipients = at(&[(Read, None)]);
    let told = only(&entry);
    assert!(told["received"].is_null());
    assert_eq!(
        told["recipient"][0]["extension"][0]["extension"][0],
        json!({"url": "state", "valueCode": "read"})
    );
}

#[test]
fn what_was_amended_is_told_with_the_earlier_texts_or_without_them() {
    let mut entry = entry("bob", 1, "bed 4");
    entry.message.edited_ms = Some(1_772_438_473_019);
    entry.earlier_count = 2;
    entry.earlier = vec![Version {
        text: "bed 3".into(),
        written_ms: 1_772_438_412_345,
    }];
    let told = only(&entry);
    assert_eq!(
        told["extension"][0],
        json!({"url": "urn:x-connect:earlier-text", "extension": [
            {"url": "text", "valueString": "bed 3"},
            {"url": "written", "valueInstant": "2026-03-02T08:00:12.345Z"},
        ]})
    );
    let note = &told["note"][0];
    assert_eq!(note["time"], "2026-03-02T08:01:13.019Z");
    let text = note["text"].as_str().unwrap();
    assert!(text.contains("the newest 1"), "{text}");

    entry.message.deleted_ms = entry.message.edited_ms.take();
    entry.message.text.clear();
    let told = only(&entry);
    assert_eq!(told["status"], "entered-in-error");
    assert!(told["payload"].is_null(), "{told}");
    assert!(
        told["note"][0]["text"]
            .as_str()
            .unwrap()
            .starts_with("Deleted")
    );
}

#[test]
fn an_answer_refers_into_the_bundle_or_names_what_is_outside() {
    let message_id = MessageId::from_bytes([9; 16]);
    let hex = "09".repeat(16);
    let mut entry = entry("alice", 1, "yes");
    let mut told = |sender: Option<&str>, is_in_export| {
        entry.answers = Some(Answers {
            message_id,
            sender: sender.map(user),
            is_in_export,
        });
        only(&entry)["inResponseTo"][0].clone()
    };
    let naming = Naming::new("https://relay.example.org");
    let id = naming.message(&user("bob"), message_id);
    assert_eq!(
        told(Some("bob"), true),
        json!({"reference": format!("urn:uuid:{id}")})
    );
    let outside = told(Some("bob"), false);
    assert_eq!(outside["identifier"]["value"], format!("bob/{hex}"));
    let unknown = told(None, false);
    assert_eq!(unknown["identifier"]["value"], hex);
    assert_eq!(
        unknown["identifier"]["system"],
        "https://relay.example.org/connect/message-id"
    );
}

#[test]
fn a_text_that_fhir_cannot_say_is_there_byte_by_byte_as_well() {
    let told = only(&entry("bob", 1, "bell \u{7} and \0"));
    assert_eq!(
        told["payload"],
        json!([
            {"contentString": "bell \u{fffd} and \u{fffd}"},
            {"contentAttachment": {"contentType": "text/plain; charset=utf-8", "data": "YmVsbCAHIGFuZCAA"}},
        ])
    );
}

#[test]
fn times_that_fhir_cannot_say_are_left_out_where_they_may_be() {
    let mut entry = entry("bob", 1, "text");
    entry.message.timestamp_ms = 1 << 53;
    entry.message.stored_ms = 1 << 53;
    let bundle = bundle(&heading(Conversation::User(user("bob"))), &[entry]);
    assert!(resources(&bundle, "Communication")[0]["sent"].is_null());
    let provenance = resources(&bundle, "Provenance")[0];
    assert_eq!(provenance["recorded"], "9999-12-31T23:59:59.999Z");
}

#[test]
fn a_case_adds_its_patient_its_fields_and_its_files() {
    let case = Conversation::Case("0c".repeat(16).parse().unwrap());
    let mut heading = heading(case);
    heading.title = "Hyperkalaemia, bed 4".into();
    heading.case = Some(Case {
        patient_reference: Some("MRN 4711".into()),
        closed_ms: None,
        fields: vec![Field {
            name: "allergies".into(),
            value: "penicillin".into(),
            author: user("bob"),
            set_ms: 1_772_438_412_345,
            is_contested: false,
        }],
    });
    let mut entry = entry("bob", 1, "the film");
    entry.signature = Some(Signature::Holds);
    let file = |id: &str, size| Attachment {
        id: id.into(),
        file_name: "../../x.dcm".into(),
        media_type: "application/dicom".into(),
        size,
        content: None,
    };
    entry.attachments = vec![file("a1", 5), file("a2", 1 << 40)];
    let bundle = bundle(&heading, &[entry]);
    let patient = json!({"type": "Patient", "identifier":
        {"system": "https://relay.example.org/connect/patient-reference", "value": "MRN 4711"}});
    let fields = resources(&bundle, "QuestionnaireResponse")[0];
    assert_eq!(fields["status"], "in-progress");
    assert_eq!(fields["item"][0]["answer"][0]["valueString"], "penicillin");
    let message = resources(&bundle, "Communication")[0];
    let files = resources(&bundle, "DocumentReference");
    for resource in [fields, message, files[0], files[1]] {
        assert_eq!(resource["subject"], patient);
    }
    assert_eq!(message["topic"]["text"], "Hyperkalaemia, bed 4");
    assert_eq!(message["payload"].as_array().unwrap().len(), 3);
    let [small, large] = [files[0], files[1]].map(|file| &file["content"][0]["attachment"]);
    assert_eq!(
        (&small["size"], &small["title"]),
        (&json!(5), &json!("../../x.dcm"))
    );
    assert!(large["size"].is_null());
    assert_eq!(large["extension"][0]["valueDecimal"], json!(1_u64 << 40));
    let provenance = resources(&bundle, "Provenance")[0];
    assert_eq!(provenance["target"].as_array().unwrap().len(), 3);
    assert_eq!(provenance["agent"][0]["extension"][2]["valueCode"], "holds");
}
