//! Document and daemon are one contract: the same methods, and every answer as it is described.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use connect_api::openrpc;
use connect_api::recovery::RecoveryKey;
use connect_service::chance::Chance;
use connect_service::clock::Clock;
use connect_service::session::{Config, Locking, Session};
use connect_tests::raw::Raw;
use connect_tests::schema::Schemas;
use connect_tests::world::{PIN, World};
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
    let alice = world.stranger("alice").await?;
    let bob = world.person("bob").await?;
    let mut reader = Reader::connect(alice.endpoint.path()).await?;
    reader
        .refused("contacts.list", json!({}), "not_enrolled")
        .await?;
    let enrollment = serde_json::to_value(world.enrollment("alice").await?)?;
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
    lock_and_follow(&mut reader).await?;
    // On a connection of its own: an event may still be on its way on the other one.
    reader.raw = Raw::connect(alice.endpoint.path()).await?;
    pair_and_revoke(&mut reader).await?;
    let table: BTreeSet<String> = openrpc::methods()
        .iter()
        .map(|entry| entry.name.to_owned())
        .collect();
    assert_eq!(reader.called, table);
    Ok(())
}

async fn lock_and_follow(reader: &mut Reader) -> Result<()> {
    reader.call("session.lock", json!({})).await?;
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
