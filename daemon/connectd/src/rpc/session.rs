//! `session.*`.

use std::sync::Arc;

use connect_api::errors::{ErrorCode, Reason};
use connect_api::recovery;
use connect_api::session::{
    Authenticate, Authenticated, ChangePin, Lock, Recover, SetRecoveryKey, StateAnswer, Uncover,
    Unlock,
};
use connect_ipc::socket::Peer;
use connect_service::error::Error;
use connect_service::session::Phase;
use connect_service::{apps, audit};
use connect_vault::recovery::RecoveryKey;
use jsonrpsee::core::RegisterMethodError;
use zeroize::Zeroizing;

use crate::caller::Principal;
use crate::rpc::Module;
use crate::rpc::context::Context;
use crate::rpc::failure::Failure;
use crate::rpc::shapes::state;

pub(super) fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    super::register::<Authenticate, _, _>(module, async |context, caller, params| {
        let token = Zeroizing::new(params.token.into_inner());
        let uid = caller.link.peer.uid;
        let door = apps::authenticate(&context.session, &params.app_id, &token, uid)
            .ok_or(ErrorCode::Unauthenticated)?;
        let principal = Principal::through(door);
        caller.link.becomes(&context, principal.clone());
        Ok(Authenticated {
            principal: principal.name().unwrap_or_default().to_owned(),
            scopes: principal.scopes().to_vec(),
        })
    })?;
    super::register::<Unlock, _, _>(module, async |context, _, params| {
        let pin = Zeroizing::new(params.pin.into_inner());
        let session = Arc::clone(&context.session);
        to_the_end(async move { session.unlock(pin).await }).await?;
        Ok(answer(&context))
    })?;
    super::register::<Uncover, _, _>(module, async |context, caller, _| {
        let session = Arc::clone(&context.session);
        session.may_uncover()?;
        if matches!(session.phase(), Phase::Covered { .. }) {
            // The host knows persons, not programs.
            if !matches!(caller.principal, Principal::Owner) {
                return Err(ErrorCode::Forbidden.into());
            }
            let peer = caller.link.peer;
            to_the_end(async move {
                prove_presence(peer).await?;
                session.uncover().await
            })
            .await?;
        }
        Ok(answer(&context))
    })?;
    super::register::<Lock, _, _>(module, async |context, _, _| {
        let session = Arc::clone(&context.session);
        to_the_end(async move { session.lock().await }).await?;
        Ok(answer(&context))
    })?;
    super::register::<Recover, _, _>(module, async |context, _, params| {
        let key = RecoveryKey::from_bytes(&*recovery_key(&params.recovery_key)?);
        let new_pin = Zeroizing::new(params.new_pin.into_inner());
        let session = Arc::clone(&context.session);
        to_the_end(async move { session.recover(key, new_pin).await }).await?;
        Ok(answer(&context))
    })?;
    super::register::<SetRecoveryKey, _, _>(module, async |context, _, params| {
        let key = RecoveryKey::from_bytes(&*recovery_key(&params.recovery_key)?);
        let pin = Zeroizing::new(params.pin.into_inner());
        let session = Arc::clone(&context.session);
        to_the_end(async move { session.set_recovery_key(pin, key).await }).await?;
        Ok(answer(&context))
    })?;
    super::register::<ChangePin, _, _>(module, async |context, _, params| {
        let pin = Zeroizing::new(params.pin.into_inner());
        let new_pin = Zeroizing::new(params.new_pin.into_inner());
        let session = Arc::clone(&context.session);
        to_the_end(async move { session.change_pin(pin, new_pin).await }).await?;
        Ok(answer(&context))
    })
}

#[cfg(target_os = "linux")]
async fn prove_presence(peer: Peer) -> Result<(), Error> {
    crate::presence::prove(peer).await
}

/// No configuration leads here: see `SessionSection`.
#[cfg(not(target_os = "linux"))]
async fn prove_presence(_: Peer) -> Result<(), Error> {
    Err(Error::invalid(
        "presence",
        connect_service::error::Reason::NotSupported,
    ))
}

pub(super) fn recovery_key(
    text: &recovery::RecoveryKey,
) -> Result<Zeroizing<[u8; RecoveryKey::LEN]>, Failure> {
    let malformed = || Failure::invalid("recovery_key", Reason::Malformed);
    text.bytes().ok_or_else(malformed)
}

/// A change of the session goes on when its caller leaves or runs out of time: half a change would be no state at all.
/// The daemon waits for it when it ends, since one change at a time holds the session.
pub(super) async fn to_the_end(
    change: impl Future<Output = Result<(), Error>> + Send + 'static,
) -> Result<(), Failure> {
    let changed = tokio::spawn(audit::carried(change)).await;
    Ok(changed.map_err(|_| Failure::internal("a change of the session ended early"))??)
}

pub(super) fn answer(context: &Context) -> StateAnswer {
    StateAnswer {
        state: state(&context.session.phase()),
    }
}
