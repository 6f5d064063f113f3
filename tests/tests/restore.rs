//! A restored daemon has the history and is another installation: nothing that came after the backup is taken for new, and
//! nothing is sent twice.

use anyhow::{Context as _, Result, ensure};
use connect_api::account::{self, Account};
use connect_api::apps::{Create, CreateParams};
use connect_api::attachments::{AttachmentReason, AttachmentState};
use connect_api::backup::BeginRestore;
use connect_api::errors::ErrorCode;
use connect_api::events::EventBody;
use connect_api::messages::MessageState;
use connect_api::page::Nothing;
use connect_api::scope::Scope;
use connect_api::search::{Search, SearchParams};
use connect_api::session::{Authenticate, AuthenticateParams};
use connect_api::system::State;
use connect_tests::apart::Apart;
use connect_tests::attachments;
use connect_tests::backups::{
    Backup, new_machine, recoverable, recovery_key, restore, restoring, scratch_is_empty, take, why,
};
use connect_tests::world::{Person, World, refusal};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, SqliteConnection};

async fn account(person: &Person) -> Result<Account> {
    Ok(person.client.call::<account::Get>(Nothing {}).await?)
}

async fn texts(reader: &Person, with: &Person) -> Result<Vec<String>> {
    let messages = reader.reads(with).await?;
    Ok(messages.into_iter().map(|message| message.text).collect())
}

struct Story {
    world: World,
    alice: Person,
    bob: Person,
}

/// Alice and Bob have written to each other.
async fn story() -> Result<Story> {
    let world = World::new().await?;
    let alice = recoverable(&world, "alice", &recovery_key(1)).await?;
    let bob = world.person("bob").await?;
    alice.adds(&bob).await?;
    let hello = alice.writes(&bob, "hello").await?;
    bob.receives(&hello).await?;
    let answer = bob.writes(&alice, "good morning").await?;
    alice.receives(&answer).await?;
    Ok(Story { world, alice, bob })
}

impl Story {
    async fn restores(&self, backup: &Backup) -> Result<Person> {
        let key = recovery_key(1);
        let (again, _) = new_machine(&self.world, "alice", "alice-2", backup, &key).await?;
        Ok(again)
    }

