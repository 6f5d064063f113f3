//! The seeds: inputs as they really occur, one of each kind.

use std::path::Path;

use connect_proto::enrollment::EnrollmentCode;
use connect_proto::hash::sha256;
use connect_proto::request::{Call, Caller, sign};
use connect_proto::{codec, routes, wire};
use connect_service::backup::format;
use connect_vault::keys::Keys;
use connect_vault::keystore::Keystore;
use connect_vault::recovery::RecoveryKey;
use connect_vault::vault::{KdfCost, Vault};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

use crate::daemon::PIN;
use crate::relay::enrollment;
use crate::stories::{AUTHORITY, MESSAGE, NOW_MS, alice, bob};

pub(crate) fn write(into: &Path) {
    let mut rng = ChaCha20Rng::seed_from_u64(4);
    let put = |target: &str, name: &str, content: &[u8]| {
        let dir = into.join(target);
        std::fs::create_dir_all(&dir).expect("a directory");
        std::fs::write(dir.join(name), content).expect("a seed");
    };
    put("frames", "lines", b"{\"a\":1}\n\r\n\xff\xfe\nlast\r\n");
    put("frames", "long", &[b'x'; 70]);
    socket(&put);
    wires(&put);
    let code = EnrollmentCode::generate(alice().id, &mut rng);
    put("code", "code", code.expose().as_bytes());
    let recovery = connect_api::recovery::RecoveryKey::generate(&mut rng);
    put("code", "recovery", recovery.expose().as_bytes());
    let relay = crate::daemon::fresh_dir();
    let clock = connect_relay::clock::Clock::manual(NOW_MS).0;
    connect_relay::identity::init(relay.path(), &["relay.test".to_owned()], &clock, &mut rng)
        .expect("an identity");
    let pem = std::fs::read_to_string(relay.path().join("ca.pem")).expect("a certificate");
    put(
        "address",
        "private",
        format!(
            "https://relay.test:8443/\nsha256/{0}\nsha256/{0}\n{pem}",
            "A".repeat(43) + "="
        )
        .as_bytes(),
    );
    let dir = crate::daemon::fresh_dir();
    let vault = Vault::new(dir.path(), Keystore::Passphrase, KdfCost::for_tests());
    let recovery = RecoveryKey::from_bytes(&[5; RecoveryKey::LEN]);
    let keys = Keys::generate(alice().id, &mut rng);
    vault
        .create(&keys, PIN, Some(&recovery), &mut rng)
        .expect("sealed keys");
    put(
        "sealed",
        "sealed",
        &std::fs::read(dir.path().join("keys.sealed")).expect("the file"),
    );
    let keys = vault
        .portable()
        .expect("sealed keys")
        .expect("a recovery key");
    let json = serde_json::json!({"keys": keys, "backup_key": "00".repeat(128)}).to_string();
    let length = u32::try_from(json.len()).expect("a short header");
    let numbers = [format::VERSION, length].map(u32::to_le_bytes).concat();
    let backup = [&format::MAGIC[..], &numbers, json.as_bytes()].concat();
    put("backup", "header", &backup);
    put("attempts", "three", br#"{"version":1,"failures":3,"boot_id":"6f3a2f0e-0000-4000-8000-000000000000","boot_ms":5}"#);
    put("pin", "digits", b"29571");
    put("pin", "words", PIN.as_bytes());
    put("pin", "composed", "\u{344}\u{fffd}".repeat(2).as_bytes());
    put("config", "all", include_bytes!("../all.toml"));
    for line in [
        "send\nbob\nhello",
        "messages\nlist\nbob\n--limit\n5",
        "--json\nwatch\n--after\n0",
        "call\nsystem.health\n{}",
    ] {
        put(
            "command",
            line.split('\n')
                .next()
                .expect("a word")
                .trim_start_matches('-'),
            line.as_bytes(),
        );
    }
}

fn socket(put: &impl Fn(&str, &str, &[u8])) {
    let calls = [
        ("system.hello", r#"{"client":"fuzz","api_version":1}"#),
        ("system.health", "{}"),
        ("session.lock", "{}"),
        ("session.unlock", r#"{"pin":"a long enough passphrase"}"#),
        ("account.get", "{}"),
        (
            "account.enroll",
            r#"{"relay_url":"https://127.0.0.1:1","relay_pins":["sha256/x","sha256/y"],"enrollment_code":"alice/x","display_name":"A","pin":"a long enough passphrase"}"#,
        ),
        ("contacts.add", r#"{"user_id":"carol"}"#),
        ("contacts.get", r#"{"user_id":"bob"}"#),
        ("contacts.list", r#"{"after":"alice","limit":5}"#),
        ("conversations.list", r#"{"limit":500}"#),
        (
            "messages.send",
            r#"{"conversation":{"user":"bob"},"text":"hello","client_ref":"1"}"#,
        ),
        (
            "messages.list",
            r#"{"conversation":{"user":"bob"},"limit":2}"#,
        ),
        (
            "messages.get",
            r#"{"message_id":"07070707070707070707070707070707"}"#,
        ),
        (
            "messages.mark_read",
            r#"{"conversation":{"group":"07070707070707070707070707070707"},"up_to":"07070707070707070707070707070707"}"#,
        ),
        ("events.list", r#"{"after":0,"limit":3}"#),
        ("events.subscribe", r#"{"after":0}"#),
        ("events.unsubscribe", r#"{"subscription":1}"#),
    ];
    for (method, params) in calls {
        let line = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
        put("socket", method, line.as_bytes());
    }
}

fn wires(put: &impl Fn(&str, &str, &[u8])) {
    let (alice, bob) = (alice(), bob());
    let envelope = bob.honest(&alice, "hello");
    let list = wire::EnvelopeList {
        envelopes: vec![envelope.clone()],
        more: true,
    };
    put("envelopes", "one", &codec::encode(&list));
    let inner = codec::encode(&bob.inner(&alice, "hello"));
    put("inner", "text", &[&[0], inner.as_slice()].concat());
    let padded = connect_core::padding::pad(&inner).expect("it is short");
    put("inner", "padded", &[&[1], padded.as_slice()].concat());
    let body = codec::encode(&envelope);
    let call = Call {
        method: "POST",
        authority: AUTHORITY,
        path: routes::SEND,
        body_sha256: &sha256(&body),
    };
    let caller = Caller {
        user_id: &alice.id,
        timestamp_ms: NOW_MS,
        nonce: MESSAGE,
        client_type: "fuzz",
        build_number: 1,
    };
    let signed = sign(call, caller, &alice.sign_key);
    put("header", "text", format!("\0{signed}").as_bytes());
    put(
        "header",
        "bytes",
        &[&[1], decoded(&signed).as_slice()].concat(),
    );
    let mut published = wire::PublishedKey {
        bundle: Some(bob.signed_bundle()),
        changed_ms: NOW_MS,
        ..Default::default()
    };
    published.set_state(wire::KeyState::KeyActive);
    let entry = wire::DirectoryEntry {
        user_id: bob.id.to_string(),
        revision: 1,
        keys: vec![published],
        ..Default::default()
    };
    put("bundle", "entry", &codec::encode(&entry));
    let lookup = wire::LookupRequest {
        user_ids: vec!["bob".to_owned(), "nobody".to_owned()],
    };
    let ack = wire::Ack {
        entries: vec![wire::AckEntry {
            queue_seq: 1,
            message_id: MESSAGE.to_vec(),
            timestamp_ms: NOW_MS,
        }],
        wait_ms: 0,
        limit: 10,
    };
    let ours = codec::encode(&alice.honest(&bob, "hello"));
    let mine = codec::encode(&alice.honest(&alice, "hello"));
    let enroll = enrollment(&alice, "alice/0123456789ABCDEFGHJKMNPQRS".to_owned());
    let attachment = wire::CreateAttachment {
        attachment_id: vec![0xab; 16],
        ciphertext_size: 20,
        chunk_count: 1,
        reader_ids: vec!["bob".to_owned()],
    };
    for (name, how, body) in [
        ("attachment", 200, codec::encode(&attachment)),
        ("chunk", 201, vec![7; 20]),
        ("chunk-back", 202, Vec::new()),
        ("send", 0, ours),
        ("send-self", 0, mine),
        ("receive", 1, codec::encode(&ack)),
        ("lookup", 2, codec::encode(&lookup)),
        ("enroll", 3, enroll),
    ] {
        put("relay", name, &[&[how], body.as_slice()].concat());
    }
}

fn decoded(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD
        .decode(text)
        .expect("Base64")
}
