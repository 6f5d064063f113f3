//! The memory of another process as root reads it: every mapping that can be read, searched for what should not be there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::unix::fs::FileExt as _;

use anyhow::{Context as _, Result, ensure};

/// Read at once.
const CHUNK: usize = 1 << 20;
const PAGE: usize = 4096;
/// No needle is longer.
pub const LONGEST: usize = 256;

/// What to look for, each under a name that may be printed.
#[derive(Default)]
pub struct Needles {
    all: Vec<(String, Vec<u8>)>,
    /// By their first two bytes.
    beginnings: BTreeMap<[u8; 2], Vec<usize>>,
}

impl Needles {
    /// Looks for these bytes as they are.
    pub fn raw(&mut self, name: &str, bytes: &[u8]) {
        assert!((8..=LONGEST).contains(&bytes.len()), "{name}");
        let beginning = [bytes[0], bytes[1]];
        let place = self.beginnings.entry(beginning).or_default();
        place.push(self.all.len());
        self.all.push((name.to_owned(), bytes.to_vec()));
    }

    /// A text: as it is, in capitals and small letters, and a character in four bytes.
    pub fn text(&mut self, name: &str, text: &str) {
        let wide: Vec<u8> = text
            .chars()
            .flat_map(|c| u32::from(c).to_le_bytes())
            .collect();
        self.raw(name, text.as_bytes());
        self.raw(&format!("{name}, wide"), &wide);
        for other in [text.to_lowercase(), text.to_uppercase()] {
            if other != text {
                self.raw(&format!("{name}, other case"), other.as_bytes());
            }
        }
    }

    /// A key: either half of it, since ciphers keep it in blocks of sixteen bytes, and in hex.
    pub fn key(&mut self, name: &str, key: &[u8]) {
        for (half, bytes) in key.chunks_exact(16).enumerate() {
            self.raw(&format!("{name}, half {half}"), bytes);
            let hex = hex::encode(bytes);
            self.raw(&format!("{name}, half {half}, hex"), hex.as_bytes());
            let hex = hex.to_uppercase();
            self.raw(&format!("{name}, half {half}, HEX"), hex.as_bytes());
        }
    }

    fn search(&self, content: &[u8], found: &mut impl FnMut(&str, usize)) {
        let mut begins = vec![false; 1 << 16];
        for [a, b] in self.beginnings.keys() {
            begins[usize::from(*a) << 8 | usize::from(*b)] = true;
        }
        for at in 0..content.len().saturating_sub(1) {
            let beginning = [content[at], content[at + 1]];
            if !begins[usize::from(beginning[0]) << 8 | usize::from(beginning[1])] {
                continue;
            }
            for which in &self.beginnings[&beginning] {
                let (name, bytes) = &self.all[*which];
                if content[at..].starts_with(bytes) {
                    found(name, at);
                }
            }
        }
    }
}

/// What was found, and in how much.
#[derive(Debug, Default)]
pub struct Found {
    /// The needles, by name, with the mappings that hold them.
    pub needles: BTreeMap<String, BTreeSet<String>>,
    pub bytes_read: usize,
    /// Mappings that the kernel gives to nobody, root included.
    pub secret_mappings: usize,
}

impl Found {
    pub fn has(&self, name: &str) -> bool {
        self.needles.keys().any(|found| found.starts_with(name))
    }
}

/// Reads a whole process that goes on meanwhile.
pub fn search(pid: u32, needles: &Needles) -> Result<Found> {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps"))?;
    let memory = File::open(format!("/proc/{pid}/mem")).context("its memory is for root alone")?;
    let mut found = Found::default();
    for line in maps.lines() {
        let mut fields = line.split_whitespace();
        let range = fields.next().context("a range")?;
        let mode = fields.next().context("a mode")?;
        let name = fields.nth(3).unwrap_or("anonymous");
        found.secret_mappings += usize::from(name.contains("secretmem"));
        if !mode.starts_with('r') {
            continue;
        }
        let (start, end) = range.split_once('-').context("a range")?;
        let range = u64::from_str_radix(start, 16)?..u64::from_str_radix(end, 16)?;
        let mut before: Vec<u8> = Vec::new();
        for at in range.clone().step_by(CHUNK) {
            let length = usize::try_from((range.end - at).min(CHUNK as u64))?;
            let (content, read) = read_pages(&memory, at, length);
            found.bytes_read += read;
            before.extend_from_slice(&content);
            let first = at - (before.len() - content.len()) as u64;
            needles.search(&before, &mut |what, place| {
                let place = first + place as u64;
                let places = found.needles.entry(what.to_owned()).or_default();
                places.insert(format!("{name} {mode} {place:#x} of {range:x?}"));
            });
            before.drain(..before.len().saturating_sub(LONGEST));
        }
    }
    ensure!(found.bytes_read > PAGE * 100, "hardly anything was read");
    Ok(found)
}

/// What cannot be read counts as zeros.
fn read_pages(memory: &File, at: u64, length: usize) -> (Vec<u8>, usize) {
    let mut content = vec![0; length];
    if memory.read_exact_at(&mut content, at).is_ok() {
        return (content, length);
    }
    let mut read = 0;
    for (page, into) in content.chunks_mut(PAGE).enumerate() {
        match memory.read_exact_at(into, at + (page * PAGE) as u64) {
            Ok(()) => read += into.len(),
            Err(_) => into.fill(0),
        }
    }
    (content, read)
}

impl std::fmt::Debug for Needles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Needles({})", self.all.len())
    }
}
