//! Looks for secrets in every spelling that a log, an error or a file could have them in.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufReader, Read as _};
use std::path::{Path, PathBuf};

use aho_corasick::AhoCorasick;
use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::{ERRORS, FOUND, LOGS, SECRETS, TMP};

/// Shorter ones stand in a log by chance.
pub const SHORTEST: usize = 8;
/// In one piece; two pieces overlap by the longest spelling.
const PIECE: usize = 1 << 20;

/// What a secret is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Pin,
    Token,
    Text,
    Name,
    Reference,
    Code,
    KeystoreSecret,
    Key,
}

impl Kind {
    pub const ALL: [Self; 8] = [
        Self::Pin,
        Self::Token,
        Self::Text,
        Self::Name,
        Self::Reference,
        Self::Code,
        Self::KeystoreSecret,
        Self::Key,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Pin => "pin",
            Self::Token => "token",
            Self::Text => "text",
            Self::Name => "name",
            Self::Reference => "client_ref",
            Self::Code => "enrollment_code",
            Self::KeystoreSecret => "keystore_secret",
            Self::Key => "key",
        }
    }

    /// Of a parameter on the socket.
    pub(crate) fn of_field(name: &str) -> Option<Self> {
        Some(match name {
            "pin" | "new_pin" => Self::Pin,
            "token" => Self::Token,
            "text" | "query" => Self::Text,
            "display_name" | "organisation" | "name" => Self::Name,
            "client_ref" => Self::Reference,
            _ => return None,
        })
    }

    fn named(name: &str) -> Result<Self> {
        let kind = Self::ALL.into_iter().find(|kind| kind.name() == name);
        kind.context("a kind of secret")
    }
}

/// As it is, in hex, as a list of numbers, and in Base64 wherever in a longer text it stands.
pub fn spellings(secret: &[u8]) -> Vec<Vec<u8>> {
    let mut spelled = vec![
        secret.to_vec(),
        hex::encode(secret).into_bytes(),
        hex::encode_upper(secret).into_bytes(),
        // What a derived `Debug` makes of bytes.
        format!("{secret:?}")
            .trim_matches(['[', ']'])
            .as_bytes()
            .to_vec(),
    ];
    for shift in 0..3 {
        let shifted = [vec![0; shift], secret.to_vec()].concat();
        for encoded in [
            STANDARD_NO_PAD.encode(&shifted),
            URL_SAFE_NO_PAD.encode(&shifted),
        ] {
            // The characters at both ends hold bits of what stands beside it.
            let inner = encoded.get(4..encoded.len().saturating_sub(3));
            let inner = inner.unwrap_or_default();
            if inner.len() >= SHORTEST {
                spelled.push(inner.as_bytes().to_vec());
            }
        }
    }
    spelled
}

/// Finds any of many secrets in one go.
#[derive(Debug)]
pub struct Finder {
    automaton: AhoCorasick,
    kinds: Vec<Kind>,
    longest: usize,
}

impl Finder {
    pub fn new(secrets: &BTreeSet<(Kind, Vec<u8>)>) -> Result<Self> {
        let (mut patterns, mut kinds) = (Vec::new(), Vec::new());
        for (kind, secret) in secrets {
            for spelled in spellings(secret) {
                patterns.push(spelled);
                kinds.push(*kind);
            }
        }
        Ok(Self {
            automaton: AhoCorasick::new(&patterns)?,
            longest: patterns.iter().map(Vec::len).max().unwrap_or(1),
            kinds,
        })
    }

    /// The kinds of secrets that stand in a file, each with where it begins first.
    pub fn search(&self, path: &Path) -> io::Result<BTreeMap<Kind, u64>> {
        let mut found = BTreeMap::new();
        let mut file = BufReader::new(File::open(path)?);
        let (mut window, mut begin) = (Vec::new(), 0_u64);
        loop {
            let piece = u64::try_from(PIECE).expect("1 MiB");
            let read = file.by_ref().take(piece).read_to_end(&mut window)?;
            for hit in self.automaton.find_overlapping_iter(&window) {
                let at = begin + u64::try_from(hit.start()).expect("within a piece");
                found.entry(self.kinds[hit.pattern()]).or_insert(at);
            }
            if read == 0 {
                return Ok(found);
            }
            let done = window.len().saturating_sub(self.longest);
            window.drain(..done);
            begin += u64::try_from(done).expect("within a piece");
        }
    }
}

/// What a canary run came to.
#[derive(Debug)]
pub struct Report {
    pub secrets: usize,
    pub files: usize,
    pub bytes: u64,
    /// Each hit in words that do not tell the secret.
    pub found: Vec<String>,
}

/// Searches what a run has left. With `whole`, an error where it cannot have been whole: a kind of secret was never
/// used, or fewer bytes were logged.
pub fn check(dir: &Path, whole: Option<u64>) -> Result<Report> {
    let secrets = secrets(dir)?;
    for kind in Kind::ALL {
        let is_there = secrets.iter().any(|(of, _)| *of == kind);
        let kind = kind.name();
        ensure!(is_there || whole.is_none(), "no story kept a {kind} secret");
    }
    let finder = Finder::new(&secrets)?;
    let mut report = Report {
        secrets: secrets.len(),
        files: 0,
        bytes: 0,
        found: Vec::new(),
    };
    for path in files(&dir.join(FOUND))? {
        let told = std::fs::read_to_string(path)?;
        report.found.extend(told.lines().map(str::to_owned));
    }
    for folder in [LOGS, ERRORS, TMP] {
        for path in files(&dir.join(folder))? {
            report.files += 1;
            report.bytes += std::fs::metadata(&path)?.len();
            for (kind, at) in finder.search(&path)? {
                let kind = kind.name();
                let hit = format!("{kind} in {} at byte {at}", path.display());
                report.found.push(hit);
            }
        }
    }
    let bytes = report.bytes;
    let is_enough = whole.is_none_or(|least| bytes >= least);
    ensure!(is_enough, "only {bytes} bytes were logged");
    Ok(report)
}

fn secrets(dir: &Path) -> Result<BTreeSet<(Kind, Vec<u8>)>> {
    let mut secrets = BTreeSet::new();
    for path in files(&dir.join(SECRETS))? {
        for line in std::fs::read_to_string(path)?.lines() {
            let (kind, secret) = line.split_once(' ').context("kind and secret")?;
            secrets.insert((Kind::named(kind)?, hex::decode(secret)?));
        }
    }
    Ok(secrets)
}

/// Every file below a folder, if it is there.
pub fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let (mut folders, mut files) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        let entries = match std::fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
    }
    Ok(files)
}
