//! Every test that docs/security.md names is there, and every threat of the whitepaper has one.

use std::path::Path;

use anyhow::{Context as _, Result};

/// Of the whitepaper's §10.
const THREATS: [&str; 7] = ["10.1", "10.2", "10.3", "10.4", "10.5", "10.6", "10.7"];

fn root() -> &'static Path {
    let parent = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    parent.expect("tests/ lies in the workspace")
}

/// What stands between backticks and looks like `file.rs::name`.
fn named(text: &str) -> Vec<(&str, &str)> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted
        .filter_map(|quoted| quoted.split_once(".rs::").map(|_| quoted))
        .filter_map(|quoted| quoted.split_once("::"))
        .collect()
}

/// Why a source has no such test that runs; none where it has.
fn trouble(source: &str, name: &str) -> Option<&'static str> {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let function = format!("fn {name}(");
    let Some(at) = lines
        .iter()
        .position(|line| line.trim_start_matches("async ").starts_with(&function))
    else {
        return Some("no such function");
    };
    let attributes: Vec<&&str> = lines[..at]
        .iter()
        .rev()
        .take_while(|line| line.starts_with('#') || line.starts_with("//"))
        .collect();
    if attributes.iter().any(|line| line.starts_with("#[ignore")) {
        return Some("it is ignored");
    }
    let is_test = |line: &&&str| line.starts_with("#[test]") || line.starts_with("#[tokio::test");
    (!attributes.iter().any(is_test)).then_some("no test")
}

#[test]
fn every_test_that_is_named_exists() -> Result<()> {
    let text = std::fs::read_to_string(root().join("docs/security.md"))?;
    let named = named(&text);
    assert!(named.len() > 60, "{}", named.len());
    let mut wrong = Vec::new();
    for (file, name) in named {
        let source = std::fs::read_to_string(root().join(file)).unwrap_or_default();
        if let Some(why) = trouble(&source, name) {
            wrong.push(format!("{file}::{name}: {why}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn every_threat_has_its_tests_and_says_what_is_left() -> Result<()> {
    let text = std::fs::read_to_string(root().join("docs/security.md"))?;
    for threat in THREATS {
        let title = format!("\n### {threat} ");
        let (_, after) = text.split_once(&title).context(threat)?;
        let section = after.split("\n#").next().unwrap_or_default();
        assert!(!named(section).is_empty(), "{threat} names no test");
        assert!(section.contains("What is left:"), "{threat}");
    }
    Ok(())
}

#[test]
fn a_test_that_is_not_there_is_found() {
    let source = "#[test]\nfn one() {}\n\n#[tokio::test(flavor = \"x\")]\n/// Why.\nasync fn two() {}\n\nfn help() {}\n\
        #[test]\n#[ignore = \"slow\"]\nfn three() {}\n";
    let told = ["one", "two", "help", "three", "four"].map(|name| trouble(source, name));
    let expected = [
        None,
        None,
        Some("no test"),
        Some("it is ignored"),
        Some("no such function"),
    ];
    assert_eq!(told, expected);
    assert_eq!(named("`a/b.rs::c` and `d::e`, `f.rs`"), [("a/b.rs", "c")]);
}
