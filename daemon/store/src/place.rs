//! Where a message stands: its row, and its place in its conversation.

/// A message's row: rises with the order in which messages were stored here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MessageRow(pub i64);

/// Where a message stands in its conversation. One that came late stands beside the next one of its sender's
/// installation, and before it by its sequence (D13).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub(crate) beside: i64,
    pub(crate) sequence: i64,
}
