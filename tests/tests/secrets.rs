//! Nothing secret leaks: a story is told with everything logged, then log, files and errors are searched for it.

use std::io::Write;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use connect_api::account::Enroll;
use connect_api::session::Pin;
use connect_core::secret::DatabaseKey;
use connect_store::database::Store;
use connect_store::error::StoreError;
use connect_tests::attachments::soon;
use connect_tests::canary::{self, search::spellings};
use connect_tests::raw::Raw;
use connect_tests::world::{Person, World};
use serde_json::{Value, json};
use tracing_subscriber::fmt::MakeWriter;

const PIN: &str = "canary-pin-81403";
const WRONG_PIN: &str = "canary-wrong-pin-7";
const TEXT: &str = "canary-text: potassium 6.1, bed 4";
const ANSWER: &str = "canary-answer: on my way";
const NAME: &str = "Canary Name";
const WARD: &str = "Canary Ward";
const CLIENT_REF: &str = "canary-client-ref";

/// What was logged, by every crate and at every level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn taken(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

fn holds(content: &[u8], secret: &str) -> bool {
    spellings(secret.as_bytes()).iter().any(|spelled| {
        content
            .windows(spelled.len())
            .any(|window| window == spelled)
    })
}

async fn enrolled(world: &World, name: &str, secrets: &mut Vec<String>) -> Result<Person> {
    let person = world.stranger(name).await?;
    let mut params = world.enrollment(name).await?;
    NAME.clone_into(&mut params.display_name);
    WARD.clone_into(&mut params.organisation);
    params.pin = Pin::new(PIN.to_owned());
    let (_, secret) = params.enrollment_code.0.split_once('/').context("a code")?;
    secrets.push(secret.to_owned());
    secrets.push(secret.replace('-', ""));
    person.client.call::<Enroll>(params).await?;
    Ok(person)
}

/// Whatever a client can do wrong with a secret in its hands; gives the answers.
async fn refused(alice: &Person) -> Result<Vec<u8>> {
    let mut raw = Raw::connect(alice.endpoint.path()).await?;
    let mut answers = Vec::new();
    let to_bob = json!({"user": "bob"});
    for (method, params) in [
        (
            "messages.send",
            json!({"conversation": to_bob, "text": TEXT, "reply_to": TEXT}),
        ),
        (
            "messages.send",
            json!({"conversation": to_bob, "text": [TEXT]}),
        ),
        (
            "messages.send",
            json!({"conversation": {TEXT: "bob"}, "text": TEXT}),
        ),
        (
            "messages.send",
            json!({"conversation": to_bob, "text": TEXT, TEXT: TEXT}),
        ),
        (
            "messages.send",
            json!({"conversation": {"user": TEXT}, "text": TEXT}),
        ),
        (
            "messages.send",
            json!({"conversation": to_bob, "text": ANSWER, "client_ref": CLIENT_REF}),
        ),
        ("messages.get", json!({"message_id": TEXT})),
        ("contacts.add", json!({"user_id": NAME})),
        ("session.unlock", json!({"pin": [WRONG_PIN]})),
        (
            "session.unlock",
            json!({"pin": WRONG_PIN, "PIN": WRONG_PIN}),
        ),
        (TEXT, json!({})),
    ] {
        let answer = raw.call(method, params).await?;
        assert!(answer["error"].is_object(), "{method} {answer}");
        answers.extend(answer.to_string().into_bytes());
    }
    for line in [TEXT, &format!("{{\"{TEXT}\""), &format!("[\"{TEXT}\"]")] {
        answers.extend(raw.say(line).await?.to_string().into_bytes());
    }
    Ok(answers)
}

