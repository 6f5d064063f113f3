//! What every method can reach: the session, the limits, and who calls.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use connect_api::errors::ErrorCode;
use connect_api::rpc::Document;
use connect_ipc::socket::{Peer, own_uid};
use connect_proto::keys::SignPublicKey;
use connect_service::session::Session;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use parking_lot::Mutex;
use serde_json::value::to_raw_value;
use tokio::sync::{OnceCell, Semaphore};
use tokio::task::spawn_blocking;

use crate::caller::Principal;
use crate::host::Exposure;
use crate::limits::Limits;
use crate::rpc::failure::Failure;
use crate::rpc::streams::tickets::Tickets;
use crate::rpc::subscriptions::Subscriptions;

/// A connection, and who it has shown itself to be by now.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) peer: Peer,
    pub(crate) subscriptions: Subscriptions,
    standing: Mutex<Standing>,
}

#[derive(Debug, Clone)]
struct Standing {
    principal: Principal,
    /// Calls in flight of the same app.
    places: Arc<Semaphore>,
}

impl Link {
    pub(crate) fn new(context: &Context, peer: Peer) -> Self {
        let principal = Principal::of(&peer, own_uid(), &context.owner_uids);
        Self {
            subscriptions: Subscriptions::new(context.limits.subscriptions_per_connection),
            standing: Mutex::new(Standing {
                places: context.app_places(&principal, &peer),
                principal,
            }),
            peer,
        }
    }

    pub(crate) fn principal(&self) -> Principal {
        self.standing.lock().principal.clone()
    }

    pub(crate) fn app_places(&self) -> Arc<Semaphore> {
        Arc::clone(&self.standing.lock().places)
    }

    /// From now on the connection is that one's. What the one before it follows, this one may not be told.
    pub(crate) fn becomes(&self, context: &Context, principal: Principal) {
        self.subscriptions.close_all();
        *self.standing.lock() = Standing {
            places: context.app_places(&principal, &self.peer),
            principal,
        };
    }
}

/// Who makes a call: as it was when the call came.
#[derive(Debug)]
pub struct Caller {
    pub principal: Principal,
    pub(crate) link: Arc<Link>,
}

impl Caller {
    /// Whose `client_ref`s these are.
    pub(crate) fn app(&self) -> &str {
        self.principal.name().unwrap_or_default()
    }
}

/// Whose calls and sends are counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum AppKey {
    Paired(String),
    Process { uid: u32, pid: Option<u32> },
}

fn app_key(principal: &Principal, peer: &Peer) -> AppKey {
    match principal {
        Principal::App(_) => AppKey::Paired(principal.name().unwrap_or_default().to_owned()),
        Principal::Owner | Principal::Stranger => AppKey::Process {
            uid: peer.uid,
            pid: peer.pid,
        },
    }
}

pub struct Context {
    pub session: Arc<Session>,
    pub limits: Limits,
    pub(crate) owner_uids: Vec<u32>,
    /// Whose word verifies contacts.
    pub(crate) organisation_keys: Vec<SignPublicKey>,
    /// Made when it is first asked for: that takes longer than all else of a start.
    document: OnceCell<Document>,
    /// As found when the daemon started.
    pub(crate) exposure: Exposure,
    /// Calls in flight in all.
    pub(crate) places: Arc<Semaphore>,
    pub(crate) tickets: Tickets,
    app_places: Mutex<HashMap<AppKey, Arc<Semaphore>>>,
    sends: DefaultKeyedRateLimiter<AppKey>,
    /// Starts at a random place: two runs of the daemon do not use the same refs.
    next_ref: AtomicU64,
}

impl Context {
    pub fn new(
        session: Arc<Session>,
        limits: Limits,
        owner_uids: Vec<u32>,
        first_ref: u64,
    ) -> Self {
        let per_second = NonZeroU32::new(limits.sends_per_second).unwrap_or(NonZeroU32::MIN);
        let burst = NonZeroU32::new(limits.send_burst).unwrap_or(NonZeroU32::MIN);
        Self {
            session,
            owner_uids,
            organisation_keys: Vec::new(),
            document: OnceCell::new(),
            exposure: Exposure::look(),
            places: Arc::new(Semaphore::new(limits.calls)),
            tickets: Tickets::default(),
            app_places: Mutex::default(),
            sends: RateLimiter::keyed(Quota::per_second(per_second).allow_burst(burst)),
            next_ref: AtomicU64::new(first_ref),
            limits,
        }
    }

    #[must_use]
    pub fn with_organisation_keys(mut self, keys: Vec<SignPublicKey>) -> Self {
        self.organisation_keys = keys;
        self
    }

    /// The contract as an OpenRPC document.
    pub(crate) async fn document(&self) -> Result<&Document, Failure> {
        let make = || async {
            let made = spawn_blocking(|| {
                to_raw_value(&connect_api::openrpc::document(env!("CARGO_PKG_VERSION")))
            });
            let made = made
                .await
                .map_err(|_| Failure::internal("the document ended early"))?;
            let made = made.map_err(|_| Failure::internal("the document is no JSON"))?;
            Ok(Document(made))
        };
        self.document.get_or_try_init(make).await
    }

    #[cfg(test)]
    pub(crate) fn has_document(&self) -> bool {
        self.document.initialized()
    }

    fn app_places(&self, principal: &Principal, peer: &Peer) -> Arc<Semaphore> {
        let key = app_key(principal, peer);
        let mut places = self.app_places.lock();
        let of_app = places
            .entry(key)
            .or_insert_with(|| Arc::new(Semaphore::new(self.limits.calls_per_app)));
        Arc::clone(of_app)
    }

    /// Called when a connection has ended.
    pub(crate) fn forget_unused_places(&self) {
        let mut places = self.app_places.lock();
        places.retain(|_, of_app| Arc::strong_count(of_app) > 1);
        self.sends.retain_recent();
    }

    /// Counts a send of the caller's, or says how long it has to wait.
    pub(crate) fn allow_send(&self, caller: &Caller) -> Result<(), Failure> {
        let key = app_key(&caller.principal, &caller.link.peer);
        self.sends.check_key(&key).map_err(|wait| {
            let wait = wait.wait_time_from(DefaultClock::default().now());
            let retry_after_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1);
            Failure::retry_after(ErrorCode::RateLimited, retry_after_ms)
        })
    }

    /// Stands in an error and in the log.
    pub(crate) fn next_ref(&self) -> String {
        format!(
            "{:012x}",
            self.next_ref.fetch_add(1, Ordering::Relaxed) & 0xffff_ffff_ffff
        )
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Context(..)")
    }
}
