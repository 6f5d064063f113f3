//! The program as an administrator runs it, and as the power cut leaves it.

use crate::support::process::{Running, acting, code, operator, output};
use crate::support::{User, client, nonce};
use connect_proto::{codec, routes, wire};

#[tokio::test]
async fn a_killed_relay_keeps_what_it_accepted_and_remembers_every_nonce() {
    let dir = tempfile::tempdir().unwrap();
    assert!(
        output(dir.path(), &["init", "--host", "relay.test"])
            .status
            .success()
    );
    let http = client(&dir, &[b"h2"]);
    let mut alice = User::new("alice", 1);
    alice.code = code(dir.path(), "alice");

    let running = Running::start(dir.path());
    let (status, _) = running
        .call(&http, &alice, routes::ENROLL, &alice.enrollment(), nonce())
        .await;
    assert_eq!(status, 200);
    let body = codec::encode(&alice.envelope(1, &["alice"]));
    let spent = nonce();
    assert_eq!(
        running
            .call(&http, &alice, routes::SEND, &body, spent)
            .await
            .0,
        204
    );
    running.kill();

    let running = Running::start(dir.path());
    assert_eq!(
        running
            .call(&http, &alice, routes::SEND, &body, spent)
            .await
            .0,
        401
    );
    let (_, list) = running
        .call(&http, &alice, routes::RECEIVE, b"", nonce())
        .await;
    let list: wire::EnvelopeList = codec::decode(&list).unwrap();
    assert_eq!(
        list.envelopes,
        [wire::Envelope {
            queue_seq: 1,
            ..alice.envelope(1, &["alice"])
        }]
    );
    // Meanwhile the client must be able to say good-bye.
    let ended = tokio::task::spawn_blocking(|| running.terminate())
        .await
        .unwrap();
    assert_eq!(ended, Some(0));
}

#[tokio::test]
async fn the_most_talkative_log_names_nobody() {
    let dir = tempfile::tempdir().unwrap();
    output(dir.path(), &["init", "--host", "relay.test"]);
    let path = dir.path().join("log");
    let log = std::fs::File::create(&path).unwrap();
    let running = Running::logging(dir.path(), "trace", log.into());
    let mut canary = User::new("canary-user", 1);
    canary.code = code(dir.path(), "canary-user");
    let token = operator(dir.path(), "rosa");
    let enrollment = canary.enrollment();
    let message = codec::encode(&canary.envelope(1, &["canary-user"]));
    for alpn in [&b"h2"[..], b"http/1.1"] {
        let http = client(&dir, &[alpn]);
        for (path, body) in [(routes::ENROLL, &enrollment), (routes::SEND, &message)] {
            let (status, _) = running.call(&http, &canary, path, body, nonce()).await;
            assert!(status == 200 || status == 204, "{path}: {status}");
        }
    }
    let note = ["--reason", "requested", "--note", "canary-note"];
    let revoke = [&["--as", "rosa", "revoke-keys", "canary-user"][..], &note].concat();
    assert!(acting(dir.path(), &token, &revoke).status.success());
    running.kill();
    let log = String::from_utf8(std::fs::read(path).unwrap()).unwrap();
    assert!(log.contains("TRACE"));
    for told in [
        "canary",
        token.as_str(),
        canary.code.as_str(),
        &hex::encode("canary-user"),
        &hex::encode([1; 16]),
    ] {
        let found = log.lines().find(|line| line.contains(told));
        assert_eq!(found, None, "{told}");
    }
}

#[test]
fn a_relay_without_a_state_says_what_to_run() {
    let dir = tempfile::tempdir().unwrap();
    for arguments in [
        &["run", "--listen", "127.0.0.1:0"][..],
        &["operator", "issue-code", "bob"],
    ] {
        let output = output(dir.path(), arguments);
        assert_eq!(output.status.code(), Some(78));
        assert!(
            String::from_utf8(output.stderr)
                .unwrap()
                .contains("connect-relay init")
        );
    }
}

#[test]
fn a_second_relay_on_the_same_state_is_refused_and_operators_are_not() {
    let dir = tempfile::tempdir().unwrap();
    output(dir.path(), &["init", "--host", "relay.test"]);
    let running = Running::start(dir.path());
    let second = output(dir.path(), &["run", "--listen", "127.0.0.1:0"]);
    assert_eq!(second.status.code(), Some(69));
    assert!(
        String::from_utf8(second.stderr)
            .unwrap()
            .contains("another relay runs")
    );
    assert_ne!(code(dir.path(), "bob"), code(dir.path(), "bob"));
    assert_eq!(running.terminate(), Some(0));
}

