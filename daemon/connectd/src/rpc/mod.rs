//! The methods of the socket: each decodes, calls a use-case and encodes. One file per namespace.

use std::sync::Arc;

use connect_api::method::{Method, Needs};
use connect_service::session::Phase;
use jsonrpsee::core::RegisterMethodError;
use jsonrpsee::core::server::{Methods, RpcModule};

use self::attend::{Call, attend};
use self::context::{Caller, Context};
use self::failure::Failure;

pub mod context;
pub mod failure;

mod account;
mod apps;
mod attachments;
pub(crate) mod attend;
pub(crate) mod audit;
mod backup;
mod cases;
mod contacts;
mod conversations;
mod decode;
mod events;
mod groups;
mod messages;
mod notifications;
mod pages;
mod policy;
mod quarantine;
mod search;
mod session;
mod shapes;
pub(crate) mod streams;
pub(crate) mod subscriptions;
mod system;
mod trust;

/// Every method of the contract that this daemon answers.
pub fn methods(context: Arc<Context>) -> Result<Methods, RegisterMethodError> {
    let mut module = RpcModule::from_arc(context);
    system::register(&mut module)?;
    session::register(&mut module)?;
    account::register(&mut module)?;
    contacts::register(&mut module)?;
    trust::register(&mut module)?;
    quarantine::register(&mut module)?;
    conversations::register(&mut module)?;
    groups::register(&mut module)?;
    messages::register(&mut module)?;
    cases::register(&mut module)?;
    search::register(&mut module)?;
    attachments::register(&mut module)?;
    policy::register(&mut module)?;
    events::register(&mut module)?;
    apps::register(&mut module)?;
    audit::register(&mut module)?;
    backup::register(&mut module)?;
    Ok(module.into())
}

type Module = RpcModule<Context>;

/// Puts a method behind who may call it, what it needs and the shape of its parameters.
fn register<M, F, Fut>(module: &mut Module, handle: F) -> Result<(), RegisterMethodError>
where
    M: Method,
    F: Fn(Arc<Context>, Arc<Caller>, M::Params) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<M::Answer, Failure>> + Send,
{
    module.register_async_method(M::NAME, move |params, context, extensions| {
        let handle = handle.clone();
        async move {
            let caller = extensions.get::<Arc<Caller>>().cloned();
            let call = Call::of::<M>(caller.as_ref(), params.as_str());
            let work = async {
                let caller = caller.clone().ok_or(Failure::internal("no caller"))?;
                caller.principal.may(M::ACCESS)?;
                check_state(&context, M::NEEDS, M::NAME).await?;
                let params = decode::decode::<M::Params>(params.as_str())?;
                handle(Arc::clone(&context), caller, params).await
            };
            attend(&context, call, work).await
        }
    })?;
    Ok(())
}

/// The state is told before the parameters are looked at: an app that waits for an unlock learns it first.
async fn check_state(context: &Context, needs: Needs, method: &'static str) -> Result<(), Failure> {
    lock_if_idle(context).await?;
    match needs {
        Needs::Nothing => Ok(()),
        Needs::Enrolled => match context.session.phase() {
            Phase::Unenrolled => Err(connect_service::error::Error::NotEnrolled.into()),
            _ => Ok(()),
        },
        Needs::Unlocked => {
            context.session.unlocked()?;
            if is_interactive(method) {
                context.session.note_use();
            }
            Ok(())
        }
    }
}

/// No call finds a session open that should have been locked by now, however late the timer is.
async fn lock_if_idle(context: &Context) -> Result<(), Failure> {
    if !context.session.is_idle() {
        return Ok(());
    }
    let session = Arc::clone(&context.session);
    // Not `to_the_end`: it is no deed of whoever calls now, and the audit log must not have the call as done with it.
    let locked = tokio::spawn(async move { session.lock_if_idle().await }).await;
    Ok(locked.map_err(|_| Failure::internal("the idle lock ended early"))??)
}

/// Following the events is what programs do all day, and backing up every night, whether or not anyone sits before them (D23).
fn is_interactive(method: &str) -> bool {
    !method.starts_with("events.") && !method.starts_with("backup.")
}
