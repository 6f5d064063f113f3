//! An attachment's bytes, in and out.

use std::io;
use std::sync::Arc;

use connect_api::attachments::Uploaded;
use connect_proto::ids::AttachmentId;
use connect_service::attachments::{read, upload};
use connect_service::unlocked::Unlocked;
use serde_json::{Value, json};

use super::flow::Flow;
use super::run::{begin, refuse};
use crate::rpc::context::Context;
use crate::rpc::failure::Failure;

/// Whoever reads fewer bytes than were announced knows that something failed.
pub(super) async fn send(
    context: &Context,
    unlocked: &Arc<Unlocked>,
    (app, id, offset): (&str, AttachmentId, u64),
    flow: &mut Flow,
) -> io::Result<()> {
    let begun = tokio::select! {
        begun = read::begin(unlocked, app, id, offset) => begun,
        // It may take days until all of it is here: nobody waits for it any more.
        () = flow.left() => return Ok(()),
    };
    let mut reading = match begun {
        Ok(reading) => reading,
        Err(error) => return refuse(context, flow, error.into()).await,
    };
    begin(flow, Some(reading.size), None).await?;
    while let Some(bytes) = reading.next().await.map_err(|_| io::ErrorKind::Other)? {
        flow.write(&bytes).await?;
    }
    Ok(())
}

/// None where the client left: then all of it is given up.
pub(super) async fn take(
    unlocked: &Arc<Unlocked>,
    reserved: upload::Reserved,
    flow: &mut Flow,
) -> io::Result<Option<Result<Value, Failure>>> {
    let mut left = reserved.size;
    let mut incoming = match upload::begin(unlocked, reserved).await {
        Ok(incoming) => incoming,
        Err(error) => return Ok(Some(Err(error.into()))),
    };
    begin(flow, None, None).await?;
    while left > 0 {
        let bytes = flow.read(left).await?;
        if bytes.is_empty() {
            return Ok(None);
        }
        left -= bytes.len() as u64;
        if let Err(error) = incoming.take(&bytes).await {
            return Ok(Some(Err(error.into())));
        }
    }
    let done = incoming.finish().await;
    Ok(Some(done.map_err(Failure::from).map(|sealed| {
        json!(Uploaded {
            attachment_id: sealed.id.to_string(),
            size: sealed.size,
            has_thumbnail: sealed.has_thumbnail,
        })
    })))
}