    async fn bob_knows_of_the_new_keys(&self) -> Result<()> {
        self.bob
            .sees(|body| matches!(body, EventBody::KeyChanged { .. }))
            .await?;
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_another_installation_that_goes_on_with_the_history() -> Result<()> {
    let mut story = story().await?;
    let before = account(&story.alice).await?;
    let app = story.alice.client.call::<Create>(CreateParams {
        name: "EHR".into(),
        scopes: vec![Scope::MessagesRead],
        uid: None,
    });
    let app = app.await?;
    let backup = take(&story.alice.client).await?;
    story.alice.stop().await;
    let again = story.restores(&backup).await?;

    let now = account(&again).await?;
    assert_eq!(now.user_id, before.user_id);
    assert_eq!(now.display_name, before.display_name);
    assert_ne!(now.installation_id, before.installation_id);
    assert_ne!(now.box_key_id, before.box_key_id);
    assert_ne!(now.sign_key_id, before.sign_key_id);
    ensure!(now.has_recovery_key);
    assert_eq!(texts(&again, &story.bob).await?, ["hello", "good morning"]);
    let words = SearchParams {
        query: "good morn*".to_owned(),
        conversation: None,
        after: None,
        limit: None,
    };
    let hits = again.client.call::<Search>(words).await?;
    assert_eq!(hits.items.len(), 1);
    // The app was paired with the old machine.
    let token = AuthenticateParams {
        app_id: app.app_id,
        token: app.token,
    };
    let refused = again.client.call::<Authenticate>(token).await;
    assert_eq!(refusal(refused)?, ErrorCode::Unauthenticated);
    // Event ids of the old machine that came after the backup are not given again.
    let health = again.client.health().await?;
    ensure!(health.events.last_event_id > backup.taken_at.event_id + 1000);

    story.bob_knows_of_the_new_keys().await?;
    let new = again.writes(&story.bob, "on the new machine").await?;
    story.bob.receives(&new).await?;
    let answer = story.bob.writes(&again, "welcome back").await?;
    again.receives(&answer).await?;
    let all = [
        "hello",
        "good morning",
        "on the new machine",
        "welcome back",
    ];
    assert_eq!(texts(&again, &story.bob).await?, all);
    assert_eq!(texts(&story.bob, &again).await?, all);
    assert_eq!(story.bob.client.health().await?.inbox.missing, 0);
    Ok(())
}

/// What came after the backup is sealed for keys that are no more. Sent again by whoever kept it, it is shown to nobody;
/// Bob, asked for what is missing, sends it himself.
#[tokio::test(flavor = "multi_thread")]
async fn what_came_after_the_backup_is_not_taken_from_a_replay_but_from_its_author() -> Result<()> {
    let mut story = story().await?;
    let backup = take(&story.alice.client).await?;
    story.alice.stop().await;
    // For the old keys: the relay has it, and gives it to whoever comes.
    let later = story.bob.writes(&story.alice, "potassium 6.1").await?;
    story.bob.sees_state(&later, MessageState::Sent).await?;
    story.bob.stop().await;
    let again = story.restores(&backup).await?;
    again
        .sees(|body| matches!(body, EventBody::MessageQuarantined { .. }))
        .await?;
    assert_eq!(texts(&again, &story.bob).await?, ["hello", "good morning"]);
    assert_eq!(again.client.health().await?.inbox.quarantined, 1);

    story.bob.start().await?;
    story.bob.unlock().await?;
    story.bob_knows_of_the_new_keys().await?;
    let next = story.bob.writes(&again, "and now?").await?;
    again.receives(&next).await?;
    story.world.advance(61_000);
    let last = story.bob.writes(&again, "still there?").await?;
    again.receives(&later).await?;
    again.receives(&last).await?;
    let all = [
        "hello",
        "good morning",
        "potassium 6.1",
        "and now?",
        "still there?",
    ];
    assert_eq!(texts(&again, &story.bob).await?, all);
    assert_eq!(again.client.health().await?.inbox.missing, 0);
    Ok(())
}

/// Whether or not the old machine sent it after the backup.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_queued_arrives_once() -> Result<()> {
    for old_machine_sends_it in [true, false] {
        let mut story = story().await?;
        story.world.stop_relay().await;
        let queued = story.alice.writes(&story.bob, "bed 4 is ready").await?;
        let backup = take(&story.alice.client).await?;
        if old_machine_sends_it {
            story.world.start_relay().await?;
            story.bob.receives(&queued).await?;
            story
                .alice
                .sees_state(&queued, MessageState::Delivered)
                .await?;
            story.alice.stop().await;
        } else {
            story.alice.stop().await;
            story.world.start_relay().await?;
        }
        let again = story.restores(&backup).await?;
        again.sees_state(&queued, MessageState::Sent).await?;
        story.bob.receives(&queued).await?;
        let last = again.writes(&story.bob, "the end").await?;
        story.bob.receives(&last).await?;
        let all = ["hello", "good morning", "bed 4 is ready", "the end"];
        assert_eq!(texts(&story.bob, &again).await?, all);
        assert_eq!(story.bob.client.health().await?.inbox.missing, 0);
        assert_eq!(story.bob.client.health().await?.inbox.quarantined, 0);
    }
    Ok(())
}

/// Under the number that it had, of the installation that it had it from.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_old_machine_wrote_can_still_be_asked_for() -> Result<()> {
    let mut story = story().await?;
    story.bob.stop().await;
    let mut ids = Vec::new();
    for text in ["one", "two", "three"] {
        ids.push(story.alice.writes(&story.bob, text).await?);
    }
    story.alice.sees_state(&ids[2], MessageState::Sent).await?;
    let backup = take(&story.alice.client).await?;
    story.alice.stop().await;
    story.world.stop_relay().await;
    let database = SqliteConnectOptions::new().filename(story.world.relay_dir().join("relay.db"));
    let mut database = SqliteConnection::connect_with(&database).await?;
    let lost = sqlx::query("DELETE FROM mailbox WHERE message_id = ?")
        .bind(hex::decode(&ids[1])?)
        .execute(&mut database)
        .await?;
    assert_eq!(lost.rows_affected(), 1);
    database.close().await?;
    story.world.start_relay().await?;

