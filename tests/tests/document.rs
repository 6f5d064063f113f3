//! The document itself: as it is published, and complete.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use connect_api::errors::ErrorCode;
use connect_api::openrpc;
use connect_tests::raw::Raw;
use connect_tests::world::World;
use serde_json::json;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Of the repository.
fn docs() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

#[test]
fn what_is_published_is_what_the_code_says() -> Result<()> {
    let document = openrpc::document(VERSION);
    let published = std::fs::read_to_string(docs().join("openrpc.json"))?;
    ensure!(
        published == format!("{document:#}\n"),
        "cargo run -p connectd -- openrpc > docs/openrpc.json"
    );
    let mut files = BTreeSet::new();
    for file in std::fs::read_dir(docs().join("reference"))? {
        files.insert(file?.file_name().into_string().unwrap_or_default());
    }
    let pages = connect_api::reference::pages(&document);
    let names = pages.iter().map(|page| page.file_name.clone()).collect();
    assert_eq!(files, names, "pages of docs/reference");
    for page in pages {
        let published = std::fs::read_to_string(docs().join("reference").join(&page.file_name))?;
        ensure!(
            published == page.text,
            "{}: cargo run -p connectd -- openrpc --markdown docs/reference",
            page.file_name
        );
    }
    Ok(())
}

#[test]
fn every_error_is_told_where_it_may_come_and_every_parameter_says_what_it_is() {
    let document = openrpc::document(VERSION);
    let mut told = BTreeSet::new();
    let methods = document["methods"].as_array().expect("methods");
    let of_methods = methods.iter().map(|method| &method["errors"]);
    for errors in of_methods.chain([&document["x-line-errors"], &document["x-reserved-errors"]]) {
        for error in errors.as_array().expect("errors") {
            let path = error["$ref"].as_str().expect("a reference");
            told.insert(path.rsplit('/').next().expect("a name").to_owned());
        }
    }
    let all = ErrorCode::ALL.iter().map(|code| code.name().to_owned());
    assert_eq!(told, all.collect());
    for method in methods {
        for param in method["params"].as_array().expect("parameters") {
            let description = param["description"].as_str();
            assert!(
                description.is_some_and(|text| !text.is_empty()),
                "{}: {}",
                method["name"],
                param["name"]
            );
        }
    }
}

#[test]
fn the_document_lists_every_error_and_refers_to_no_other() {
    let document = openrpc::document(VERSION);
    for code in ErrorCode::ALL {
        let described = &document["components"]["errors"][code.name()];
        assert_eq!(described["code"], code.number(), "{}", code.name());
    }
    for method in document["methods"].as_array().expect("methods") {
        for error in method["errors"].as_array().expect("errors") {
            let path = error["$ref"].as_str().expect("a reference");
            let found = document.pointer(path.trim_start_matches('#'));
            assert!(found.is_some(), "{path}");
        }
    }
}

/// A method may take more than is told: what is told must be all that it takes.
#[tokio::test(flavor = "multi_thread")]
async fn every_parameter_that_is_told_is_taken_and_no_other() -> Result<()> {
    let world = World::new().await?;
    let alice = world.person("alice").await?;
    let mut raw = Raw::connect(alice.endpoint.path()).await?;
    let document = openrpc::document(VERSION);
    for method in document["methods"].as_array().context("methods")? {
        let name = method["name"].as_str().context("a name")?;
        let params = method["params"].as_array().context("parameters")?;
        for param in params {
            // Of the wrong type for every one of them, and told as that instead of as unknown.
            let param = param["name"].as_str().context("a name")?;
            let answer = raw.call(name, json!({ param: [[null]] })).await?;
            let data = &answer["error"]["data"];
            assert_eq!(data["code"], "invalid_params", "{name}, {param}: {answer}");
            assert_ne!(data["reason"], "unknown", "{name}, {param}: {answer}");
        }
        let answer = raw.call(name, json!({"no_such_parameter": 1})).await?;
        let reason = &answer["error"]["data"]["reason"];
        assert_eq!(reason, "unknown", "{name}: {answer}");
        // What is required is missed, and nothing else is.
        let required = params.iter().filter(|param| param["required"] == true);
        if required.count() > 0 {
            let answer = raw.call(name, json!({})).await?;
            let reason = &answer["error"]["data"]["reason"];
            assert_eq!(reason, "missing", "{name}: {answer}");
        }
    }
    Ok(())
}
