//! `connectd doctor`: what is in force on this host, found by trying it, and what to do about what is not.

use std::fmt::Write as _;

use serde::Serialize;

use crate::config::Config;

mod keys;
mod memory;
mod places;

/// Where a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Ok,
    /// It works, with less protection or room than it could have.
    Warn,
    /// It does not work, or gives away what it must not.
    Fail,
}

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    pub name: &'static str,
    pub level: Level,
    pub found: String,
    /// What to do next. Null where all is well.
    pub advice: Option<String>,
}

impl Check {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self {
            name,
            level: Level::Ok,
            found: found.into(),
            advice: None,
        }
    }

    fn warn(name: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            level: Level::Warn,
            advice: Some(advice.into()),
            ..Self::ok(name, found)
        }
    }

    fn fail(name: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            level: Level::Fail,
            ..Self::warn(name, found, advice)
        }
    }
}

/// All of them, in an order in which they are best looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// None failed.
    pub healthy: bool,
    pub checks: Vec<Check>,
}

impl Report {
    /// For people: a line each, and one more for what to do.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let width = self.checks.iter().map(|check| check.name.len()).max();
        let width = width.unwrap_or_default();
        for check in &self.checks {
            let level = match check.level {
                Level::Ok => "ok",
                Level::Warn => "warn",
                Level::Fail => "FAIL",
            };
            let (name, found) = (check.name, &check.found);
            writeln!(text, "{level:<4}  {name:<width$}  {found}").ok();
            if let Some(advice) = &check.advice {
                writeln!(text, "      {:<width$}  → {advice}", "").ok();
            }
        }
        text
    }
}

/// Tries everything that needs neither PIN nor relay. Changes nothing; a daemon may run meanwhile.
pub fn examine(config: &Config) -> Report {
    let mut checks = memory::checks();
    checks.extend(places::checks(config));
    checks.extend(keys::checks(config));
    Report {
        healthy: checks.iter().all(|check| check.level < Level::Fail),
        checks,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_with_what_to_do() {
        let checks = vec![
            Check::ok("core_dumps", "off"),
            Check::fail("disk_free", "3 MiB", "make room"),
        ];
        let report = Report {
            healthy: false,
            checks,
        };
        assert_eq!(
            report.text(),
            "ok    core_dumps  off\nFAIL  disk_free   3 MiB\n                  → make room\n"
        );
    }
}
