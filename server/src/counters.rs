//! How many requests were answered, by path and kind of answer; of whom is not counted.

use std::sync::atomic::{AtomicU64, Ordering};

use connect_proto::routes;
use http::StatusCode;

/// All that is below `routes::ATTACHMENTS`: which one it was is not counted.
const ONE_ATTACHMENT: &str = "/api/v1/attachments/*";
/// Every path of the public listener; the last place is for all others.
pub(crate) const PATHS: [&str; 10] = [
    routes::ENROLL,
    routes::SEND,
    routes::RECEIVE,
    routes::LOOKUP,
    routes::SEARCH,
    routes::PROFILE,
    routes::KEYS,
    routes::DELETE_ACCOUNT,
    routes::ATTACHMENTS,
    ONE_ATTACHMENT,
];
const OTHER: &str = "other";
/// 2xx, 4xx, 5xx, and the rest.
const KINDS: [&str; 4] = ["2xx", "4xx", "5xx", "other"];

#[derive(Debug, Default)]
pub(crate) struct Counters([[AtomicU64; KINDS.len()]; PATHS.len() + 1]);

impl Counters {
    pub(crate) fn place(path: &str) -> usize {
        let below = path.strip_prefix(routes::ATTACHMENTS);
        let path = match below {
            Some(below) if below.starts_with('/') => ONE_ATTACHMENT,
            _ => path,
        };
        let place = PATHS.iter().position(|known| *known == path);
        place.unwrap_or(PATHS.len())
    }

    pub(crate) fn count(&self, place: usize, status: StatusCode) {
        let kind = match status.as_u16() / 100 {
            2 => 0,
            4 => 1,
            5 => 2,
            _ => 3,
        };
        if let Some(counter) = self.0.get(place).and_then(|kinds| kinds.get(kind)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Path, kind, and how many.
    pub(crate) fn read(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        let paths = PATHS.into_iter().chain([OTHER]);
        paths.zip(&self.0).flat_map(|(path, kinds)| {
            KINDS
                .into_iter()
                .zip(kinds)
                .map(move |(kind, count)| (path, kind, count.load(Ordering::Relaxed)))
        })
    }
}
