//! An app's way in, until it is revoked.

use connect_core::token::TokenDigest;
use connect_proto::ids::AppId;
use tokio_util::sync::CancellationToken;

/// An app that may come in, and may be shown out.
#[derive(Debug)]
pub struct Door {
    pub app_id: AppId,
    /// The contract's words.
    pub scopes: Vec<String>,
    pub(super) uid: Option<u32>,
    pub(super) digest: TokenDigest,
    revoked: CancellationToken,
}

impl Door {
    pub(super) fn new(
        app_id: AppId,
        scopes: Vec<String>,
        uid: Option<u32>,
        digest: TokenDigest,
    ) -> Self {
        Self {
            app_id,
            scopes,
            uid,
            digest,
            revoked: CancellationToken::new(),
        }
    }

    /// Whether it lets in the same app by the same token to the same rooms.
    pub(super) fn is_as(&self, scopes: &[String], uid: Option<u32>, digest: &TokenDigest) -> bool {
        self.scopes == scopes && self.uid == uid && self.digest.as_bytes() == digest.as_bytes()
    }

    pub fn is_revoked(&self) -> bool {
        self.revoked.is_cancelled()
    }

    pub(super) fn revoke(&self) {
        self.revoked.cancel();
    }

    /// Returns once the app was revoked.
    pub async fn revoked(&self) {
        self.revoked.cancelled().await;
    }
}
