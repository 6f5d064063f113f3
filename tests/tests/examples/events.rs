//! What Alice is told of in the meantime.

use anyhow::Result;
use connect_api::examples::sample;
use connect_api::messages::{
    Delete, Edit, EditParams, MessageParams, MessageState, TellTyping, TypingParams,
};
use connect_api::policy::{Set, SetParams};
use connect_tests::world::{Person, World};

use super::run::Run;
use super::{cases, trust};

/// Events are kept for 30 days.
const LONGER_MS: u64 = 31 * 24 * 3600 * 1000;

pub(crate) async fn tell(
    run: &mut Run,
    world: &mut World,
    alice: &Person,
    bob: &Person,
) -> Result<()> {
    amend(run, alice, bob).await?;
    world.stop_relay().await;
    run.comes(alice, "The relay does not answer").await?;
    cases::set_at_once(run, alice, bob).await?;
    world.start_relay().await?;
    for name in [
        "The relay answers again",
        "Bob became a contact",
        "Alice's message was delivered",
        "Bob wrote",
        "Bob was made an admin of a group",
        "Bob is writing",
        "Alice began a case",
        "Alice set a field of it",
        "Bob set the field at the same time as Alice",
        "Bob gave his message another text",
        "Bob took his message back",
        "The session was locked",
        "The session was unlocked",
    ] {
        run.comes(alice, name).await?;
    }
    expire(run, world, alice, bob).await?;
    trust::change(run, world, alice, bob).await
}

/// Bob writes, and then it is other than he meant.
async fn amend(run: &mut Run, alice: &Person, bob: &Person) -> Result<()> {
    let typing = SetParams {
        typing: Some(true),
        ..SetParams::default()
    };
    bob.client.call::<Set>(typing).await?;
    let params = TypingParams {
        conversation: alice.conversation(),
        active: true,
    };
    bob.client.call::<TellTyping>(params).await?;
    let of = |sample| -> Result<String> {
        Ok(run
            .meanings
            .of(sample)?
            .as_str()
            .unwrap_or_default()
            .to_owned())
    };
    let message_id = of(sample::ANSWER_ID)?;
    let edit = EditParams {
        message_id: message_id.clone(),
        text: "Drawn at 9:20, on its way to the lab".to_owned(),
    };
    bob.client.call::<Edit>(edit).await?;
    bob.client
        .call::<Delete>(MessageParams { message_id })
        .await?;
    Ok(())
}

/// Once all that has happened was long ago.
async fn expire(run: &mut Run, world: &World, alice: &Person, bob: &Person) -> Result<()> {
    world.advance(LONGER_MS);
    // What goes is counted by the relay's clock: the second answer of Bob's is one that was asked for since.
    for n in 1..=2 {
        let id = alice.writes(bob, &format!("much later {n}")).await?;
        bob.receives(&id).await?;
        alice.sees_state(&id, MessageState::Sent).await?;
        let id = bob.writes(alice, &format!("and answered {n}")).await?;
        alice.receives(&id).await?;
    }
    alice.tidies_up().await?;
    run.comes(alice, "Events from before are no longer kept")
        .await
}
