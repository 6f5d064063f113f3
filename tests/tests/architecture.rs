//! The house as ordinary tests: who may import whom, what is at home where, and what no source may hold.

mod arrows;
mod binaries;
mod circles;
mod sources;

use std::path::Path;

use arrows::{Graph, violations};
use sources::{Source, in_crate, wherever};

fn root() -> &'static Path {
    let parent = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    parent.expect("tests/ lies in the workspace")
}

fn graph() -> Graph {
    arrows::read(&root().join("Cargo.toml"))
}

fn graph_with(from: &str, to: &str) -> Graph {
    let mut graph = graph();
    let of = graph.get_mut(from).expect("a crate of ours");
    of.insert(to.to_owned());
    graph
}

#[track_caller]
fn assert_none(violations: &[String]) {
    assert!(violations.is_empty(), "\n{}", violations.join("\n"));
}

#[test]
fn every_crate_imports_only_what_it_may() {
    assert_none(&violations(&graph()));
}

#[test]
fn a_forbidden_arrow_is_found() {
    for (from, to) in [
        ("connect-core", "connect-vault"),
        ("connect-vault", "connect-store"),
        ("connect-uplink", "connect-service"),
        ("connect-client", "connect-service"),
        ("connectctl", "connect-proto"),
        ("connect-api", "connect-ipc"),
        ("connect-core", "connect-tests"),
    ] {
        let found = violations(&graph_with(from, to));
        assert_eq!(found, [format!("{from} may not import {to}")]);
    }
}

#[test]
fn a_heavy_dependency_away_from_home_is_found() {
    for (from, to) in [
        ("connect-core", "ed25519-dalek"),
        ("connect-service", "reqwest"),
        ("connect-vault", "crypto_secretbox"),
        ("connectd", "sqlx"),
        ("connect-client", "clap"),
        ("connect-relay", "native-tls"),
    ] {
        let found = violations(&graph_with(from, to));
        assert_eq!(found, [format!("{to} is not at home in {from}")]);
    }
}

#[test]
fn a_relay_that_links_core_is_found_however_it_does() {
    let mut graph = graph_with("connect-relay", "connect-store");
    let found = violations(&graph);
    assert!(found.contains(&"connect-relay links connect-core".to_owned()));
    let server = graph.get_mut("connect-relay").expect("a crate of ours");
    server.remove("connect-store");
    assert_none(&violations(&graph));
}

#[test]
fn a_crate_that_nobody_placed_is_found() {
    let mut graph = graph();
    graph.insert("connect-extra".to_owned(), [].into());
    assert_eq!(
        violations(&graph),
        ["connect-extra has no place in the house"]
    );
}

#[test]
fn proto_and_core_know_no_socket_file_clock_or_random_source() {
    const WORDS: [&str; 8] = [
        "tokio",
        "SystemTime",
        "Instant",
        "OsRng",
        "thread_rng",
        "getrandom",
        "sqlx",
        "reqwest",
    ];
    // A group would hide from this test what is in it.
    const PATHS: [&str; 5] = ["std::fs", "std::net", "std::env", "std::process", "std::{"];
    let mut sources = in_crate(root(), "proto/src");
    sources.extend(in_crate(root(), "daemon/core/src"));
    assert!(sources.len() > 20, "{}", sources.len());
    let mut found = Vec::new();
    for source in &sources {
        let words = WORDS.iter().filter(|word| source.has_word(word));
        let paths = PATHS.iter().filter(|path| source.code().contains(**path));
        found.extend(words.chain(paths).map(|what| source.names(what)));
    }
    assert_none(&found);
}

#[test]
fn every_file_opens_with_what_it_is_for_and_stays_short() {
    const LONGEST: usize = 500;
    let mut found = Vec::new();
    for source in wherever(root()) {
        if !source.text.starts_with("//! ") {
            found.push(source.names("no `//!` on its first line"));
        }
        let lines = source.text.lines().count();
        if lines > LONGEST {
            found.push(source.names(&format!("{lines} lines")));
        }
    }
    assert_none(&found);
}

#[test]
fn nothing_is_left_undone_or_allowed_without_a_reason() {
    // Put together here, so that this file does not hold them.
    const NEVER: [&str; 5] = [
        concat!("#[al", "low("),
        concat!("#![al", "low("),
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
        concat!("db", "g!("),
    ];
    let mut found = Vec::new();
    for source in wherever(root()) {
        let never = NEVER.iter().filter(|text| source.code().contains(**text));
        found.extend(never.map(|what| source.names(what)));
    }
    assert_none(&found);
}

const SECRETS: [&str; 10] = [
    "MasterKey",
    "BackupKey",
    "UnlockKey",
    "DatabaseKey",
    "LocalFileKey",
    "BoxSecretKey",
    "SignSecretKey",
    "SharedSecret",
    "SalsaBox",
    "SigningKey",
];

#[test]
fn secret_keys_are_never_cloned_serialized_or_printed() {
    let mut found = Vec::new();
    let mut seen = 0;
    for file in [
        "daemon/core/src/secret.rs",
        "daemon/core/src/boxes.rs",
        "proto/src/sign.rs",
    ] {
        let source = Source::read(root(), &root().join(file));
        for (name, derives) in source.structs() {
            let telling = [
                "Clone",
                "Copy",
                "Serialize",
                "Deserialize",
                "Debug",
                "Default",
            ];
            let is_error = derives.contains("thiserror");
            seen += u32::from(!is_error);
            let told = telling
                .iter()
                .filter(|told| !is_error && derives.contains(**told));
            found.extend(told.map(|told| source.names(&format!("{name} derives {told}"))));
        }
    }
    // SignSecretKey, SharedSecret, Scratch, and the one of the macro that makes all others.
    assert_eq!(seen, 4);
    for source in wherever(root()) {
        for secret in SECRETS {
            for telling in ["Clone", "Serialize", "Display", "Deref"] {
                let implementation = format!("{telling} for {secret} ");
                if source.code().contains(&implementation) {
                    found.push(source.names(&implementation));
                }
            }
        }
    }
    assert_none(&found);
}

#[test]
fn no_secret_key_appears_in_the_contract() {
    let api = in_crate(root(), "client-lib/api/src");
    assert!(api.len() > 5, "{}", api.len());
    let mut found = Vec::new();
    for source in &api {
        let named = SECRETS.iter().filter(|secret| source.has_word(secret));
        found.extend(named.map(|what| source.names(what)));
    }
    assert_none(&found);
}

#[test]
fn there_is_no_circle_of_files_inside_a_crate() {
    let mut found = Vec::new();
    for name in sources::crates(root()) {
        let modules = circles::modules(&in_crate(root(), &format!("{name}/src")));
        found.extend(circles::find(&modules).map(|circle| format!("{name}: {circle}")));
    }
    assert_none(&found);
}

#[test]
fn a_circle_is_found() {
    let graph = |arrows: &[(&str, &str)]| {
        let mut modules = circles::Modules::new();
        for (from, to) in arrows {
            let of: &mut std::collections::BTreeSet<_> =
                modules.entry((*from).to_owned()).or_default();
            of.insert((*to).to_owned());
        }
        circles::find(&modules)
    };
    assert_eq!(graph(&[("a", "b"), ("b", "c"), ("a", "c")]), None);
    let circle = graph(&[("a", "b"), ("b", "c"), ("c", "b")]);
    assert_eq!(circle.as_deref(), Some("b → c → b"));
}
