//! What a Box Key of ours shares with others', computed once per pair while unlocked (D5).

use std::collections::HashMap;
use std::sync::Arc;

use connect_core::boxes::SharedSecret;
use connect_core::secret::BoxSecretKey;
use connect_proto::keys::BoxPublicKey;
use parking_lot::Mutex;

/// Enough for every contact of a large hospital; beyond it the cache starts again.
const CAPACITY: usize = 20_000;

#[derive(Debug, Default)]
pub struct SharedSecrets(Mutex<HashMap<BoxPublicKey, Arc<SharedSecret>>>);

impl SharedSecrets {
    pub fn with(&self, mine: &BoxSecretKey, theirs: &BoxPublicKey) -> Arc<SharedSecret> {
        if let Some(known) = self.0.lock().get(theirs) {
            return Arc::clone(known);
        }
        // Computed outside the lock: it costs as much as twenty boxes.
        let computed = Arc::new(mine.shared_with(theirs));
        let mut cache = self.0.lock();
        if cache.len() >= CAPACITY {
            cache.clear();
        }
        Arc::clone(cache.entry(*theirs).or_insert(computed))
    }
}
