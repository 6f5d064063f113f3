//! Byte streams: a connection of their own, whose first line is a ticket instead of a request.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Good for one connection within 60 s, of the user of the host who asked for it. Whoever has it is taken for the one who
/// asked: it is in no log, and silent in `Debug` output.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Ticket(String);

impl Ticket {
    pub fn new(ticket: String) -> Self {
        Self(ticket)
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ticket(..)")
    }
}

/// The first line of the connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Show {
    pub ticket: Ticket,
}

/// An answer of `*.begin_*`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Issued {
    /// The first line of a connection of its own, within 60 s: `{"ticket": "…"}`.
    pub ticket: Ticket,
}

/// Everything that was committed by then is in it, and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Moment {
    /// The newest event in it.
    pub event_id: u64,
    pub at_ms: u64,
}

/// The daemon's first line, where the ticket is good: bytes follow, or are waited for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    pub ok: bool,
    /// How many bytes follow, where that was not known before.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub size: Option<u64>,
    /// What a backup is as of.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub taken_at: Option<Moment>,
}
