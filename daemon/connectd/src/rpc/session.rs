//! `session.*`.

use connect_api::session::{Lock, StateAnswer, Unlock};
use jsonrpsee::core::RegisterMethodError;
use zeroize::Zeroizing;

use crate::rpc::Module;
use crate::rpc::context::Context;
use crate::rpc::shapes::state;

pub(super) fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    super::register::<Unlock, _, _>(module, async |context, _, params| {
        let pin = Zeroizing::new(params.pin.into_inner());
        context.session.unlock(pin).await?;
        Ok(answer(&context))
    })?;
    super::register::<Lock, _, _>(module, async |context, _, _| {
        context.session.lock().await?;
        Ok(answer(&context))
    })
}

fn answer(context: &Context) -> StateAnswer {
    StateAnswer {
        state: state(&context.session.phase()),
    }
}
