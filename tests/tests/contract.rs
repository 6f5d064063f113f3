//! Document and daemon are one contract: the same methods, and every answer as it is described.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use connect_api::events::EventBody;
use connect_api::openrpc;
use connect_api::recovery::RecoveryKey;
use connect_service::chance::Chance;
use connect_service::clock::Clock;
use connect_service::session::{Config, Locking, Session};
use connect_tests::attachments;
use connect_tests::organisation::Organisation;
use connect_tests::raw::Raw;
use connect_tests::schema::Schemas;
use connect_tests::world::{PIN, Person, World};
use connect_vault::keystore::Keystore;
use connect_vault::vault::KdfCost;
use connectd::limits::Limits;
use connectd::rpc::context::Context;
use rand_core::OsRng;
use serde_json::{Value, json};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Calls as any client would, and holds each answer against the document that the daemon gave.
struct Reader {
    raw: Raw,
    document: Value,
    called: BTreeSet<String>,
    codes: BTreeSet<String>,
}

impl Reader {
    async fn connect(socket: &std::path::Path) -> Result<Self> {
        let mut raw = Raw::connect(socket).await?;
        let document = raw.call("rpc.discover", json!({})).await?["result"].take();
        Ok(Self {
            raw,
            document,
            called: BTreeSet::new(),
            codes: BTreeSet::new(),
        })
    }

    async fn call(&mut self, method: &str, params: Value) -> Result<Value> {
        let mut answer = self.raw.call(method, params).await?;
        ensure!(answer["jsonrpc"] == "2.0", "{answer}");
        let members = answer.as_object().context("an object")?.keys();
        let members: Vec<_> = members.map(String::as_str).collect();
        if answer["error"].is_object() {
            assert_eq!(members, ["error", "id", "jsonrpc"]);
            self.check_error(&answer["error"])?;
        } else {
            assert_eq!(members, ["id", "jsonrpc", "result"]);
            let methods = self.document["methods"].as_array().context("methods")?;
            let described = methods.iter().find(|known| known["name"] == method);
            let schema = &described.context("a method")?["result"]["schema"];
            Schemas(&self.document).check(schema, &answer["result"], method)?;
            self.called.insert(method.to_owned());
        }
        Ok(answer["result"].take())
    }

    /// The code, its text and its name belong together, and beside them stands what is described.
    fn check_error(&mut self, error: &Value) -> Result<()> {
        let name = error["data"]["code"].as_str().context("a name")?;
        let described = &self.document["components"]["errors"][name];
        assert_eq!(error["code"], described["code"]);
        assert_eq!(error["message"], described["message"]);
        Schemas(&self.document).check(&described["data"], &error["data"], name)?;
        self.codes.insert(name.to_owned());
        Ok(())
    }

    async fn refused(&mut self, method: &str, params: Value, expected: &str) -> Result<()> {
        let result = self.call(method, params).await?;
        ensure!(result.is_null(), "{method} was answered with {result}");
        ensure!(
            self.codes.contains(expected),
            "{method} is not {expected}: {:?}",
            self.codes
        );
        Ok(())
    }

