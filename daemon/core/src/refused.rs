//! Why content cannot become a payload, and what that is called where it came in.

use crate::attachment::AttachmentRefused;
use crate::refusal::Refusal;

/// Why content cannot become a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayloadRefused {
    Unsupported,
    Malformed,
    Attachment(AttachmentRefused),
}

impl PayloadRefused {
    pub(crate) const fn refusal(self) -> Refusal {
        match self {
            PayloadRefused::Unsupported => Refusal::UnsupportedPayload,
            PayloadRefused::Malformed => Refusal::MalformedPayload,
            PayloadRefused::Attachment(refused) => match refused {
                AttachmentRefused::Malformed => Refusal::MalformedAttachment,
                AttachmentRefused::TooLarge => Refusal::AttachmentTooLarge,
                AttachmentRefused::SizesDisagree => Refusal::AttachmentSizesDisagree,
                AttachmentRefused::ThumbnailTooLarge => Refusal::ThumbnailTooLarge,
                AttachmentRefused::NameTooLong => Refusal::AttachmentNameTooLong,
            },
        }
    }
}
