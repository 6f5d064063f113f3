//! `system.*` and `rpc.*` at work.

use serde_json::json;
use serde_json::value::to_raw_value;

use super::{Example, Shown, invalid, sample};
use crate::errors::Reason;
use crate::page::Nothing;
use crate::rpc::{Discover, Document};
use crate::scope::Scope;
use crate::system::{
    EventsHealth, GetHealth, Health, Hello, HelloAnswer, HelloParams, HostHealth, InboxHealth,
    Integrity, KeyMemory, MemoryHealth, OutboxHealth, RelayHealth, SessionHealth, State,
    StorageHealth, TrustHealth,
};

impl Shown for Hello {
    fn examples() -> Vec<Example> {
        let params = HelloParams {
            client: Some("ward-ehr/2.4".to_owned()),
            api_version: Some(crate::API_VERSION),
        };
        let owner = HelloAnswer {
            daemon_version: sample::VERSION.to_owned(),
            api_version: crate::API_VERSION,
            state: State::Unlocked,
            principal: Some("owner".to_owned()),
            scopes: Scope::ALL.to_vec(),
        };
        let app = HelloAnswer {
            principal: Some(sample::APP_ID.to_owned()),
            scopes: super::apps::SCOPES.to_vec(),
            ..owner.clone()
        };
        let later = HelloParams {
            api_version: Some(99),
            ..params.clone()
        };
        vec![
            Example::answered::<Self>("The daemon's owner", &params, &owner),
            Example::answered::<Self>("A paired app that has authenticated", &params, &app),
            Example::refused::<Self>(
                "A contract that the daemon does not have yet",
                &later,
                &invalid("api_version", Reason::OutOfRange),
            ),
        ]
    }
}

impl Shown for GetHealth {
    fn examples() -> Vec<Example> {
        let health = Health {
            state: State::Unlocked,
            relay: RelayHealth {
                reachable: true,
                last_sync_ms: Some(sample::LATER_MS),
                clock_offset_ms: 0,
            },
            outbox: OutboxHealth { queued: 0, held: 0 },
            inbox: InboxHealth {
                missing: 0,
                quarantined: 0,
            },
            events: EventsHealth {
                last_event_id: sample::LAST_EVENT_ID,
            },
            host: HostHealth {
                core_dumps: false,
                swap: false,
                traceable: false,
                memory: MemoryHealth {
                    keys: KeyMemory::Secret,
                    locked: true,
                    wiped: true,
                },
            },
            storage: StorageHealth {
                integrity: Integrity::Unchecked,
                trouble: None,
            },
            session: SessionHealth {
                keys_in_memory: true,
                unattended: false,
                idle_lock_s: None,
                covers: false,
                presence_s: None,
            },
            trust: TrustHealth::default(),
        };
        vec![Example::answered::<Self>(
            "All is well",
            &Nothing {},
            &health,
        )]
    }
}

impl Shown for Discover {
    fn examples() -> Vec<Example> {
        let beginning = json!({"openrpc": "1.3.2", "info": {"title": "connectd"}});
        vec![Example::answered::<Self>(
            "The beginning of the document",
            &Nothing {},
            &Document(to_raw_value(&beginning).unwrap_or_default()),
        )]
    }
}