/// Enrolls, writes, errs, locks and unlocks; everything that was answered with an error is returned.
async fn told(world: &mut World, secrets: &mut Vec<String>) -> Result<Vec<u8>> {
    let mut alice = enrolled(world, "alice", secrets).await?;
    let mut bob = enrolled(world, "bob", secrets).await?;
    alice.adds(&bob).await?;
    let sent = alice
        .client
        .send_text(bob.conversation(), TEXT, Some(CLIENT_REF.to_owned()));
    bob.receives(&sent.await?.message_id).await?;
    let answer = bob.writes(&alice, ANSWER).await?;
    alice.receives(&answer).await?;
    let mut errors = refused(&alice).await?;
    let mut raw = Raw::connect(alice.endpoint.path()).await?;
    raw.call("session.lock", json!({})).await?;
    let wrong = raw
        .call("session.unlock", json!({"pin": WRONG_PIN}))
        .await?;
    assert_eq!(wrong["error"]["data"]["code"], "wrong_pin");
    errors.extend(wrong.to_string().into_bytes());
    let unlocked: Value = raw.call("session.unlock", json!({"pin": PIN})).await?;
    assert_eq!(unlocked["result"]["state"], "unlocked");
    every_mode_is_private(world.path())?;
    alice.stop().await;
    bob.stop().await;
    world.stop_relay().await;
    Ok(errors)
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let (mut folders, mut files) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path.clone());
            }
            files.push(path);
        }
    }
    Ok(files)
}

/// While everything runs: files, sockets and folders are their owner's alone.
fn every_mode_is_private(folder: &Path) -> Result<()> {
    let mut sockets = 0;
    for path in files(folder)? {
        let found = match std::fs::symlink_metadata(&path) {
            // A database's journal comes and goes.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            found => found?,
        };
        let expected = if found.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(
            found.permissions().mode() & 0o7777,
            expected,
            "{}",
            path.display()
        );
        sockets += usize::from(found.file_type().is_socket());
    }
    // Of both daemons, and of the relay for its operators.
    assert_eq!(sockets, 3);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_the_log_in_a_file_or_in_an_error() -> Result<()> {
    let log = Log::default();
    let logging = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(log.clone());
    // In a canary run another story may have begun to log: it is searched with all others.
    let is_searched_later = logging.try_init().is_err();
    assert!(!is_searched_later || canary::is_running());
    let mut secrets: Vec<String> = [PIN, WRONG_PIN, TEXT, ANSWER, NAME, WARD, CLIENT_REF]
        .map(str::to_owned)
        .to_vec();
    let mut world = World::new().await?;
    let errors = told(&mut world, &mut secrets).await?;
    let log = log.taken();
    let is_whole = log.len() > 100_000 || is_searched_later;
    assert!(is_whole, "only {} bytes were logged", log.len());
    for secret in &secrets {
        assert!(!holds(&log, secret), "{secret} was logged");
        assert!(!holds(&errors, secret), "{secret} is in an error");
    }
    let relay = world.relay_dir();
    let mut searched = 0;
    for path in files(world.path())?.iter().filter(|path| path.is_file()) {
        let content = std::fs::read(path)?;
        for secret in &secrets {
            // The relay's directory publishes who someone is.
            let published = path.starts_with(&relay) && [NAME, WARD].contains(&secret.as_str());
            let found = !published && holds(&content, secret);
            assert!(!found, "{secret} in {}", path.display());
        }
        searched += 1;
    }
    assert!(searched > 10, "only {searched} files");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_opens_under_no_other_key_and_tells_nothing_of_itself() -> Result<()> {
    let world = World::new().await?;
    let mut alice = world.person("alice").await?;
    alice.stop().await;
    let path = alice.state_dir.join("account/messages.db");
    // Whoever closes it last empties its log into it, which may be a moment after the end was told.
    let log = path.with_file_name("messages.db-wal");
    soon(async || Ok(!log.try_exists()?)).await?;
    let before = std::fs::read(&path)?;
    assert!(!before.starts_with(b"SQLite format 3"));
    assert!(!holds(&before, "CREATE TABLE"));
    for key in [[0; 32], [7; 32]] {
        let opened = Store::open(&path, DatabaseKey::from_bytes(&key)).await;
        assert!(matches!(opened, Err(StoreError::CannotOpen)), "{opened:?}");
    }
    assert!(std::fs::read(&path)? == before, "a wrong key changed it");
    alice.start().await?;
    alice.unlock().await
}