    let again = story.restores(&backup).await?;
    story.bob.start().await?;
    story.bob.unlock().await?;
    story.bob_knows_of_the_new_keys().await?;
    // The first ones of the new installation have the numbers that those had.
    for text in ["four", "five", "six", "seven"] {
        ids.push(again.writes(&story.bob, text).await?);
    }
    story.bob.receives(&ids[6]).await?;
    assert_eq!(story.bob.client.health().await?.inbox.missing, 1);
    story.world.advance(61_000);
    ids.push(again.writes(&story.bob, "eight").await?);
    assert_eq!(story.bob.receives(&ids[1]).await?.text, "two");
    story.bob.receives(&ids[7]).await?;
    let health = story.bob.client.health().await?;
    assert_eq!((health.inbox.missing, health.inbox.quarantined), (0, 0));
    let all = [
        "hello",
        "good morning",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
    ];
    assert_eq!(texts(&story.bob, &again).await?, all);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_and_its_key_alone_take_no_account_over() -> Result<()> {
    let story = story().await?;
    let backup = take(&story.alice.client).await?;
    let thief = story.world.stranger("thief").await?;
    let used = format!("alice/{}", "0".repeat(26));
    let for_bob = story.world.issue_code("bob").await?;
    for (code, reason) in [(used.as_str(), None), (for_bob.as_str(), Some("mismatch"))] {
        let params = restoring(code, &recovery_key(1), &backup.bytes);
        let refused = restore(&thief.client, &backup.bytes, params).await;
        let (field, told) = why(refused)?;
        assert_eq!(field, "enrollment_code");
        ensure!(reason.is_none_or(|reason| told == reason), "{told}");
        let hello = thief.client.hello().await?;
        assert_eq!(hello.state, State::Unenrolled);
        ensure!(scratch_is_empty(&thief.state_dir)?);
    }
    // The true one goes on.
    let sent = story.alice.writes(&story.bob, "I am still here").await?;
    story.bob.receives(&sent).await?;
    // And takes no backup while it has an account.
    let code = story.world.issue_code("alice").await?;
    let params = restoring(&code, &recovery_key(1), &backup.bytes);
    let refused = story.alice.client.call::<BeginRestore>(params).await;
    assert_eq!(
        why(refused)?,
        ("account".to_owned(), "already_enrolled".to_owned())
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_off_by_the_relay_it_is_run_again_with_the_same_code() -> Result<()> {
    let mut story = story().await?;
    let backup = take(&story.alice.client).await?;
    story.alice.stop().await;
    let code = story.world.issue_code("alice").await?;
    let mut again = story.world.stranger("alice-2").await?;
    "alice".clone_into(&mut again.name);
    story.world.stop_relay().await;
    let params = restoring(&code, &recovery_key(1), &backup.bytes);
    let refused = restore(&again.client, &backup.bytes, params.clone()).await;
    assert_eq!(refusal(refused)?, ErrorCode::RelayUnreachable);
    assert_eq!(again.client.hello().await?.state, State::Unenrolled);
    story.world.start_relay().await?;
    restore(&again.client, &backup.bytes, params).await?;
    assert_eq!(texts(&again, &story.bob).await?, ["hello", "good morning"]);
    again.restart().await?;
    assert_eq!(texts(&again, &story.bob).await?, ["hello", "good morning"]);
    Ok(())
}

/// As a kill leaves it between the relay's answer and the rename that makes an account of it.
#[tokio::test(flavor = "multi_thread")]
async fn known_to_the_relay_and_not_finished_it_is_run_again_with_the_same_code() -> Result<()> {
    let mut story = story().await?;
    let backup = take(&story.alice.client).await?;
    story.alice.stop().await;
    let code = story.world.issue_code("alice").await?;
    let mut again = story.world.stranger("alice-2").await?;
    "alice".clone_into(&mut again.name);
    let params = restoring(&code, &recovery_key(1), &backup.bytes);
    restore(&again.client, &backup.bytes, params.clone()).await?;
    let known = account(&again).await?;
    again.stop().await;
    let place = |name| again.state_dir.join(name);
    std::fs::rename(place("account"), place("enrolling"))?;
    again.start().await?;
    assert_eq!(again.client.hello().await?.state, State::Unenrolled);
    restore(&again.client, &backup.bytes, params).await?;
    let now = account(&again).await?;
    assert_eq!(now.installation_id, known.installation_id);
    assert_eq!(now.box_key_id, known.box_key_id);
    story.bob_knows_of_the_new_keys().await?;
    let new = again.writes(&story.bob, "once more").await?;
    story.bob.receives(&new).await?;
    assert_eq!(
        texts(&again, &story.bob).await?,
        ["hello", "good morning", "once more"]
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_it_is_unenrolled_and_clean_and_is_run_again() -> Result<()> {
    let story = story().await?;
    let backup = take(&story.alice.client).await?;
    let mut again = Apart::stranger(&story.world, "alice-2", Vec::new())?;
    let code = story.world.issue_code("alice").await?;
    let params = restoring(&code, &recovery_key(1), &backup.bytes);
    for part in [1, backup.bytes.len() / 2, backup.bytes.len() - 1] {
        again.is(|_| true).await?;
        let issued = again.client.call::<BeginRestore>(params.clone()).await?;
        let mut stream = again.client.redeem(issued.ticket).await?;
        stream.write(&backup.bytes[..part]).await?;
        again.kill()?;
        ensure!(!scratch_is_empty(&again.state_dir)?, "it was under way");
        again.start()?;
        let hello = again.client.hello().await?;
        assert_eq!(hello.state, State::Unenrolled);
        ensure!(scratch_is_empty(&again.state_dir)?, "after {part} bytes");
    }
    let contents = restore(&again.client, &backup.bytes, params).await?;
    assert_eq!(contents.messages, 2);
    assert_eq!(again.reads("bob").await?.len(), 2);
    again.stop().context("it runs")
}

/// The bytes of a file that was on its way are in no backup: its message does not go out without them, and says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_whose_file_was_not_at_the_relay_yet_does_not_go_out() -> Result<()> {
    let mut story = story().await?;
    story.world.stop_relay().await;
    let film = attachments::film(attachments::CHUNK, "hip");
    let [message, id] = attachments::send(&story.alice, &story.bob, &film, "hip.dcm").await?;
    let text = story.alice.writes(&story.bob, "see the film").await?;
    let backup = take(&story.alice.client).await?;
    story.alice.stop().await;
    story.world.start_relay().await?;
    let again = story.restores(&backup).await?;
    story.bob_knows_of_the_new_keys().await?;
    story.bob.receives(&text).await?;
    let found = attachments::standing(&again.client, &id).await?.attachment;
    assert_eq!(found.state, AttachmentState::Failed);
    assert_eq!(found.reason, Some(AttachmentReason::FileDamaged));
    again.sees_state(&message, MessageState::Failed).await?;
    assert_eq!(
        texts(&story.bob, &again).await?,
        ["hello", "good morning", "see the film"]
    );
    let refused = attachments::download(&again.client, &id, 0).await;
    assert_eq!(refusal(refused)?, ErrorCode::Invalid);
    assert_eq!(again.client.health().await?.outbox.queued, 0);
    Ok(())
}
