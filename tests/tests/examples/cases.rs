//! Alice begins a case with Bob; later both set one field at the same time.

use anyhow::{Context as _, Result};
use connect_api::cases::{SetField, SetFieldParams};
use connect_api::examples::sample;
use connect_tests::raw::Raw;
use connect_tests::world::Person;

use super::run::Run;

pub(crate) async fn share(run: &mut Run, raw: &mut Raw, alice: &Person) -> Result<()> {
    for (method, example) in [
        ("cases.create", "With somebody who is not a contact"),
        ("cases.create", "With Bob, and a first field"),
        ("cases.list", "The only one"),
        ("cases.set_field", "On the revision that was read"),
        ("cases.set_field", "It was set since it was read"),
        ("cases.get", "Alice's and Bob's"),
        ("cases.get", "There is no such case"),
        ("cases.field_history", "Set twice"),
        ("cases.export", "For the record system"),
        ("cases.export", "There is no such case"),
        ("cases.add_participant", "Somebody who is not a contact"),
        ("cases.add_participant", "Whoever takes part already"),
        (
            "cases.remove_participant",
            "Somebody who does not take part",
        ),
        ("cases.create", "With nobody else so far"),
        ("cases.close", "Its end"),
        ("cases.leave", "A case that is closed"),
    ] {
        run.goes(raw, method, example).await?;
    }
    while alice.client.health().await?.outbox.queued > 0 {
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// While neither hears of the other.
pub(crate) async fn set_at_once(run: &Run, alice: &Person, bob: &Person) -> Result<()> {
    let case = run.meanings.of(sample::CASE_ID)?;
    let case = case.as_str().context("an id")?;
    for (person, value) in [(alice, "penicillin, latex"), (bob, "penicillin, nuts")] {
        let params = SetFieldParams {
            case: case.to_owned(),
            name: "allergies".to_owned(),
            value: value.to_owned(),
            media_type: None,
            expected_revision: 2,
        };
        person.client.call::<SetField>(params).await?;
    }
    Ok(())
}
