//! `connectctl attachments cancel` and `discard`

use clap::Args;
use connect_api::attachments::{AttachmentParams, Cancel, DiscardLocal};

use super::show::tell;
use crate::context::Context;
use crate::error::Error;

#[derive(Debug, Args)]
pub(crate) struct Named {
    /// The attachment's id.
    #[arg(value_name = "ID")]
    attachment_id: String,
}

impl From<Named> for AttachmentParams {
    fn from(named: Named) -> Self {
        Self {
            attachment_id: named.attachment_id,
        }
    }
}

pub(crate) async fn cancel(args: Named, context: &Context) -> Result<(), Error> {
    tell(&context.call::<Cancel>(args.into()).await?, context)
}

pub(crate) async fn discard(args: Named, context: &Context) -> Result<(), Error> {
    tell(&context.call::<DiscardLocal>(args.into()).await?, context)
}
