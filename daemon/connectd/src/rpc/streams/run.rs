//! Does what a ticket is for.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use connect_api::backup::Contents;
use connect_api::bytes::{Begun, Moment};
use connect_service::attachments::upload::Reserved;
use connect_service::audit;
use connect_service::backup::format::Manifest;
use connect_service::backup::receive::{self, Incoming};
use connect_service::backup::restore::{self, Wanted};
use connect_service::backup::{create, verify};
use connect_service::error::Error;
use connect_service::export::{self, outgoing};
use connect_service::session::Phase;
use connect_service::unlocked::Unlocked;
use connect_store::audit::Verdict;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::attachment;
use super::errand::{Download, Errand, Take, Upload};
use super::flow::Flow;
use crate::rpc::audit::verdict;
use crate::rpc::context::Context;
use crate::rpc::failure::Failure;

/// For whoever fetches an export.
const LONGEST_EXPORT: Duration = Duration::from_mins(10);

/// An error is the connection's; what failed here was told on it.
pub(super) async fn run(errand: Errand, context: &Arc<Context>, flow: &mut Flow) -> io::Result<()> {
    match errand {
        Errand::Download(Download::Export(unlocked, wanted)) => {
            let Some(unlocked) = unlocked.upgrade() else {
                return refuse(context, flow, Error::Locked.into()).await;
            };
            tokio::select! {
                () = locked(context, &unlocked) => Ok(()),
                sent = send_export(context, &unlocked, &wanted, flow) => sent,
            }
        }
        Errand::Download(Download::Backup(unlocked)) => {
            let Some(unlocked) = unlocked.upgrade() else {
                return refuse(context, flow, Error::Locked.into()).await;
            };
            tokio::select! {
                () = locked(context, &unlocked) => Ok(()),
                sent = send_backup(context, &unlocked, flow) => sent,
            }
        }
        Errand::Download(Download::Attachment {
            unlocked,
            app,
            id,
            offset,
        }) => {
            let Some(unlocked) = unlocked.upgrade() else {
                return refuse(context, flow, Error::Locked.into()).await;
            };
            tokio::select! {
                () = locked(context, &unlocked) => Ok(()),
                sent = attachment::send(context, &unlocked, (&app, id, offset), flow) => sent,
            }
        }
        Errand::Download(Download::Thumbnail(bytes)) => {
            begin(flow, Some(bytes.len() as u64), None).await?;
            flow.write(&bytes).await
        }
        Errand::Attachment(reserved) => {
            let taken = take_attachment(context, reserved, flow).await?;
            tell(context, flow, taken).await
        }
        Errand::Upload(upload) => {
            let taken = take(context, upload, flow).await?;
            tell(context, flow, taken).await
        }
    }
}

/// The one line with the result, for a client that is still there.
async fn tell(
    context: &Context,
    flow: &mut Flow,
    taken: Option<Result<Value, Failure>>,
) -> io::Result<()> {
    match taken {
        Some(Ok(result)) => {
            let line = json!({"jsonrpc": "2.0", "id": null, "result": result});
            flow.line(&line.to_string()).await
        }
        Some(Err(failure)) => refuse(context, flow, failure).await,
        None => Ok(()),
    }
}

async fn take_attachment(
    context: &Context,
    reserved: Reserved,
    flow: &mut Flow,
) -> io::Result<Option<Result<Value, Failure>>> {
    let Some(unlocked) = reserved.session() else {
        return Ok(Some(Err(Error::Locked.into())));
    };
    tokio::select! {
        () = locked(context, &unlocked) => Ok(Some(Err(Error::Locked.into()))),
        taken = attachment::take(&unlocked, reserved, flow) => taken,
    }
}

/// Returns once callers are shut out of the session.
async fn locked(context: &Context, unlocked: &Unlocked) {
    let mut phase = context.session.follow();
    tokio::select! {
        () = unlocked.ended() => {}
        _ = phase.wait_for(|phase| !matches!(phase, Phase::Unlocked(_))) => {}
    }
}

pub(super) async fn refuse(context: &Context, flow: &mut Flow, failure: Failure) -> io::Result<()> {
    let error = failure.into_error(context, "a byte stream");
    let line = json!({"jsonrpc": "2.0", "id": null, "error": error});
    flow.line(&line.to_string()).await
}

pub(super) async fn begin(
    flow: &mut Flow,
    size: Option<u64>,
    taken_at: Option<Moment>,
) -> io::Result<()> {
    let begun = Begun {
        ok: true,
        size,
        taken_at,
    };
    flow.line(&json!(begun).to_string()).await
}

