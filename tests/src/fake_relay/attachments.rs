//! What the relay that says whatever a test wants does about attachments.

use connect_proto::hash::{Digest, sha256};
use connect_proto::ids::AttachmentId;
use connect_proto::routes;

use super::{FakeRelay, Reply, Shared, State};

impl FakeRelay {
    /// What is got as a chunk of an attachment.
    pub fn gives_chunk(&self, id: &AttachmentId, index: u32, bytes: Vec<u8>) {
        let path = routes::chunk(id, index);
        self.shared.with(|state| state.chunks.insert(path, bytes));
    }

    /// A chunk that can be neither given nor taken.
    pub fn fails_chunk(&self, id: &AttachmentId, index: u32, status: u16) {
        self.fails_at(routes::chunk(id, index), status);
    }

    /// An attachment that cannot be removed.
    pub fn fails_removal(&self, id: &AttachmentId, status: u16) {
        self.fails_at(routes::attachment(id), status);
    }

    fn fails_at(&self, path: String, status: u16) {
        self.shared.with(|state| state.failing.insert(path, status));
    }

    /// Takes such a chunk when it is put next, and answers once that is let go.
    pub fn holds_bytes(&self, digest: Digest) {
        self.shared.with(|state| state.holds_bytes = Some(digest));
    }

    /// Waits until it was to forget so many attachments. Tells of which, and of creations that came before and after.
    pub async fn about_attachments(&self, removals: usize) -> Vec<String> {
        let enough = |state: &mut State| {
            let removed = state.about_attachments.iter();
            let removed = removed.filter(|path| *path != routes::ATTACHMENTS).count();
            (removed >= removals).then(|| state.about_attachments.clone())
        };
        self.shared.until(enough).await
    }

    /// Waits until so many chunks were put, and returns where and the digest of what.
    pub async fn puts(&self, count: usize) -> Vec<(String, Digest)> {
        let enough = |state: &mut State| (state.put.len() >= count).then(|| state.put.clone());
        self.shared.until(enough).await
    }
}

pub(super) fn answer(shared: &Shared, path: &str, body: &[u8]) -> Reply {
    let is_about_all = is_attachment(path);
    if is_about_all {
        shared.with(|state| state.about_attachments.push(path.to_owned()));
    }
    if let Some(status) = shared.with(|state| state.failing.get(path).copied()) {
        return Reply::status(status, "", b"");
    }
    if !is_about_all {
        return chunk(shared, path, body);
    }
    Reply::status(204, "", b"")
}

/// And not a chunk of it: that is removed.
fn is_attachment(path: &str) -> bool {
    let below = path.strip_prefix(routes::ATTACHMENTS);
    below.is_some_and(|below| below.matches('/').count() == 1)
}

/// Without a body it is got, with one it is put: no chunk is empty.
fn chunk(shared: &Shared, path: &str, body: &[u8]) -> Reply {
    if !body.is_empty() {
        let digest = sha256(body);
        shared.with(|state| state.put.push((path.to_owned(), digest)));
        return Reply::status(204, "", b"");
    }
    let found = shared.with(|state| state.chunks.get(path).cloned());
    found.map_or_else(
        || Reply::status(404, "", b""),
        |bytes| Reply::status(200, "", &bytes),
    )
}
