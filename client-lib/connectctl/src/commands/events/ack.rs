//! `connectctl events ack`

use clap::Args;
use connect_api::events::{self, AckParams};

use crate::context::Context;
use crate::error::Error;

#[derive(Debug, Args)]
pub(crate) struct Ack {
    /// The last event that was dealt with.
    #[arg(value_name = "ID")]
    event_id: u64,
}

pub(crate) async fn run(args: Ack, context: &Context) -> Result<(), Error> {
    let event_id = args.event_id;
    let acked = context.call::<events::Ack>(AckParams { event_id }).await?;
    context.out.answer(&acked, || {
        format!("Acknowledged up to event {}.", acked.event_id)
    })
}
