//! What came of sealing something for an audience.

use connect_store::codes::StateReason;

/// An encoded envelope for all who need not wait, and what the others wait for.
#[derive(Debug)]
pub(crate) struct Sealed {
    /// None where everyone waits.
    pub(crate) envelope: Option<Vec<u8>>,
    /// By contact of the audience, in its order.
    pub(crate) holds: Vec<Option<StateReason>>,
}