async fn send_backup(
    context: &Context,
    unlocked: &Arc<Unlocked>,
    flow: &mut Flow,
) -> io::Result<()> {
    let mut outgoing = match create::begin(&context.session, unlocked).await {
        Ok(outgoing) => outgoing,
        Err(error) => return refuse(context, flow, error.into()).await,
    };
    let taken_at = moment(outgoing.taken_at.event_id, outgoing.taken_at.at_ms);
    begin(flow, Some(outgoing.size), Some(taken_at)).await?;
    // Whoever reads fewer bytes than were announced knows that something failed.
    while let Some(bytes) = outgoing.next().await.map_err(|_| io::ErrorKind::Other)? {
        flow.write(&bytes).await?;
    }
    tracing::info!(size = outgoing.size, "a backup was made");
    Ok(())
}

/// As long as it takes the database's log is not emptied: whoever reads too slowly is left.
async fn send_export(
    context: &Context,
    unlocked: &Arc<Unlocked>,
    wanted: &export::ask::Wanted,
    flow: &mut Flow,
) -> io::Result<()> {
    let mut outgoing = match outgoing::begin(&context.session, unlocked, wanted).await {
        Ok(outgoing) => outgoing,
        Err(error) => return refuse(context, flow, error.into()).await,
    };
    let taken_at = moment(outgoing.last_event_id, outgoing.exported_ms);
    let sending = async {
        begin(flow, Some(outgoing.size), Some(taken_at)).await?;
        while let Some(bytes) = outgoing.next().await.map_err(|_| io::ErrorKind::Other)? {
            flow.write(&bytes).await?;
        }
        Ok::<_, io::Error>(())
    };
    timeout(LONGEST_EXPORT, sending).await??;
    tracing::info!(size = outgoing.size, "a conversation was exported");
    Ok(())
}

const fn moment(event_id: u64, at_ms: u64) -> Moment {
    Moment { event_id, at_ms }
}

/// None where the client left.
async fn take(
    context: &Arc<Context>,
    upload: Upload,
    flow: &mut Flow,
) -> io::Result<Option<Result<Value, Failure>>> {
    let key = match &upload.what {
        Take::Verify(key) => key.again(),
        Take::Restore(wanted) => wanted.recovery_key(),
    };
    let mut incoming = match receive::begin(&context.session, key, upload.size).await {
        Ok(incoming) => incoming,
        Err(error) => return Ok(Some(Err(error.into()))),
    };
    begin(flow, None, None).await?;
    let mut left = upload.size;
    while left > 0 {
        let bytes = flow.read(left).await?;
        if bytes.is_empty() {
            return Ok(None);
        }
        left -= bytes.len() as u64;
        if let Err(error) = incoming.take(bytes).await {
            return Ok(Some(Err(error.into())));
        }
    }
    let done = match upload.what {
        Take::Verify(_) => look(incoming).await,
        Take::Restore(wanted) => settle(context, incoming, wanted).await,
    };
    Ok(Some(done.map(|contents| json!(contents))))
}

async fn look(incoming: Incoming) -> Result<Contents, Failure> {
    let verified = verify::verify(incoming).await?;
    Ok(contents(
        verified.user_id,
        &verified.manifest,
        verified.audit,
    ))
}

/// A client that leaves now does not stop it half-way: half an account would be none.
async fn settle(
    context: &Arc<Context>,
    incoming: Incoming,
    wanted: Box<Wanted>,
) -> Result<Contents, Failure> {
    let session = Arc::clone(&context.session);
    let restoring = async move { restore::restore(&session, incoming, &wanted).await };
    let restored = tokio::spawn(audit::carried(restoring)).await;
    let restored = restored.map_err(|_| Failure::internal("a restore ended early"))??;
    let user_id = context.session.unlocked()?.user_id().to_string();
    tracing::info!("a backup was restored");
    Ok(contents(user_id, &restored.manifest, restored.audit))
}

fn contents(user_id: String, manifest: &Manifest, audit: Verdict) -> Contents {
    let found = &manifest.contents;
    Contents {
        user_id,
        taken_at: moment(found.last_event_id, manifest.taken_ms),
        messages: found.messages,
        contacts: found.contacts,
        conversations: found.conversations,
        events: found.events,
        queued: found.queued,
        audit: verdict(audit),
    }
}
