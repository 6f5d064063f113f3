//! What a ticket is for.

use std::sync::Weak;

use connect_proto::ids::AttachmentId;
use connect_service::attachments::upload::Reserved;
use connect_service::backup::restore::Wanted;
use connect_service::export::ask;
use connect_service::unlocked::Unlocked;
use connect_vault::recovery::RecoveryKey;

#[derive(Debug)]
pub(crate) enum Errand {
    Download(Download),
    Upload(Upload),
    /// An attachment's bytes from the client.
    Attachment(Reserved),
}

/// Bytes for the client.
#[derive(Debug)]
pub(crate) enum Download {
    Export(Weak<Unlocked>, Box<ask::Wanted>),
    Backup(Weak<Unlocked>),
    Attachment {
        unlocked: Weak<Unlocked>,
        app: String,
        id: AttachmentId,
        offset: u64,
    },
    Thumbnail(Vec<u8>),
}

/// So many bytes from the client, and one line with the result.
#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) size: u64,
    pub(crate) what: Take,
}

#[derive(Debug)]
pub(crate) enum Take {
    Verify(RecoveryKey),
    Restore(Box<Wanted>),
}

impl Errand {
    /// Whether a lock leaves its ticket good: it is about no open session.
    pub(crate) const fn outlives_the_session(&self) -> bool {
        match self {
            Self::Download(_) | Self::Attachment(_) => false,
            Self::Upload(_) => true,
        }
    }
}
