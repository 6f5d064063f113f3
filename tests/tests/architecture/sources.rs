//! The workspace's own sources, read as text.

use std::fs;
use std::path::{Path, PathBuf};

/// One file.
#[derive(Debug)]
pub(crate) struct Source {
    /// From the workspace's root.
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    code: String,
}

impl Source {
    pub(crate) fn read(root: &Path, path: &Path) -> Self {
        let text = fs::read_to_string(path);
        let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self {
            path: path.strip_prefix(root).unwrap_or(path).to_owned(),
            code: without_comments(&text),
            text,
        }
    }

    /// The text without comments: a comment may speak of what the code may not do.
    pub(crate) fn code(&self) -> &str {
        &self.code
    }

    /// The code before the file's own tests.
    pub(crate) fn code_without_tests(&self) -> &str {
        let (code, _) = self
            .code
            .split_once("#[cfg(test)]\nmod ")
            .unwrap_or((&self.code, ""));
        code
    }

    pub(crate) fn has_word(&self, word: &str) -> bool {
        let mut words = self.code.split(|c: char| !c.is_alphanumeric() && c != '_');
        words.any(|found| found == word)
    }

    /// Each struct's name with what stands before it since the item above: its attributes.
    pub(crate) fn structs(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut before = String::new();
        for line in self.code_without_tests().lines() {
            let line = line.trim();
            let declared = line
                .split_once("struct ")
                .filter(|(visibility, _)| matches!(*visibility, "" | "pub " | "pub(crate) "));
            if let Some((_, rest)) = declared {
                let end = rest.find(['(', '{', ';', ' ', '<']).unwrap_or(rest.len());
                found.push((rest[..end].to_owned(), std::mem::take(&mut before)));
            } else if line.is_empty() || line.ends_with('}') || line.ends_with(';') {
                before.clear();
            } else {
                before.push_str(line);
            }
        }
        found
    }

    /// A violation, in a line.
    pub(crate) fn names(&self, what: &str) -> String {
        format!("{}: {what}", self.path.display())
    }
}

fn without_comments(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let line = line.trim_end();
        if line.trim_start().starts_with("//") {
            ""
        } else {
            line
        }
    });
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// The folders of our crates, from the root.
pub(crate) fn crates(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for folder in [
        root.to_owned(),
        root.join("daemon"),
        root.join("client-lib"),
    ] {
        for entry in fs::read_dir(&folder).expect("a folder of the workspace") {
            let path = entry.expect("an entry").path();
            if path.join("Cargo.toml").is_file() {
                let name = path.strip_prefix(root).expect("below the root");
                found.push(name.display().to_string());
            }
        }
    }
    found.sort();
    assert!(found.len() >= 13, "{found:?}");
    found
}

/// Every Rust file of the workspace, tests and benches too.
pub(crate) fn wherever(root: &Path) -> Vec<Source> {
    let crates = crates(root);
    crates
        .iter()
        .flat_map(|name| in_crate(root, name))
        .collect()
}

/// The Rust files under a folder.
pub(crate) fn in_crate(root: &Path, folder: &str) -> Vec<Source> {
    let mut files = Vec::new();
    collect(&root.join(folder), &mut files);
    files.sort();
    files.iter().map(|file| Source::read(root, file)).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the workspace") {
        let path = entry.expect("an entry").path();
        let hidden = path
            .file_name()
            .is_some_and(|name| name == "target" || name.as_encoded_bytes().starts_with(b"."));
        if path.is_dir() && !hidden {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}
