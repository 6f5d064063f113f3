//! `account.*`.

use std::sync::Arc;

use connect_api::account::{
    Account, Delete, Enroll, EnrollParams, Enrolled, Get, RotateKeys, UpdateProfile,
};
use connect_core::fingerprint::Fingerprint;
use connect_proto::enrollment::EnrollmentCode;
use connect_proto::ids::UserId;
use connect_service::enroll::{self, Request};
use connect_service::unlocked::Unlocked;
use connect_service::{profile, rotate};
use connect_store::account::Account as StoredAccount;
use jsonrpsee::core::RegisterMethodError;
use zeroize::Zeroizing;

use crate::rpc::Module;
use crate::rpc::decode::optional_id;
use crate::rpc::failure::Failure;
use crate::rpc::session::{answer, recovery_key, to_the_end};

pub(super) fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    super::register::<Enroll, _, _>(module, async |context, _, params| {
        let request = request(params)?;
        let session = Arc::clone(&context.session);
        to_the_end(async move { enroll::enroll(&session, request).await }).await?;
        let me = context.session.unlocked()?.me();
        Ok(Enrolled {
            user_id: me.user_id().to_string(),
            fingerprint: fingerprint(&me.account).to_string(),
        })
    })?;
    super::register::<Get, _, _>(module, async |context, _, _| {
        Ok(shape(&*context.session.unlocked()?))
    })?;
    super::register::<UpdateProfile, _, _>(module, async |context, _, params| {
        let unlocked = context.session.unlocked()?;
        let change = profile::Change {
            display_name: params.display_name,
            profession: params.profession,
            organisation: params.organisation,
        };
        let here = Arc::clone(&unlocked);
        to_the_end(async move { profile::update(&here, change).await }).await?;
        Ok(shape(&unlocked))
    })?;
    super::register::<RotateKeys, _, _>(module, async |context, _, _| {
        let unlocked = context.session.unlocked()?;
        let here = Arc::clone(&unlocked);
        to_the_end(async move { rotate::rotate(&here).await }).await?;
        Ok(shape(&unlocked))
    })?;
    super::register::<Delete, _, _>(module, async |context, _, params| {
        let pin = Zeroizing::new(params.pin.into_inner());
        let session = Arc::clone(&context.session);
        let erase = params.erase;
        to_the_end(async move { session.delete_account(pin, erase).await }).await?;
        Ok(answer(&context))
    })
}

fn request(params: EnrollParams) -> Result<Request, Failure> {
    let code = Zeroizing::new(params.enrollment_code.0);
    Ok(Request {
        user_id: user_id(params.user_id.as_deref(), &code)?,
        code,
        relay_url: params.relay_url,
        relay_pins: params.relay_pins,
        relay_ca_pem: params.relay_ca_pem,
        display_name: params.display_name,
        profession: params.profession,
        organisation: params.organisation,
        pin: Zeroizing::new(params.pin.into_inner()),
        recovery_key: params.recovery_key.as_ref().map(recovery_key).transpose()?,
        replace_existing_installation: params.replace_existing_installation,
    })
}

/// A code names its user; one of another relay's making may not.
fn user_id(named: Option<&str>, code: &str) -> Result<UserId, Failure> {
    match optional_id("user_id", named)? {
        Some(user_id) => Ok(user_id),
        None => crate::rpc::decode::id::<EnrollmentCode>("enrollment_code", code)
            .map(|code| code.user_id().clone()),
    }
}

fn fingerprint(account: &StoredAccount) -> Fingerprint {
    Fingerprint::of(&account.box_key, &account.sign_key, &account.user_id)
}

fn shape(unlocked: &Unlocked) -> Account {
    let me = unlocked.me();
    let account = &me.account;
    Account {
        user_id: account.user_id.to_string(),
        display_name: account.display_name.clone(),
        profession: account.profession.clone(),
        organisation: account.organisation.clone(),
        attested: account.attested,
        installation_id: account.installation_id.to_string(),
        box_key_id: account.box_key.key_id().to_string(),
        sign_key_id: account.sign_key.key_id().to_string(),
        fingerprint: fingerprint(account).to_string(),
        relay_url: account.relay_url.clone(),
        enrolled_ms: account.enrolled_ms,
        has_recovery_key: unlocked.has_recovery_key(),
    }
}
