//! Which crate may import which, and where the heavy dependencies are at home.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cargo_metadata::{DependencyKind, MetadataCommand};

/// Crate → what it depends on, in normal and build use. What only its tests use is its own affair.
pub(crate) type Graph = BTreeMap<String, BTreeSet<String>>;

const TESTS: &str = "connect-tests";
const RELAY: &str = "connect-relay";
const POINTS: &str = "connect-points";
const CORE: &str = "connect-core";
const MEMORY: &str = "connect-memory";

/// The arrows between our crates. The tests may import all.
const MAY_IMPORT: [(&str, &[&str]); 14] = [
    (MEMORY, &[]),
    ("connect-proto", &[MEMORY]),
    (POINTS, &[]),
    (CORE, &["connect-proto", MEMORY]),
    ("connect-vault", &[CORE, "connect-proto", POINTS]),
    ("connect-store", &[CORE, "connect-proto", POINTS]),
    ("connect-uplink", &[CORE, "connect-proto"]),
    (
        "connect-service",
        &[
            "connect-vault",
            "connect-store",
            "connect-uplink",
            CORE,
            "connect-proto",
            POINTS,
        ],
    ),
    (
        "connectd",
        &[
            "connect-service",
            "connect-api",
            "connect-ipc",
            "connect-vault",
            "connect-store",
            "connect-uplink",
            CORE,
            MEMORY,
            "connect-proto",
            POINTS,
        ],
    ),
    ("connect-api", &[]),
    ("connect-ipc", &[]),
    ("connect-client", &["connect-api", "connect-ipc"]),
    (
        "connectctl",
        &["connect-client", "connect-api", "connect-ipc"],
    ),
    (RELAY, &["connect-proto", POINTS]),
];

/// At home in these crates, and nowhere else.
const HOMES: [(&str, &[&str]); 41] = [
    ("prost", &["connect-proto"]),
    ("prost-build", &["connect-proto"]),
    ("protox", &["connect-proto"]),
    ("ed25519-dalek", &["connect-proto"]),
    ("curve25519-dalek", &["connect-proto"]),
    ("crypto_box", &[CORE]),
    ("crypto_secretbox", &[CORE]),
    ("dryoc", &[CORE]),
    ("hmac", &[CORE]),
    ("subtle", &[CORE]),
    ("memsec", &[MEMORY]),
    ("zeroizing-alloc", &["connectd"]),
    ("argon2", &["connect-vault"]),
    ("hkdf", &["connect-vault"]),
    ("secret-service", &["connect-vault"]),
    ("zbus", &["connect-vault", "connectd"]),
    ("security-framework", &["connect-vault"]),
    ("keyring-core", &["connect-vault"]),
    ("windows-native-keyring-store", &["connect-vault"]),
    ("sqlx", &["connect-store", RELAY]),
    ("libsqlite3-sys", &["connect-store"]),
    ("reqwest", &["connect-uplink", RELAY]),
    ("rustls", &["connect-uplink", RELAY]),
    ("tokio-rustls", &[RELAY]),
    ("object_store", &[RELAY]),
    ("axum", &[RELAY]),
    ("hyper", &[RELAY]),
    ("jsonrpsee", &["connectd"]),
    ("maud", &["connect-service"]),
    ("schemars", &["connect-api"]),
    ("interprocess", &["connect-ipc"]),
    ("clap", &["connectctl", "connectd", RELAY]),
    ("image", &["connect-service"]),
    ("indicatif", &["connectctl"]),
    ("qrcode", &["connectctl"]),
    ("anyhow", &["connectctl", "connectd"]),
    ("fail", &[POINTS]),
    // Nowhere: one TLS provider, one curve library, one process-wide libcrypto.
    ("native-tls", &[]),
    ("openssl", &[]),
    ("aws-lc-rs", &[]),
    ("x25519-dalek", &[]),
];

/// What is wrong with a house, in sentences.
pub(crate) fn violations(graph: &Graph) -> Vec<String> {
    let mut found = Vec::new();
    for (name, imports) in graph.iter().filter(|(name, _)| *name != TESTS) {
        let Some((_, may)) = MAY_IMPORT.iter().find(|(known, _)| known == name) else {
            found.push(format!("{name} has no place in the house"));
            continue;
        };
        let ours = imports.iter().filter(|import| graph.contains_key(*import));
        let forbidden = ours.filter(|import| !may.contains(&import.as_str()));
        found.extend(forbidden.map(|import| format!("{name} may not import {import}")));
        let homeless = HOMES.iter().filter(|(dependency, homes)| {
            imports.contains(*dependency) && !homes.contains(&name.as_str())
        });
        found.extend(
            homeless.map(|(dependency, _)| format!("{dependency} is not at home in {name}")),
        );
    }
    if links(graph, RELAY).contains(CORE) {
        found.push(format!("{RELAY} links {CORE}"));
    }
    found
}

/// Everything of ours that ends up in a crate, over any number of arrows.
fn links<'a>(graph: &'a Graph, name: &'a str) -> BTreeSet<&'a str> {
    let mut linked = BTreeSet::new();
    let mut waiting = vec![name];
    while let Some(name) = waiting.pop() {
        for import in graph.get(name).into_iter().flatten() {
            if graph.contains_key(import) && linked.insert(import.as_str()) {
                waiting.push(import);
            }
        }
    }
    linked
}

pub(crate) fn read(manifest: &Path) -> Graph {
    let metadata = MetadataCommand::new()
        .manifest_path(manifest)
        .no_deps()
        .other_options(["--offline".to_owned()])
        .exec()
        .expect("cargo metadata reads our own manifests");
    let packages = metadata.packages.into_iter().map(|package| {
        let linked = package
            .dependencies
            .into_iter()
            .filter(|dependency| dependency.kind != DependencyKind::Development);
        let names = linked.map(|dependency| dependency.name).collect();
        (package.name.to_string(), names)
    });
    packages.collect()
}
