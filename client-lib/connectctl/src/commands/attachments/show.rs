//! `connectctl attachments show`

use clap::Args;
use connect_api::attachments::{AttachmentParams, Get, Standing};

use super::{bytes, standing};
use crate::context::Context;
use crate::error::Error;
use crate::{escape, table};

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The attachment's id.
    #[arg(value_name = "ID")]
    attachment_id: String,
}

pub(crate) async fn run(args: Show, context: &Context) -> Result<(), Error> {
    let params = AttachmentParams {
        attachment_id: args.attachment_id,
    };
    tell(&context.call::<Get>(params).await?, context)
}

pub(super) fn tell(found: &Standing, context: &Context) -> Result<(), Error> {
    context.out.answer(found, || {
        let attachment = &found.attachment;
        let mut pairs = vec![
            ("attachment", escape::line(&attachment.attachment_id)),
            ("name", escape::line(&attachment.safe_name)),
            ("size", bytes(attachment.size)),
            ("type", escape::line(&attachment.media_type)),
            ("state", standing(attachment.state, attachment.reason)),
            ("moved", bytes(found.transferred)),
        ];
        if attachment.filename != attachment.safe_name {
            pairs.push(("sent as", escape::line(&attachment.filename)));
        }
        pairs.extend(
            found
                .message_id
                .as_ref()
                .map(|id| ("message", escape::line(id))),
        );
        table::pairs(&context.out, &pairs)
    })
}
