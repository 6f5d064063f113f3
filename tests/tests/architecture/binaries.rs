//! Every file of tests is part of a binary: one that nobody names would never be built, and nobody would miss it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The crates that say themselves which binaries of tests they have.
const CRATES: [&str; 3] = ["daemon/store", "server", "tests"];

/// A crate's `Cargo.toml`, and the files that stand in its folder of tests.
struct Crate {
    manifest: toml::Table,
    /// Each by its name without `.rs`, and with its text.
    files: Vec<(String, String)>,
}

impl Crate {
    fn read(folder: &Path) -> Self {
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).expect("a crate's manifest");
        let mut files = Vec::new();
        for entry in fs::read_dir(folder.join("tests")).expect("a folder of tests") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.file_stem().expect("a name").to_string_lossy();
                let text = fs::read_to_string(&path).expect("a text");
                files.push((name.into_owned(), text));
            }
        }
        files.sort();
        Self {
            manifest: manifest.parse().expect("a manifest is TOML"),
            files,
        }
    }

    /// What cargo builds of them.
    fn binaries(&self) -> BTreeSet<String> {
        let named = self.manifest.get("test").and_then(toml::Value::as_array);
        let paths = named.into_iter().flatten().map(|test| {
            let path = test["path"].as_str().expect("each says where it is");
            path.trim_start_matches("tests/").trim_end_matches(".rs")
        });
        paths.map(str::to_owned).collect()
    }

    /// The files that are in no binary, and those that are in two.
    fn misplaced(&self) -> Vec<String> {
        assert_eq!(
            self.manifest["package"]["autotests"].as_bool(),
            Some(false),
            "cargo would build each file once more"
        );
        let mut places: Vec<String> = self.binaries().into_iter().collect();
        let roots = self.files.iter().filter(|(name, _)| places.contains(name));
        let parts: Vec<String> = roots.flat_map(|(_, text)| parts(text)).collect();
        places.extend(parts);
        let count = |file: &str| places.iter().filter(|place| *place == file).count();
        let mut found = Vec::new();
        for (name, _) in &self.files {
            match count(name) {
                0 => found.push(format!("tests/{name}.rs is in no binary")),
                1 => {}
                _ => found.push(format!("tests/{name}.rs is in two binaries")),
            }
        }
        found
    }
}

/// The modules that a file names and that lie beside it.
fn parts(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let named = line
            .strip_prefix("mod ")
            .and_then(|rest| rest.strip_suffix(';'));
        let lies_elsewhere = at > 0 && lines[at - 1].starts_with("#[path");
        if let Some(name) = named.filter(|_| !lies_elsewhere) {
            found.push(name.to_owned());
        }
    }
    found
}

#[test]
fn every_file_of_tests_is_in_one_binary() {
    let mut found = Vec::new();
    let mut seen = 0;
    for folder in CRATES {
        let it = Crate::read(&super::root().join(folder));
        seen += it.files.len();
        let misplaced = it.misplaced().into_iter();
        found.extend(misplaced.map(|what| format!("{folder}/{what}")));
    }
    assert!(seen > 130, "{seen}");
    super::assert_none(&found);
}

#[test]
fn a_file_that_no_binary_names_is_found() {
    let manifest = "[package]\nautotests = false\n[[test]]\nname = \"all\"\npath = \"tests/all.rs\"\n\
        [[test]]\nname = \"alone\"\npath = \"tests/alone.rs\"\n";
    let file = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    let it = |root: &str| Crate {
        manifest: manifest.parse().expect("TOML"),
        files: vec![
            file("all", root),
            // What only a module names is no root of anything.
            file("alone", "#[path = \"alone/one.rs\"]\nmod one;\n"),
            file("one", "mod two;\n"),
            file("two", ""),
        ],
    };
    assert_eq!(it("mod one;\nmod two;\n").misplaced(), [""; 0]);
    assert_eq!(
        it("mod one;\n// mod two;\n").misplaced(),
        ["tests/two.rs is in no binary"]
    );
    assert_eq!(
        it("mod two;\n").misplaced(),
        ["tests/one.rs is in no binary"]
    );
    assert_eq!(
        it("mod alone;\nmod one;\nmod two;\n").misplaced(),
        ["tests/alone.rs is in two binaries"]
    );
}
