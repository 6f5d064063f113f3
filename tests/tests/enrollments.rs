//! Enrollments that are refused, by name, and leave nothing behind.

use anyhow::Result;
use connect_api::account::{Enroll, EnrollParams};
use connect_api::errors::ErrorCode;
use connect_api::events::EventBody;
use connect_tests::raw::{Raw, outcome};
use connect_tests::world::{Person, World, refusal};
use serde_json::json;

async fn raw(person: &Person) -> Result<Raw> {
    Raw::connect(person.endpoint.path()).await
}

async fn enroll_with(
    world: &World,
    person: &Person,
    change: impl FnOnce(&mut EnrollParams),
) -> Result<ErrorCode> {
    let mut params = world.enrollment(&person.name).await?;
    change(&mut params);
    refusal(person.client.call::<Enroll>(params).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_with_another_tls_key_or_authority_is_refused_and_nothing_is_left() -> Result<()> {
    let world = World::new().await?;
    let alice = world.stranger("alice").await?;
    let other = World::new().await?;
    let pins = other.pins();
    let code = enroll_with(&world, &alice, |params| params.relay_pins = pins).await?;
    assert_eq!(code, ErrorCode::PinMismatch);
    let ca = other.ca_pem()?;
    let code = enroll_with(&world, &alice, |params| params.relay_ca_pem = Some(ca)).await?;
    assert_eq!(code, ErrorCode::RelayUnreachable);
    let mut raw = raw(&alice).await?;
    let hello = raw.call("system.hello", json!({})).await?;
    assert_eq!(hello["result"]["state"], "unenrolled");
    alice
        .client
        .call::<Enroll>(world.enrollment("alice").await?)
        .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_good_once_for_its_user_and_for_a_day() -> Result<()> {
    let world = World::new().await?;
    let alice = world.person("alice").await?;
    let bob = world.stranger("bob").await?;
    let mut used = world.enrollment("bob").await?;
    let before = world.stranger("bob-before").await?;
    before.client.call::<Enroll>(used.clone()).await?;
    used.replace_existing_installation = true;
    let again = refusal(bob.client.call::<Enroll>(used).await)?;
    assert_eq!(again, ErrorCode::Invalid, "used up");
    let mut params = world.enrollment("bob").await?;
    params.replace_existing_installation = true;
    world.advance(24 * 3_600_000 + 1);
    let expired = refusal(bob.client.call::<Enroll>(params).await)?;
    assert_eq!(expired, ErrorCode::Invalid);
    for wrong in ["bob/00000-00000-00000-00000-00000-0", "bob", "nobody/x", ""] {
        let code = enroll_with(&world, &bob, |params| {
            wrong.clone_into(&mut params.enrollment_code.0);
        })
        .await?;
        assert_eq!(code, ErrorCode::Invalid, "{wrong:?}");
    }
    let again = refusal(
        alice
            .client
            .call::<Enroll>(world.enrollment("alice").await?)
            .await,
    )?;
    assert_eq!(again, ErrorCode::Invalid, "enrolled already");
    let mut params = world.enrollment("bob").await?;
    params.replace_existing_installation = true;
    bob.client.call::<Enroll>(params).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_installation_replaces_the_first_only_where_that_is_said() -> Result<()> {
    let world = World::new().await?;
    let alice = world.person("alice").await?;
    let bob = world.person("bob").await?;
    alice.adds(&bob).await?;
    let first = alice.writes(&bob, "to the old one").await?;
    bob.receives(&first).await?;
    let mut again = world.stranger("bob-again").await?;
    "bob".clone_into(&mut again.name);
    let code = enroll_with(&world, &again, |_| {}).await?;
    assert_eq!(code, ErrorCode::Invalid);
    let mut params = world.enrollment("bob").await?;
    params.replace_existing_installation = true;
    again.client.call::<Enroll>(params).await?;
    alice
        .sees(|body| matches!(body, EventBody::KeyChanged { user_id, .. } if user_id == "bob"))
        .await?;
    let second = alice.writes(&again, "to the new one").await?;
    assert_eq!(again.receives(&second).await?.text, "to the new one");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_enrollments_name_the_field() -> Result<()> {
    let world = World::new().await?;
    let alice = world.stranger("alice").await?;
    let good = serde_json::to_value(world.enrollment("alice").await?)?;
    let mut raw = raw(&alice).await?;
    let long = "a".repeat(257);
    for (field, value, reason) in [
        ("relay_url", json!("http://relay"), "not_supported"),
        ("relay_url", json!("https://relay/path"), "malformed"),
        ("relay_pins", json!([]), "too_short"),
        ("relay_pins", json!(["sha1/x", "y"]), "malformed"),
        ("relay_ca_pem", json!("no pem"), "malformed"),
        ("display_name", json!(" "), "empty"),
        ("display_name", json!(long), "too_long"),
        ("profession", json!("a\u{1b}[31m"), "malformed"),
        ("pin", json!("1234"), "too_short"),
        ("user_id", json!("no spaces"), "malformed"),
    ] {
        let mut params = good.clone();
        params[field] = value;
        let answer = raw.call("account.enroll", params).await?;
        assert_eq!(outcome(&answer), "invalid", "{field}");
        assert_eq!(answer["error"]["data"]["field"], field);
        assert_eq!(answer["error"]["data"]["reason"], reason, "{field}");
    }
    Ok(())
}