#[test]
fn init_prints_where_the_ca_is_and_two_pins() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(output(dir.path(), &["init"]).status.code(), Some(64));
    let json = output(dir.path(), &["init", "--host", "relay.test", "--json"]).stdout;
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["ca"], dir.path().join("ca.pem").to_str().unwrap());
    let text = String::from_utf8(output(dir.path(), &["init"]).stdout).unwrap();
    let pins: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("pin "))
        .collect();
    assert_eq!(json["pins"], serde_json::json!(pins));
    assert_eq!(pins.len(), 2);
}

#[test]
fn completions_are_printed_for_every_shell() {
    let dir = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let script = output(dir.path(), &["completions", shell]).stdout;
        assert!(
            String::from_utf8(script).unwrap().contains("issue-code"),
            "{shell}"
        );
    }
}

#[test]
fn every_command_of_an_operator_is_known_and_none_reads_a_mailbox() {
    let dir = tempfile::tempdir().unwrap();
    let help = output(dir.path(), &["operator", "--help"]).stdout;
    let help = String::from_utf8(help).unwrap();
    let commands = help.split("Commands:\n").nth(1).unwrap();
    let commands = commands.split("\n\n").next().unwrap();
    let commands: Vec<_> = commands
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|word| !word.is_empty())
        .collect();
    assert_eq!(
        commands,
        [
            "issue-code",
            "show",
            "attest",
            "withdraw-attestation",
            "revoke-keys",
            "delete-account",
            "pending",
            "confirm",
            "cancel",
            "add",
            "list",
            "remove",
            "audit",
            "help"
        ]
    );
}

/// The same commands beside a running relay and without one.
#[test]
fn operators_act_by_name_whether_the_relay_runs_or_not() {
    let dir = tempfile::tempdir().unwrap();
    output(dir.path(), &["init", "--host", "relay.test"]);
    for round in 0..2 {
        let running = (round == 1).then(|| Running::start(dir.path()));
        let name = format!("rosa{round}");
        let token = operator(dir.path(), &name);
        let act = |arguments: &[&str]| {
            let arguments = [&["--as", &name][..], arguments].concat();
            acting(dir.path(), &token, &arguments)
        };
        let list = output(dir.path(), &["operator", "list"]).stdout;
        let list = String::from_utf8(list).unwrap();
        assert!(
            list.contains(&format!("{name} may revoke by token")),
            "{list}"
        );
        assert!(!list.contains(&token));
        let unknown = act(&["revoke-keys", "nobody", "--reason", "compromised"]);
        assert_eq!(unknown.status.code(), Some(67));
        let refused = act(&["attest", "nobody"]);
        assert_eq!(refused.status.code(), Some(67), "nobody to be looked at");
        let refused = act(&["issue-code", "bob"]);
        assert_eq!(refused.status.code(), Some(77));
        let text = String::from_utf8(refused.stderr).unwrap();
        assert!(text.contains("not_permitted"), "{text}");
        let bare = ["operator", "revoke-keys", "bob", "--reason", "requested"];
        let refused = output(dir.path(), &bare);
        assert_eq!(refused.status.code(), Some(77));
        let text = String::from_utf8(refused.stderr).unwrap();
        assert!(text.contains("--as NAME"), "{text}");
        code(dir.path(), "bob");
        let verified = output(dir.path(), &["operator", "audit", "--verify", "--json"]);
        assert!(verified.status.success());
        let verdict: serde_json::Value = serde_json::from_slice(&verified.stdout).unwrap();
        assert_eq!(verdict["entries"], 6 * (round + 1));
        let head = verdict["head"]["digest"].as_str().unwrap();
        let verify = ["operator", "audit", "--verify", "--expect-head", head];
        assert!(output(dir.path(), &verify).status.success());
        let other = "0".repeat(64);
        let verify = ["operator", "audit", "--verify", "--expect-head", &other];
        assert_eq!(output(dir.path(), &verify).status.code(), Some(65));
        let later = output(dir.path(), &["operator", "audit", "--after", "1"]).stdout;
        let later = String::from_utf8(later).unwrap();
        assert!(
            later.starts_with("2 ") && later.contains("refused: not_permitted"),
            "{later}"
        );
        drop(running);
    }
}
