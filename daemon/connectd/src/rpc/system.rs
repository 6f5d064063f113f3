//! `system.*` and `rpc.*`.

use connect_api::errors::Reason;
use connect_api::rpc::Discover;
use connect_api::system::{
    EventsHealth, GetHealth, Health, Hello, HelloAnswer, HostHealth, InboxHealth, OutboxHealth,
    RelayHealth, SessionHealth, StorageHealth, TrustHealth,
};
use connect_service::health::health;
use jsonrpsee::core::RegisterMethodError;

use crate::rpc::Module;
use crate::rpc::context::{Caller, Context};
use crate::rpc::failure::Failure;
use crate::rpc::shapes::{integrity, memory, state, trouble};

pub(super) fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    super::register::<Hello, _, _>(module, async |context, caller, params| {
        let newest = connect_api::API_VERSION;
        if params
            .api_version
            .is_some_and(|version| version == 0 || version > newest)
        {
            return Err(Failure::invalid("api_version", Reason::OutOfRange));
        }
        Ok(hello(&context, &caller))
    })?;
    super::register::<GetHealth, _, _>(module, async |context, _, _| Ok(tell_health(&context)))?;
    super::register::<Discover, _, _>(module, async |context, _, _| {
        Ok(context.document().await?.clone())
    })
}

fn hello(context: &Context, caller: &Caller) -> HelloAnswer {
    HelloAnswer {
        daemon_version: env!("CARGO_PKG_VERSION").to_owned(),
        api_version: connect_api::API_VERSION,
        state: state(&context.session.phase()),
        principal: caller.principal.name().map(str::to_owned),
        scopes: caller.principal.scopes().to_vec(),
    }
}

fn tell_health(context: &Context) -> Health {
    let health = health(&context.session);
    let exposure = context.exposure;
    let locking = context.session.locking();
    Health {
        state: state(&context.session.phase()),
        relay: RelayHealth {
            reachable: health.reachable,
            last_sync_ms: health.last_sync_ms,
            clock_offset_ms: health.clock_offset_ms,
        },
        outbox: OutboxHealth {
            queued: health.queued,
            held: health.held,
        },
        inbox: InboxHealth {
            missing: health.missing,
            quarantined: health.quarantined,
        },
        events: EventsHealth {
            last_event_id: health.last_event_id,
        },
        host: HostHealth {
            core_dumps: exposure.core_dumps,
            swap: exposure.swap,
            traceable: exposure.traceable,
            memory: memory(exposure.memory),
        },
        storage: StorageHealth {
            integrity: integrity(health.storage.integrity),
            trouble: health.storage.trouble.map(trouble),
        },
        session: SessionHealth {
            keys_in_memory: health.keys_in_memory,
            unattended: locking.unattended,
            idle_lock_s: locking.idle_lock_ms.map(|ms| ms / 1000),
            covers: locking.covers,
            presence_s: locking.presence_ms.map(|ms| ms / 1000),
        },
        trust: TrustHealth {
            undecided: health.undecided,
            contradicted: health.contradicted,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use connect_ipc::socket::{Peer, own_uid};
    use connect_service::chance::Chance;
    use connect_service::clock::Clock;
    use connect_service::session::{Config, Locking, Session};
    use connect_vault::keystore::Keystore;
    use connect_vault::vault::KdfCost;
    use jsonrpsee::core::server::RpcModule;
    use serde_json::{Map, Value};

    use super::*;
    use crate::limits::Limits;
    use crate::rpc::context::Link;

    #[tokio::test]
    async fn the_document_is_made_for_whoever_asks_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let config = Config {
            state_dir: dir.path().to_owned(),
            keystore: Keystore::Passphrase,
            kdf_cost: KdfCost::production(),
            locking: Locking::default(),
        };
        let session = Arc::new(Session::new(config, Clock::system(), Chance::system()));
        let context = Context::new(session, Limits::default(), Vec::new(), 0);
        let context = Arc::new(context);
        let mut module = RpcModule::from_arc(Arc::clone(&context));
        register(&mut module).unwrap();
        let peer = Peer {
            uid: own_uid(),
            pid: None,
        };
        let link = Arc::new(Link::new(&context, peer));
        let principal = link.principal();
        module
            .extensions_mut()
            .insert(Arc::new(Caller { principal, link }));
        for method in ["system.hello", "system.health"] {
            let _: Value = module.call(method, Map::new()).await.unwrap();
            assert!(!context.has_document(), "{method}");
        }
        let first: Value = module.call("rpc.discover", Map::new()).await.unwrap();
        assert!(context.has_document());
        let again: Value = module.call("rpc.discover", Map::new()).await.unwrap();
        assert_eq!(again, first);
    }
}