    /// Notifications have a shape as well.
    async fn check_notification(&mut self) -> Result<()> {
        let line = self.raw.line().await?.context("a notification")?;
        let described = &self.document["x-notifications"][0];
        assert_eq!(line["method"], described["name"]);
        let result = &described["params"]["result"];
        Schemas(&self.document).check(result, &line["params"]["result"], "an event")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_answers_with_the_document_that_the_command_prints() -> Result<()> {
    let world = World::new().await?;
    let alice = world.stranger("alice").await?;
    let reader = Reader::connect(alice.endpoint.path()).await?;
    assert_eq!(reader.document, openrpc::document(VERSION));
    Ok(())
}

#[tokio::test]
async fn every_method_of_the_table_is_registered_and_no_other() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let config = Config {
        state_dir: dir.path().to_owned(),
        keystore: Keystore::Passphrase,
        kdf_cost: KdfCost::for_tests(),
        locking: Locking::default(),
    };
    let session = Arc::new(Session::new(config, Clock::system(), Chance::system()));
    let context = Context::new(session, Limits::default(), Vec::new(), 0);
    let methods = connectd::rpc::methods(Arc::new(context))?;
    let registered: BTreeSet<&str> = methods.method_names().collect();
    let entries = openrpc::methods();
    let table: BTreeSet<&str> = entries.iter().map(|entry| entry.name).collect();
    assert_eq!(registered, table);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_of_a_story_is_as_described() -> Result<()> {
    let world = World::new().await?;
    let mut alice = world.stranger("alice").await?;
    let organisation = Organisation::new(7);
    alice.trusts(organisation.public_key()).await?;
    let bob = world.person("bob").await?;
    let mut reader = Reader::connect(alice.endpoint.path()).await?;
    reader
        .refused("contacts.list", json!({}), "not_enrolled")
        .await?;
    let enrollment = serde_json::to_value(world.enrollment("alice").await?)?;
    let key = RecoveryKey::generate(&mut OsRng);
    let restored = json!({"recovery_key": key.expose().as_str(), "enrollment_code": "alice/0", "pin": PIN, "size": 1});
    reader.call("backup.begin_restore", restored).await?;
    reader.call("account.enroll", enrollment.clone()).await?;
    reader
        .refused("account.enroll", enrollment, "invalid")
        .await?;
    let to_bob = json!({"user": "bob"});
    let hello = json!({"conversation": to_bob, "text": "hello", "client_ref": "r"});
    reader
        .refused("messages.send", hello.clone(), "unknown_contact")
        .await?;
    reader
        .call("contacts.add", json!({"user_id": "bob"}))
        .await?;
    let sent = reader.call("messages.send", hello).await?;
    let id = sent["message_id"].as_str().context("an id")?.to_owned();
    bob.receives(&id).await?;
    alice
        .sees_state(&id, connect_api::messages::MessageState::Sent)
        .await?;
    let answered = bob.writes(&alice, "answer").await?;
    alice.receives(&answered).await?;
    let other = json!({"conversation": to_bob, "text": "other", "client_ref": "r"});
    reader
        .refused("messages.send", other, "client_ref_conflict")
        .await?;
    for (method, params) in [
        (
            "system.hello",
            json!({"client": "contract/1", "api_version": 1}),
        ),
        ("system.health", json!({})),
        ("rpc.discover", json!({})),
        ("account.get", json!({})),
        ("contacts.get", json!({"user_id": "bob"})),
        ("contacts.list", json!({"limit": 1})),
        ("contacts.search", json!({"query": "Dr. bob", "limit": 5})),
        ("contacts.block", json!({"user_id": "bob", "blocked": true})),
        (
            "contacts.block",
            json!({"user_id": "bob", "blocked": false}),
        ),
        ("contacts.remove", json!({"user_id": "bob"})),
        ("contacts.add", json!({"user_id": "bob"})),
        ("account.update_profile", json!({"profession": "surgeon"})),
        ("account.rotate_keys", json!({})),
        ("conversations.list", json!({})),
        ("messages.list", json!({"conversation": to_bob, "limit": 1})),
        ("messages.search", json!({"query": "hel*", "limit": 1})),
        ("messages.get", json!({"message_id": id})),
        ("messages.get", json!({"message_id": answered})),
        (
            "messages.mark_read",
            json!({"conversation": to_bob, "up_to": answered}),
        ),
        (
            "messages.edit",
            json!({"message_id": id, "text": "hello, all"}),
        ),
        ("messages.delete", json!({"message_id": id})),
        ("messages.versions", json!({"message_id": id})),
        (
            "messages.typing",
            json!({"conversation": to_bob, "active": true}),
        ),
        ("policy.get", json!({})),
        ("policy.set", json!({"retention_days": null})),
        ("policy.set", json!({"retention_days": 365, "typing": true})),
        ("events.list", json!({"limit": 500})),
        ("events.list", json!({"limit": 1})),
        ("events.ack", json!({"event_id": 1})),
        ("audit.list", json!({"limit": 500})),
        ("audit.verify", json!({})),
    ] {
        let result = reader.call(method, params).await?;
        ensure!(!result.is_null(), "{method} was refused");
    }
    share(&mut reader, &alice).await?;
    trust(&mut reader, &organisation, &world, (&alice, &bob)).await?;
    lock_and_follow(&mut reader).await?;
    // On a connection of its own: an event may still be on its way on the other one.
    reader.raw = Raw::connect(alice.endpoint.path()).await?;
    pair_and_revoke(&mut reader).await?;
    leave(&mut reader, &alice).await?;
    let table: BTreeSet<String> = openrpc::methods()
        .iter()
        .map(|entry| entry.name.to_owned())
        .collect();
    assert_eq!(reader.called, table);
    Ok(())
}

async fn share(reader: &mut Reader, alice: &Person) -> Result<()> {
    attach(reader, alice).await?;
    share_cases(reader).await?;
    groups(reader).await
}

async fn attach(reader: &mut Reader, alice: &Person) -> Result<()> {
    let announced = json!({"size": 3, "media_type": "text/plain", "filename": "note.txt"});
    let begun = reader
        .call("attachments.begin_upload", announced.clone())
        .await?;
    let id = json!({"attachment_id": begun["attachment_id"]});
    reader.call("attachments.get", id.clone()).await?;
    reader.call("attachments.cancel", id.clone()).await?;
    reader.refused("attachments.get", id, "not_found").await?;
    let mut untyped = announced;
    untyped["media_type"] = json!("text");
    reader
        .refused("attachments.begin_upload", untyped, "invalid")
        .await?;
    let uploaded = attachments::upload(&alice.client, b"note", "note.txt").await?;
    let id = json!({"attachment_id": uploaded.attachment_id});
    let named = json!({"conversation": {"user": "bob"}, "attachment": id});
    let sent = reader.call("messages.send", named).await?;
    alice.has_all_of(&uploaded.attachment_id).await?;
    let message = json!({"message_id": sent["message_id"]});
    let shown = reader.call("messages.get", message).await?;
    assert_eq!(shown["attachment"]["safe_name"], "note.txt");
    reader.call("attachments.list", json!({"limit": 1})).await?;
    reader
        .call("attachments.begin_download", id.clone())
        .await?;
    reader.call("attachments.discard_local", id).await?;
    Ok(())
}

async fn share_cases(reader: &mut Reader) -> Result<()> {
    let fields = json!({"allergies": "none known"});
    let params = json!({"title": "Bed 4", "participants": ["bob"], "fields": fields});
    let created = reader.call("cases.create", params).await?;
    let case = created["case"].as_str().context("an id")?.to_owned();
    let of_bob = json!({"case": case, "user_id": "bob"});
    let set = json!({"case": case, "name": "allergies", "value": "latex", "expected_revision": 1});
    for (method, params) in [
        ("cases.get", json!({"case": case})),
        ("cases.list", json!({"limit": 1})),
        ("cases.export", json!({"case": case, "format": "html"})),
        ("cases.set_field", set.clone()),
        (
            "cases.field_history",
            json!({"case": case, "name": "allergies"}),
        ),
        ("cases.add_participant", of_bob.clone()),
        ("cases.remove_participant", of_bob),
        ("cases.leave", json!({"case": case})),
    ] {
        let result = reader.call(method, params).await?;
        ensure!(!result.is_null(), "{method} was refused");
    }
    reader
        .refused("cases.set_field", set, "not_a_participant")
        .await?;
    let params = json!({"title": "Bed 5"});
    let created = reader.call("cases.create", params).await?;
    let set = json!({"case": created["case"], "name": "a", "value": "b", "expected_revision": 7});
    reader
        .refused("cases.set_field", set, "revision_conflict")
        .await?;
    reader
        .call("cases.close", json!({"case": created["case"]}))
        .await?;
    Ok(())
}

async fn groups(reader: &mut Reader) -> Result<()> {
    let params = json!({"name": "Ward 3", "members": ["bob"]});
    let made = reader.call("groups.create", params).await?;
    let group = &made["group"];
    let to_group = json!({"group": group});
    let mine = json!({"group": group, "add": ["nobody"]});
    reader
        .refused("groups.update", mine, "unknown_contact")
        .await?;
    let renamed = json!({"group": group, "name": "Ward 4", "promote": ["bob"]});
    let renamed = reader.call("groups.update", renamed).await?;
    assert_eq!(renamed["revision"], 2);
    reader.call("groups.get", to_group.clone()).await?;
    reader.call("groups.list", json!({"limit": 1})).await?;
    let text = json!({"conversation": to_group, "text": "to all"});
    reader.call("messages.send", text.clone()).await?;
    reader.call("groups.leave", to_group).await?;
    reader
        .refused("messages.send", text, "not_a_participant")
        .await
}

async fn trust(
    reader: &mut Reader,
    organisation: &Organisation,
    world: &World,
    (alice, bob): (&Person, &Person),
) -> Result<()> {
    let of_bob = json!({"user_id": "bob"});
    let contact = reader.call("contacts.get", of_bob.clone()).await?;
    let digits = reader.call("trust.fingerprint", of_bob).await?;
    let half = json!({"user_id": "bob", "digits": contact["fingerprint"]});
    reader.refused("trust.compare", half, "invalid").await?;
    let reject = json!({"user_id": "bob", "decision": "reject", "key": contact["key"]});
    reader.call("trust.decide", reject).await?;
    reader.call("trust.pending", json!({"limit": 1})).await?;
    let written = bob.writes(alice, "put aside").await?;
    // What he answers to the group comes late, and is put aside as well.
    alice
        .sees(|body| matches!(body, EventBody::MessageQuarantined { message_id: Some(id), .. } if *id == written))
        .await?;
    let listed = reader
        .call("quarantine.list", json!({"limit": 100}))
        .await?;
    let mut listed = listed["items"].as_array().into_iter().flatten();
    let aside = listed.find(|item| item["message_id"] == written);
    let id = &aside.context("it is listed")?["quarantine_id"];
    let kept = reader
        .call("quarantine.get", json!({"quarantine_id": id}))
        .await?;
    assert_eq!(kept["unproven"]["text"], "put aside");
    let entries = json!([{"user_id": "bob", "key": contact["key"]}]);
    let file = organisation.file(1, world.now_ms() + 1000, &entries);
    let imported = reader.call("trust.import", file).await?;
    assert_eq!(imported["entries"][0]["outcome"], "rejected");
    let other = json!({"user_id": "bob", "decision": "accept", "key": "00".repeat(32)});
    reader
        .refused("trust.decide", other, "revision_conflict")
        .await?;
    let scanned = json!({"user_id": "bob", "qr": digits["qr"]});
    let compared = reader.call("trust.compare", scanned).await?;
    assert_eq!(compared["verified"], true);
    Ok(())
}

async fn lock_and_follow(reader: &mut Reader) -> Result<()> {
    reader.call("session.uncover", json!({})).await?;
    reader.call("session.lock", json!({})).await?;
    reader
        .refused("session.uncover", json!({}), "locked")
        .await?;
    reader.refused("contacts.list", json!({}), "locked").await?;
    reader
        .refused("session.unlock", json!({"pin": "00000"}), "wrong_pin")
        .await?;
    reader.call("session.unlock", json!({"pin": PIN})).await?;
    let short = json!({"pin": PIN, "new_pin": "1"});
    reader
        .refused("session.change_pin", short, "invalid")
        .await?;
    let same = json!({"pin": PIN, "new_pin": PIN});
    reader.call("session.change_pin", same).await?;
    let key = RecoveryKey::generate(&mut OsRng);
    let first = json!({"pin": PIN, "recovery_key": key.expose().as_str()});
    reader.call("session.set_recovery_key", first).await?;
    reader.call("session.lock", json!({})).await?;
    let mistyped = json!({"recovery_key": "recover1", "new_pin": PIN});
    reader
        .refused("session.recover", mistyped, "invalid")
        .await?;
    let forgotten = json!({"recovery_key": key.expose().as_str(), "new_pin": PIN});
    reader.call("session.recover", forgotten).await?;
    reader.call("backup.begin", json!({})).await?;
    let page = json!({"conversation": {"user": "bob"}, "format": "html"});
    reader.call("conversations.export", page).await?;
    let looked_at = json!({"recovery_key": key.expose().as_str(), "size": 1});
    reader.call("backup.begin_verify", looked_at).await?;
    let empty = json!({"recovery_key": key.expose().as_str(), "size": 0});
    reader
        .refused("backup.begin_verify", empty, "invalid")
        .await?;
    reader
        .refused("contacts.get", json!({"user_id": "nobody"}), "not_found")
        .await?;
    reader
        .refused("contacts.get", json!({}), "invalid_params")
        .await?;
    let health = reader.call("system.health", json!({})).await?;
    let newest = health["events"]["last_event_id"]
        .as_u64()
        .context("a number")?;
    let following = reader
        .call("events.subscribe", json!({"after": newest - 1}))
        .await?;
    reader.check_notification().await?;
    // Whatever came in between has been read by then or comes in front of the answer.
    let unsubscribe = json!({"subscription": following});
    let id = reader.raw.ask("events.unsubscribe", unsubscribe).await?;
    loop {
        let line = reader.raw.line().await?.context("an answer")?;
        if line["id"] == id {
            assert_eq!(line["result"], true);
            reader.called.insert("events.unsubscribe".to_owned());
            return Ok(());
        }
    }
}

async fn leave(reader: &mut Reader, alice: &Person) -> Result<()> {
    reader.raw = Raw::connect(alice.endpoint.path()).await?;
    let pin = json!({"pin": PIN});
    reader.call("account.delete", pin.clone()).await?;
    reader
        .refused("account.get", json!({}), "installation_revoked")
        .await?;
    reader
        .refused("account.delete", pin, "installation_revoked")
        .await
}

async fn pair_and_revoke(reader: &mut Reader) -> Result<()> {
    let scopes = json!({"name": "EHR", "scopes": ["admin", "messages.read"], "uid": null});
    let app = reader.call("apps.create", scopes).await?;
    reader.call("apps.list", json!({"limit": 1})).await?;
    let unknown = json!({"app_id": "00".repeat(16)});
    reader.refused("apps.revoke", unknown, "not_found").await?;
    let other = reader
        .call("apps.create", json!({"name": "b", "scopes": ["admin"]}))
        .await?;
    reader
        .call("apps.revoke", json!({"app_id": other["app_id"]}))
        .await?;
    reader
        .refused("session.authenticate", other, "unauthenticated")
        .await?;
    reader.call("session.authenticate", app).await?;
    reader
        .refused("contacts.list", json!({}), "forbidden")
        .await
}
