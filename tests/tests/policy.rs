//! `deny.toml` held without cargo-deny: bans, licences and sources of everything that is linked on this system.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, PackageId};
use serde::Deserialize;

#[derive(Deserialize)]
struct Policy {
    bans: Bans,
    licenses: Licenses,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    #[serde(default)]
    wrappers: Vec<String>,
}

#[derive(Deserialize)]
struct Licenses {
    allow: BTreeSet<String>,
    exceptions: Vec<Exception>,
}

#[derive(Deserialize)]
struct Exception {
    #[serde(rename = "crate")]
    name: String,
    allow: BTreeSet<String>,
}

fn root() -> PathBuf {
    let parent = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    parent.expect("tests/ lies in the workspace").to_owned()
}

fn policy() -> Policy {
    let text = std::fs::read_to_string(root().join("deny.toml")).expect("deny.toml");
    toml::from_str(&text).expect("deny.toml is as this test reads it")
}

/// Everything that cargo resolved for this system, our own crates' tests included.
fn resolved() -> Metadata {
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .other_options(["--filter-platform".to_owned(), host()])
        .exec()
        .expect("cargo metadata resolves the workspace")
}

fn host() -> String {
    let rustc = std::process::Command::new("rustc").arg("-vV").output();
    let told = String::from_utf8(rustc.expect("rustc").stdout).expect("text");
    let host = told.lines().find_map(|line| line.strip_prefix("host: "));
    host.expect("rustc tells its host").to_owned()
}

/// Not ours.
fn foreign(metadata: &Metadata) -> Vec<&Package> {
    let resolved = metadata.resolve.as_ref().expect("a resolved graph");
    let used: BTreeSet<&PackageId> = resolved.nodes.iter().map(|node| &node.id).collect();
    let packages = metadata.packages.iter();
    packages
        .filter(|package| package.source.is_some() && used.contains(&package.id))
        .collect()
}

#[track_caller]
fn assert_none(violations: &[String]) {
    assert!(violations.is_empty(), "\n{}", violations.join("\n"));
}

#[test]
fn every_licence_is_allowed() {
    let (policy, metadata) = (policy(), resolved());
    let packages = foreign(&metadata);
    assert!(packages.len() > 200, "{}", packages.len());
    let mut found = Vec::new();
    for package in packages {
        let excepted = policy
            .licenses
            .exceptions
            .iter()
            .filter(|exception| package.name == exception.name)
            .flat_map(|exception| &exception.allow);
        let allowed: BTreeSet<&str> = policy
            .licenses
            .allow
            .iter()
            .chain(excepted)
            .map(String::as_str)
            .collect();
        let license = package.license.as_deref().unwrap_or("none");
        if !is_allowed(license, &allowed) {
            found.push(format!("{} {}: {license}", package.name, package.version));
        }
    }
    assert_none(&found);
}

/// One of the alternatives, and of it every part. `A/B` is the older way to write `A OR B`.
fn is_allowed(license: &str, allowed: &BTreeSet<&str>) -> bool {
    let license = license.replace('/', " OR ");
    // An alternative in parentheses counts as one word: no crate nests deeper.
    let Some((before, rest)) = license.split_once('(') else {
        return license.split(" OR ").any(|alternative| {
            let mut parts = alternative.split(" AND ");
            parts.all(|part| allowed.contains(part.trim()))
        });
    };
    let (inside, after) = rest.split_once(')').expect("closed");
    let inside = if is_allowed(inside, allowed) {
        "MIT"
    } else {
        "refused"
    };
    is_allowed(&format!("{before}{inside}{after}"), allowed)
}

#[test]
fn a_licence_is_read_as_spdx_means_it() {
    let allowed = BTreeSet::from(["MIT", "Apache-2.0", "ISC"]);
    for license in [
        "MIT",
        "GPL-3.0 OR MIT",
        "MIT/Unlicense",
        "Apache-2.0 AND ISC",
        "(GPL-3.0 OR MIT) AND ISC",
        "GPL-3.0 AND MIT OR ISC",
    ] {
        assert!(is_allowed(license, &allowed), "{license}");
    }
    for license in [
        "GPL-3.0",
        "MIT AND GPL-3.0",
        "(MIT OR ISC) AND GPL-3.0",
        "none",
        "",
    ] {
        assert!(!is_allowed(license, &allowed), "{license}");
    }
}

#[test]
fn nothing_banned_is_linked() {
    let (policy, metadata) = (policy(), resolved());
    let resolved = metadata.resolve.as_ref().expect("a resolved graph");
    let mut found = Vec::new();
    for ban in &policy.bans.deny {
        for node in &resolved.nodes {
            let name = &metadata[&node.id].name;
            let uses = node.deps.iter().any(|dependency| {
                metadata[&dependency.pkg].name == ban.name
                    && dependency
                        .dep_kinds
                        .iter()
                        .any(|kind| kind.kind != DependencyKind::Development)
            });
            if uses && !ban.wrappers.iter().any(|wrapper| **name == *wrapper) {
                found.push(format!("{name} uses {}", ban.name));
            }
        }
    }
    assert_none(&found);
}

#[test]
fn everything_comes_from_one_registry() {
    let metadata = resolved();
    let foreign = foreign(&metadata);
    let sources: BTreeSet<&str> = foreign
        .iter()
        .filter_map(|package| package.source.as_ref())
        .map(|source| source.repr.as_str())
        .collect();
    assert_eq!(sources.len(), 1, "{sources:?}");
    assert!(sources.iter().all(|source| source.starts_with("registry+")));
}

#[test]
fn what_must_agree_with_itself_is_linked_once() {
    const ONCE: [&str; 9] = [
        "curve25519-dalek",
        "ed25519-dalek",
        "crypto_box",
        "crypto_secretbox",
        "rustls",
        "ring",
        "prost",
        "libsqlite3-sys",
        "tokio",
    ];
    let metadata = resolved();
    let mut versions = BTreeMap::new();
    for package in foreign(&metadata) {
        let of: &mut BTreeSet<_> = versions.entry(package.name.to_string()).or_default();
        of.insert(package.version.to_string());
    }
    for name in ONCE {
        // dryoc has a curve of its own, of which nothing is called: it seals chunks, and knows no key pair.
        let times = if name == "curve25519-dalek" { 2 } else { 1 };
        let of = versions.get(name).map(BTreeSet::len);
        assert_eq!(of, Some(times), "{name}: {:?}", versions.get(name));
    }
}

#[test]
fn dryoc_may_ask_which_processor_it_runs_on() {
    // Without `std` it takes the least that the target has, and is as slow as crypto_secretbox: nothing else tells.
    let metadata = resolved();
    let named: BTreeSet<_> = metadata
        .packages
        .iter()
        .filter(|package| package.name.as_str() == "dryoc")
        .map(|package| &package.id)
        .collect();
    let resolved = metadata.resolve.as_ref().expect("a resolved graph");
    let mut used = resolved
        .nodes
        .iter()
        .filter(|node| named.contains(&node.id));
    assert!(used.clone().next().is_some());
    assert!(used.all(|node| {
        node.features
            .iter()
            .any(|feature| feature.as_str() == "std")
    }));
}
