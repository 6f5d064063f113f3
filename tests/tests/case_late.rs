//! What waited until its patient case was closed, or its author taken out of it: it comes in for a day, and fails after that
//! where its author sees it (D16, D20).

use std::time::Duration;

use anyhow::{Context as _, Result};
use connect_api::cases::{CaseParams, CaseState, Close};
use connect_api::events::EventBody;
use connect_api::messages::{MessageState, StateReason};
use connect_api::trust::{Decide, DecideParams, Decision};
use connect_tests::cases::three;
use connect_tests::world::{Person, World};
use tokio::time::timeout;

/// With what does not come.
const PATIENCE: Duration = Duration::from_mins(1);
const DAY_MS: u64 = 24 * 3600 * 1000;

/// Alice's case, in which what Bob says waits for his decision about Carol's key.
struct Ward {
    world: World,
    alice: Person,
    bob: Person,
    carol: Person,
    case: String,
}

impl Ward {
    async fn new() -> Result<Self> {
        let world = World::new().await?;
        let [alice, bob, carol] = three(&world).await?;
        let case = alice.begins_case("Bed 4", &[&bob, &carol], &[]).await?.case;
        for person in [&bob, &carol] {
            person.sees_case(&case, 1).await?;
        }
        let ward = Self {
            world,
            alice,
            bob,
            carol,
            case,
        };
        ward.bob_decides(Decision::Reject).await?;
        Ok(ward)
    }

    async fn bob_decides(&self, decision: Decision) -> Result<()> {
        let params = DecideParams {
            user_id: "carol".to_owned(),
            decision,
            key: None,
        };
        self.bob.client.call::<Decide>(params).await?;
        Ok(())
    }

    /// Alice has it, and Carol is to get it.
    async fn bob_says(&self, text: &str) -> Result<String> {
        let id = self.bob.says(&self.case, text).await?;
        let received = self.alice.receives(&id);
        timeout(PATIENCE, received).await.context("not sent")??;
        Ok(id)
    }

    async fn is_closed(&self) -> Result<()> {
        let case = self.case.clone();
        self.alice.client.call::<Close>(CaseParams { case }).await?;
        for person in [&self.bob, &self.carol] {
            let closed = person.sees_case_with(&self.case, |it| it.state == CaseState::Closed);
            timeout(PATIENCE, closed).await.context("not closed")??;
        }
        Ok(())
    }

    async fn carol_reads(&self, id: &str, text: &str) -> Result<()> {
        let received = self.carol.receives(id);
        let received = timeout(PATIENCE, received).await.context("refused")??;
        assert_eq!(received.text, text);
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_before_a_case_was_closed_comes_in_after_that() -> Result<()> {
    let ward = Ward::new().await?;
    let note = ward.bob_says("final note").await?;
    ward.is_closed().await?;
    ward.world.advance(DAY_MS / 2);
    ward.bob_decides(Decision::Accept).await?;
    ward.carol_reads(&note, "final note").await
}

/// He has no key of the epoch that begins without him.
#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_wrote_before_being_taken_out_comes_in_after_that() -> Result<()> {
    let ward = Ward::new().await?;
    let note = ward.bob_says("off duty").await?;
    ward.alice.removes_from_case(&ward.case, &ward.bob).await?;
    let out = ward
        .bob
        .sees_case_with(&ward.case, |it| it.state == CaseState::Left);
    timeout(PATIENCE, out).await.context("still in it")??;
    let another = ward.carol.sees_case_with(&ward.case, |it| it.epoch == 2);
    timeout(PATIENCE, another).await.context("no new epoch")??;
    ward.bob_decides(Decision::Accept).await?;
    ward.carol_reads(&note, "off duty").await
}

/// Nobody would take it: its author is told, and not that it went out.
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_day_after_the_end_fails_where_it_was_written() -> Result<()> {
    let ward = Ward::new().await?;
    let note = ward.bob_says("final note").await?;
    ward.is_closed().await?;
    ward.world.advance(DAY_MS);
    ward.bob_decides(Decision::Accept).await?;
    let ended = ward.bob.sees(|body| {
        matches!(body, EventBody::MessageState { message_id, user_id, state, .. }
            if *message_id == note && user_id == "carol" && *state != MessageState::Held
                && *state != MessageState::Queued)
    });
    let ended = timeout(PATIENCE, ended).await.context("still waits")??;
    match ended.body {
        EventBody::MessageState { state, reason, .. } => {
            let expected = (MessageState::Failed, Some(StateReason::TooLate));
            assert_eq!((state, reason), expected);
        }
        other => anyhow::bail!("{other:?}"),
    }
    Ok(())
}
