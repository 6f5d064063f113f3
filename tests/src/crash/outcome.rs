//! What came out of a run, for people and for machines.

use std::fmt;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::findings::Findings;
use super::killer::Kills;
use super::meddler::Meddling;

/// Named one by one; of the rest there is the count.
const NAMED: usize = 20;

#[derive(Debug)]
pub struct Outcome {
    pub seed: u64,
    pub kills: Kills,
    /// Fail points that were met.
    pub points: u64,
    /// What came between daemons and relay.
    pub meddling: Meddling,
    pub messages: u64,
    /// Sends repeated because nobody knew whether they had been done.
    pub unknown: u64,
    pub events: u64,
    pub findings: Findings,
    pub seconds: f64,
    /// Where everything lies, where it was kept.
    pub kept: Option<PathBuf>,
}

impl Outcome {
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }

    pub fn to_json(&self) -> Value {
        json!({
            "sound": self.is_sound(),
            "seed": self.seed,
            "kills": self.kills,
            "fail_points_met": self.points,
            "meddling": self.meddling,
            "messages": self.messages,
            "unknown_outcomes_retried": self.unknown,
            "events": self.events,
            "defects": self.findings.counts(),
            "first_findings": self.findings.first(NAMED),
            "seconds": self.seconds,
            "kept": self.kept,
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Kills {
            relay,
            daemons,
            while_starting,
            while_unlocking,
            clock_jumps,
        } = self.kills;
        let mut row = |name: &str, value: &dyn fmt::Display| writeln!(f, "{name:<28}{value:>9}");
        row("kills of the relay", &relay)?;
        row("kills of daemons", &daemons)?;
        row("  of these while starting", &while_starting)?;
        row("  of these while unlocking", &while_unlocking)?;
        row("wall clocks that jumped", &clock_jumps)?;
        row("answers meddled with", &self.meddling.total())?;
        row("fail points met", &self.points)?;
        row("messages", &self.messages)?;
        row("unknown outcomes retried", &self.unknown)?;
        row("events", &self.events)?;
        for (defect, count) in self.findings.counts() {
            row(defect.name(), &count)?;
        }
        row("seconds", &format!("{:.0}", self.seconds))?;
        if self.is_sound() {
            return Ok(());
        }
        writeln!(f, "\nseed {} repeats the plan; found first:", self.seed)?;
        for finding in self.findings.first(NAMED) {
            let name = finding.defect.name();
            writeln!(f, "  {name}: {}: {}", finding.user, finding.what)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::findings::Defect;
    use super::*;

    fn outcome(findings: Findings) -> Outcome {
        Outcome {
            points: 0,
            meddling: Meddling::default(),
            seed: 7,
            kills: Kills::default(),
            messages: 3,
            unknown: 1,
            events: 9,
            findings,
            seconds: 1.5,
            kept: None,
        }
    }

    #[test]
    fn only_an_outcome_without_findings_is_sound() {
        let sound = outcome(Findings::default());
        assert!(sound.is_sound());
        assert_eq!(sound.to_json()["defects"]["lost"], 0);
        let mut findings = Findings::default();
        findings.add(Defect::Lost, "bob", "id-1");
        let unsound = outcome(findings);
        assert!(!unsound.is_sound());
        let json = unsound.to_json();
        assert_eq!(json["defects"]["lost"], 1);
        assert_eq!(json["first_findings"][0]["what"], "id-1");
        let table = unsound.to_string();
        assert!(table.contains("seed 7"), "{table}");
        assert!(table.contains("lost: bob: id-1"), "{table}");
    }
}
