//! Published vectors as files under `tests/vectors`: one JSON object of hex strings each, `fail_*` must fail.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// One file.
#[derive(Debug, Clone)]
pub struct Vector {
    pub name: String,
    fields: Value,
}

impl Vector {
    pub fn must_fail(&self) -> bool {
        self.name.starts_with("fail_")
    }

    pub fn text(&self, field: &str) -> &str {
        let text = self.fields[field].as_str();
        text.unwrap_or_else(|| panic!("{}: {field} is not text", self.name))
    }

    /// A field of any length, written in hex.
    pub fn bytes(&self, field: &str) -> Vec<u8> {
        let bytes = hex::decode(self.text(field));
        bytes.unwrap_or_else(|error| panic!("{}: {field}: {error}", self.name))
    }

    /// A field of exactly `N` bytes.
    pub fn array<const N: usize>(&self, field: &str) -> [u8; N] {
        let bytes = self.bytes(field);
        let array = bytes.try_into();
        array.unwrap_or_else(|_| panic!("{}: {field} is not {N} bytes", self.name))
    }
}

pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

/// All vectors of a kind, by name.
pub fn read(kind: &str) -> Vec<Vector> {
    let folder = folder().join(kind);
    let mut vectors: Vec<Vector> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|file| vector(&file.expect("a file of the folder").path()))
        .collect();
    vectors.sort_by(|a, b| a.name.cmp(&b.name));
    vectors
}

/// How many vectors of each outcome there must be: `counts.json`. Fewer would mean that some never ran.
pub fn expected_count(kind: &str, outcome: &str) -> u64 {
    let counts = vector(&folder().join("counts.json")).fields;
    let count = counts[kind][outcome].as_u64();
    count.unwrap_or_else(|| panic!("counts.json has no {kind}.{outcome}"))
}

fn vector(path: &Path) -> Vector {
    let text = std::fs::read_to_string(path);
    let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Vector {
        name: path.file_stem().unwrap_or_default().display().to_string(),
        fields: serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display())),
    }
}
