//! `backup.*`: tickets, for streams that do the work.

use std::sync::Arc;

use connect_api::backup::{Begin, BeginRestore, BeginRestoreParams, BeginVerify};
use connect_api::bytes::Issued;
use connect_api::errors::{ErrorCode, Reason};
use connect_service::backup::create;
use connect_service::backup::restore::{self, Wanted};
use connect_vault::recovery::RecoveryKey;
use jsonrpsee::core::RegisterMethodError;
use zeroize::Zeroizing;

use crate::rpc::Module;
use crate::rpc::context::{Caller, Context};
use crate::rpc::failure::Failure;
use crate::rpc::session::recovery_key;
use crate::rpc::streams::errand::{Download, Errand, Take, Upload};

/// An integer that crosses the socket whole.
const LARGEST: u64 = 1 << 53;

pub(super) fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    super::register::<Begin, _, _>(module, async |context, caller, _| {
        let unlocked = context.session.unlocked()?;
        create::check(&unlocked)?;
        let errand = Errand::Download(Download::Backup(Arc::downgrade(&unlocked)));
        issue(&context, &caller, errand)
    })?;
    super::register::<BeginVerify, _, _>(module, async |context, caller, params| {
        let key = RecoveryKey::from_bytes(&*recovery_key(&params.recovery_key)?);
        let upload = upload(params.size, Take::Verify(key))?;
        issue(&context, &caller, upload)
    })?;
    super::register::<BeginRestore, _, _>(module, async |context, caller, params| {
        let size = params.size;
        let wanted = wanted(params)?;
        restore::check(&context.session, &wanted)?;
        let upload = upload(size, Take::Restore(Box::new(wanted)))?;
        issue(&context, &caller, upload)
    })
}

fn wanted(params: BeginRestoreParams) -> Result<Wanted, Failure> {
    let code = Zeroizing::new(params.enrollment_code.0);
    Ok(Wanted {
        code,
        pin: Zeroizing::new(params.pin.into_inner()),
        recovery_key: recovery_key(&params.recovery_key)?,
        relay_url: params.relay_url,
        relay_pins: params.relay_pins,
        relay_ca_pem: params.relay_ca_pem,
    })
}

fn upload(size: u64, what: Take) -> Result<Errand, Failure> {
    if !(1..=LARGEST).contains(&size) {
        return Err(Failure::invalid("size", Reason::OutOfRange));
    }
    Ok(Errand::Upload(Upload { size, what }))
}

/// A ticket for an errand of the caller's.
pub(super) fn issue(context: &Context, caller: &Caller, errand: Errand) -> Result<Issued, Failure> {
    let session = &context.session;
    let bounds = (session.now_ms(), context.limits.tickets_per_app);
    let who = (&caller.principal, caller.link.peer.uid);
    let issued = context.tickets.issue(who, errand, bounds, session.chance());
    let ticket = issued.map_err(|wait_ms| Failure::retry_after(ErrorCode::RateLimited, wait_ms))?;
    Ok(Issued { ticket })
}
