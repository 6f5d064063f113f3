//! One `client_ref`, asked for a hundred times at once while daemon and relay are killed, is one message.

use anyhow::{Error, Result, ensure};
use connect_api::contacts::{Block, BlockParams, Remove, UserParams};
use connect_api::conversation::Conversation;
use connect_api::errors::ErrorCode;
use connect_api::groups::{Create, CreateParams};
use connect_tests::crash::check::check;
use connect_tests::crash::record::Record;
use connect_tests::crash::{Burst, Run};
use connect_tests::world::{World, refusal};
use rand_chacha::ChaCha12Rng;
use rand_core::SeedableRng as _;

const TIMES: usize = 100;

/// Kills once so many answers were there.
async fn ask_a_hundred_times(run: &Run, rng: &mut ChaCha12Rng, answers: usize) -> Result<()> {
    let (alice, bob) = (&run.ward.members[0], &run.ward.members[1]);
    let mut burst = Burst::start(alice, bob, answers, TIMES, &run.notebook, rng);
    for _ in 0..answers {
        ensure!(burst.next().await);
    }
    let (daemon, relay) = tokio::join!(run.kill_daemon(0), run.kill_relay());
    ensure!(daemon && relay);
    while burst.next().await {}
    Ok(())
}

fn messages(record: &Record, user: &str, other: &str) -> usize {
    record.told[user].histories[other].len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_times_the_same_reference_across_a_kill_is_one_message() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let mut rng = ChaCha12Rng::seed_from_u64(1);
    let run = Run::open(dir.path(), 2, &mut rng).await?;
    let kills = [0, 1, 40];
    for answers in kills {
        ask_a_hundred_times(&run, &mut rng, answers).await?;
    }
    let record = run.close(|line| println!("{line}")).await?;
    assert_eq!(record.answers.len(), TIMES * kills.len());
    assert_eq!(messages(&record, "alice", "bob"), kills.len());
    assert_eq!(messages(&record, "bob", "alice"), kills.len());
    let findings = check(&record);
    assert!(findings.is_empty(), "{:#?}", findings.first(20));
    Ok(())
}

/// It was queued then: whoever did not hear the answer hears it again.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_reference_is_answered_whatever_has_become_of_the_conversation() -> Result<()> {
    let world = World::new().await?;
    let (alice, bob) = (world.person("alice").await?, world.person("bob").await?);
    alice.adds(&bob).await?;
    let members = vec!["bob".to_owned()];
    let name = "Ward 3".to_owned();
    let created = alice.client.call::<Create>(CreateParams { name, members });
    let group = created.await?.group;
    let send = async |to: &Conversation| {
        let reference = Some("task-17".to_owned());
        let sent = alice.client.send_text(to.clone(), "Bed 4", reference);
        Ok::<_, Error>(sent.await?.message_id)
    };
    let to_bob = Conversation::User("bob".to_owned());
    let first = send(&to_bob).await?;
    let refused = alice.client.send_text(
        Conversation::Group(group),
        "Bed 4",
        Some("task-17".to_owned()),
    );
    assert_eq!(refusal(refused.await)?, ErrorCode::ClientRefConflict);
    let blocked = BlockParams {
        user_id: "bob".to_owned(),
        blocked: true,
    };
    alice.client.call::<Block>(blocked).await?;
    assert_eq!(send(&to_bob).await?, first);
    let user_id = "bob".to_owned();
    alice.client.call::<Remove>(UserParams { user_id }).await?;
    assert_eq!(send(&to_bob).await?, first);
    Ok(())
}
