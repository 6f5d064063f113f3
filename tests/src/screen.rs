//! What a command draws on a terminal, as a picture: a real pseudo-terminal, and the glyphs that a QR code is made of.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// Pixels of half a cell: a module of a code.
const SCALE: usize = 6;
/// A dark terminal, as most are.
const PAPER: u8 = 0;
const INK: u8 = 210;

/// Runs a command on a terminal of its own (util-linux's `script`), and returns what it wrote there.
pub fn on_a_terminal(command: &str, environment: &[(&str, &str)]) -> Result<String> {
    let output = Command::new("script")
        .args(["--quiet", "--return", "--command", command, "/dev/null"])
        .env_remove("NO_COLOR")
        .env("TERM", "xterm-256color")
        .envs(environment.iter().copied())
        .output()?;
    let written = String::from_utf8(output.stdout)?;
    ensure!(output.status.success(), "{written}");
    Ok(written)
}

/// Two rows of modules for each line.
#[derive(Debug, Default)]
pub struct Screen(Vec<Vec<u8>>);

impl Screen {
    pub fn of(written: &str) -> Result<Self> {
        let mut rows = Vec::new();
        for line in written.lines() {
            let (top, bottom) = draw(line.trim_end_matches('\r'))?;
            rows.push(top);
            rows.push(bottom);
        }
        Ok(Self(rows))
    }

    /// A picture in grey that every program reads (PGM).
    pub fn save(&self, path: &Path) -> Result<()> {
        let width = self.0.iter().map(Vec::len).max().unwrap_or(0);
        let (wide, high) = (width * SCALE, self.0.len() * SCALE);
        let mut picture = format!("P2\n{wide} {high}\n255\n");
        for row in &self.0 {
            let mut line = String::new();
            for place in 0..width {
                let shade = row.get(place).copied().unwrap_or(PAPER);
                for _ in 0..SCALE {
                    write!(line, "{shade} ")?;
                }
            }
            line.push('\n');
            picture.push_str(&line.repeat(SCALE));
        }
        Ok(std::fs::write(path, picture)?)
    }
}

/// The upper and the lower half of a line.
fn draw(line: &str) -> Result<(Vec<u8>, Vec<u8>)> {
    let (mut ink, mut paper) = (INK, PAPER);
    let (mut top, mut bottom) = (Vec::new(), Vec::new());
    let mut rest = line.chars();
    while let Some(char) = rest.next() {
        let (above, below) = match char {
            '\u{1b}' => {
                let sequence: String = rest.by_ref().take_while(|char| *char != 'm').collect();
                let codes = sequence.strip_prefix('[').context("a colour")?;
                (ink, paper) = colours(codes, ink, paper)?;
                continue;
            }
            '\u{2588}' => (ink, ink),
            '\u{2580}' => (ink, paper),
            '\u{2584}' => (paper, ink),
            ' ' => (paper, paper),
            // A letter: neither.
            _ => (ink, paper / 2),
        };
        top.push(above);
        bottom.push(below);
    }
    Ok((top, bottom))
}

/// Colours of 24 bits, and back to the terminal's own.
fn colours(codes: &str, mut ink: u8, mut paper: u8) -> Result<(u8, u8)> {
    let mut codes = codes.split(';');
    while let Some(code) = codes.next() {
        match code {
            "38" | "48" => {
                ensure!(codes.next() == Some("2"), "not of 24 bits");
                let mut part = || {
                    codes
                        .next()
                        .context("a part")?
                        .parse::<u16>()
                        .map_err(anyhow::Error::from)
                };
                let shade = u8::try_from((part()? + part()? + part()?) / 3)?;
                if code == "38" {
                    ink = shade;
                } else {
                    paper = shade;
                }
            }
            "39" => ink = INK,
            "49" => paper = PAPER,
            "" | "0" => (ink, paper) = (INK, PAPER),
            // Bold, dimmed and the like.
            _ => {}
        }
    }
    Ok((ink, paper))
}

/// What an independent reader (zbar) finds in a picture.
pub fn scan(picture: &Path) -> Result<String> {
    let arguments = [
        OsStr::new("--raw"),
        OsStr::new("--quiet"),
        picture.as_os_str(),
    ];
    let output = Command::new("zbarimg").args(arguments).output()?;
    ensure!(output.status.success(), "zbarimg finds nothing");
    Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
}

/// Whether programs are here; where the variable is set they have to be.
pub fn are_here(programs: &[&str], must_be: &str) -> Result<bool> {
    let is_here = |program: &&str| {
        let found = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&found).any(|dir| dir.join(program).is_file())
    };
    let all = programs.iter().all(is_here);
    ensure!(
        all || std::env::var_os(must_be).is_none(),
        "{programs:?} have to be here"
    );
    Ok(all)
}
