//! Lines that are no requests, or not requests of this contract: each is answered by code and harms nothing.

use anyhow::Result;
use connect_api::session::Pin;
use connect_tests::raw::{Raw, outcome};
use connect_tests::world::{Person, World};
use serde_json::json;

async fn raw(person: &Person) -> Result<Raw> {
    Raw::connect(person.endpoint.path()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_none_are_refused_and_harm_nothing() -> Result<()> {
    let world = World::new().await?;
    let alice = world.person("alice").await?;
    let mut raw = raw(&alice).await?;
    for (line, code) in [
        ("", -32700),
        ("{", -32700),
        ("[]", -32600),
        (
            r#"[{"jsonrpc":"2.0","id":1,"method":"system.hello"}]"#,
            -32600,
        ),
        (r#"{"jsonrpc":"2.0","method":"system.hello"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":"no.such"}"#, -32601),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"system.hello","params":[]}"#,
            -32602,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"system.hello","params":{"who":1}}"#,
            -32602,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"messages.get"}"#,
            -32602,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"messages.get","params":{"message_id":7}}"#,
            -32602,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"messages.get","params":{"message_id":"zz"}}"#,
            -32014,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"system.hello","params":{"api_version":99}}"#,
            -32014,
        ),
    ] {
        let answer = raw.say(line).await?;
        assert_eq!(answer["error"]["code"], code, "{line}: {answer}");
        assert!(answer["error"]["data"]["ref"].is_string());
    }
    let deep = "[".repeat(500_000);
    let request = |params: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"messages.get","params":{params}}}"#)
    };
    for (line, code) in [
        (deep.clone(), -32700),
        (request(&deep), -32700),
        (
            request(&format!("{{\"a\":{deep}{}}}", "]".repeat(500_000))),
            -32602,
        ),
        (request(r#"{"message_id":"a","message_id":"b"}"#), -32602),
        (request(r#"{"message_id":"\ud800"}"#), -32602),
        (request(r#"{"message_id":1e400}"#), -32602),
        ("\u{feff}{}".to_owned(), -32700),
        (
            r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"m"}"#.to_owned(),
            -32600,
        ),
        (
            r#"{"jsonrpc":"2.0","id":-1,"method":"m"}"#.to_owned(),
            -32600,
        ),
    ] {
        let answer = raw.say(&line).await?;
        assert_eq!(answer["error"]["code"], code, "{line:.80}: {answer}");
    }
    assert_eq!(raw.outcome("system.health", json!({})).await?, "ok");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_is_told_in_no_error() -> Result<()> {
    let world = World::new().await?;
    let alice = world.stranger("alice").await?;
    let secret = "canary-pin-0123456789";
    let mut params = serde_json::to_value(world.enrollment("alice").await?)?;
    params["pin"] = json!(secret);
    params["relay_pins"] = json!(secret);
    let answer = raw(&alice).await?.call("account.enroll", params).await?;
    assert_eq!(outcome(&answer), "invalid_params");
    assert!(!answer.to_string().contains(secret));
    assert_eq!(format!("{:?}", Pin::new(secret.to_owned())), "Pin(..)");
    Ok(())
}
