//! `attachments.*` at work: Alice sends Bob a film.

use super::messages::with_bob;
use super::{Example, Shown, error, invalid, sample};
use crate::attachments::{
    Attachment, AttachmentParams, AttachmentReason, AttachmentState, BeginDownload,
    BeginDownloadParams, BeginUpload, BeginUploadParams, Cancel, DiscardLocal, Download, Get, List,
    ListParams, Listed, Standing, Upload,
};
use crate::bytes::Ticket;
use crate::errors::{ErrorCode, Reason};
use crate::page::Page;

const MEDIA_TYPE: &str = "application/dicom";
const FILENAME: &str = "knee.dcm";
const SIZE: u64 = 20_971_520;

fn ticket() -> Ticket {
    Ticket::new(sample::TICKET.to_owned())
}

fn one(attachment_id: &str) -> AttachmentParams {
    AttachmentParams {
        attachment_id: attachment_id.to_owned(),
    }
}

fn film(state: AttachmentState) -> Attachment {
    Attachment {
        attachment_id: sample::ATTACHMENT_ID.to_owned(),
        filename: FILENAME.to_owned(),
        safe_name: FILENAME.to_owned(),
        media_type: MEDIA_TYPE.to_owned(),
        size: SIZE,
        has_thumbnail: false,
        state,
        reason: None,
    }
}

fn stands(state: AttachmentState, transferred: u64) -> Standing {
    Standing {
        attachment: film(state),
        outgoing: true,
        transferred,
        message_id: Some(sample::FILM_MESSAGE_ID.to_owned()),
    }
}

fn nothing_under_way() -> crate::errors::ErrorData {
    invalid("attachment_id", Reason::NotSupported)
}

impl Shown for BeginUpload {
    fn examples() -> Vec<Example> {
        let params = BeginUploadParams {
            size: SIZE,
            media_type: MEDIA_TYPE.to_owned(),
            filename: FILENAME.to_owned(),
        };
        let upload = Upload {
            attachment_id: sample::NEXT_ATTACHMENT_ID.to_owned(),
            ticket: ticket(),
        };
        let untyped = BeginUploadParams {
            media_type: "film".to_owned(),
            ..params.clone()
        };
        vec![
            Example::answered::<Self>("A film of 20 MiB", &params, &upload),
            Example::refused::<Self>(
                "A media type that is none",
                &untyped,
                &invalid("media_type", Reason::Malformed),
            ),
        ]
    }
}

impl Shown for BeginDownload {
    fn examples() -> Vec<Example> {
        let params = |attachment_id: &str, offset| BeginDownloadParams {
            attachment_id: attachment_id.to_owned(),
            offset,
            thumbnail: None,
        };
        let download = |size| Download {
            ticket: ticket(),
            size,
            media_type: MEDIA_TYPE.to_owned(),
            filename: FILENAME.to_owned(),
            safe_name: FILENAME.to_owned(),
        };
        let whole = params(sample::ATTACHMENT_ID, None);
        let rest = params(sample::ATTACHMENT_ID, Some(1 << 20));
        vec![
            Example::answered::<Self>("All of it", &whole, &download(SIZE)),
            Example::answered::<Self>(
                "What comes after the first MiB",
                &rest,
                &download(SIZE - (1 << 20)),
            ),
            Example::refused::<Self>(
                "There is no such attachment",
                &params(sample::UNKNOWN_ATTACHMENT_ID, None),
                &error(ErrorCode::NotFound),
            ),
        ]
    }
}

impl Shown for Get {
    fn examples() -> Vec<Example> {
        vec![Example::answered::<Self>(
            "One's own, which is at the relay",
            &one(sample::ATTACHMENT_ID),
            &stands(AttachmentState::Ready, SIZE),
        )]
    }
}

impl Shown for List {
    fn examples() -> Vec<Example> {
        let params = ListParams {
            conversation: Some(with_bob()),
            ..ListParams::default()
        };
        let page = Page {
            items: vec![Listed {
                attachment: film(AttachmentState::Ready),
                message_id: sample::FILM_MESSAGE_ID.to_owned(),
            }],
            next: None,
        };
        vec![Example::answered::<Self>(
            "Those of a conversation",
            &params,
            &page,
        )]
    }
}

impl Shown for Cancel {
    fn examples() -> Vec<Example> {
        let cancelled = Standing {
            attachment: Attachment {
                attachment_id: sample::CANCELLED_ID.to_owned(),
                reason: Some(AttachmentReason::Cancelled),
                ..film(AttachmentState::Cancelled)
            },
            outgoing: true,
            transferred: 0,
            message_id: Some(sample::CANCELLED_MESSAGE_ID.to_owned()),
        };
        vec![
            Example::refused::<Self>(
                "Nothing of it is under way",
                &one(sample::ATTACHMENT_ID),
                &nothing_under_way(),
            ),
            Example::answered::<Self>(
                "While the relay does not answer",
                &one(sample::CANCELLED_ID),
                &cancelled,
            ),
        ]
    }
}

impl Shown for DiscardLocal {
    fn examples() -> Vec<Example> {
        vec![Example::answered::<Self>(
            "The relay has it",
            &one(sample::ATTACHMENT_ID),
            &stands(AttachmentState::Available, 0),
        )]
    }
}
