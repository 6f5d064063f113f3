//! Locks when the host is about to sleep and when the user's login session is locked, where logind says so (§10.2, D23).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use connect_ipc::socket::own_uid;
use connect_service::error::Error;
use connect_service::session::{Phase, Session};
use futures_util::StreamExt as _;
use futures_util::stream::{SelectAll, select_all};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use zbus::fdo::DBusProxy;
use zbus::message::Type;
use zbus::names::{BusName, UniqueName};
use zbus::zvariant::{ObjectPath, OwnedFd, OwnedObjectPath, OwnedValue};
use zbus::{Connection, MatchRule, Message, MessageStream, connection};

use crate::config::LockOn;

const LOGIND: &str = "org.freedesktop.login1";
const LOGIND_PATH: &str = "/org/freedesktop/login1";
const SESSIONS: &str = "/org/freedesktop/login1/session";
const MANAGER: &str = "org.freedesktop.login1.Manager";
const SESSION: &str = "org.freedesktop.login1.Session";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// How long the bus and logind may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two attempts, at first and at most.
const REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_mins(5);

/// Follows logind until the process ends, over any number of its own and of the bus's restarts.
pub(crate) async fn run(session: Arc<Session>, lock_on: Vec<LockOn>, ending: CancellationToken) {
    if lock_on.is_empty() {
        return;
    }
    let (mut rest, mut is_told) = (REST, false);
    loop {
        let attached = tokio::select! {
            () = ending.cancelled() => return,
            attached = timeout(PATIENCE, Watch::attach(&lock_on)) => attached,
        };
        match attached.unwrap_or_else(|_| Err(zbus::Error::Failure("no answer".to_owned()))) {
            Ok(mut watch) => {
                rest = REST;
                if watch.logind.is_some() {
                    is_told = false;
                } else if !std::mem::replace(&mut is_told, true) {
                    tracing::debug!("no logind: suspend and session lock are not heard of");
                }
                watch.follow(&session, &ending).await;
            }
            Err(error) => {
                if !std::mem::replace(&mut is_told, true) {
                    tracing::debug!(%error, "no logind: suspend and session lock are not heard of");
                }
            }
        }
        tokio::select! {
            () = ending.cancelled() => return,
            () = sleep(rest) => {}
        }
        rest = (rest * 2).min(LONGEST_REST);
    }
}

/// One connection to the system bus, and one life of logind on it.
struct Watch<'a> {
    lock_on: &'a [LockOn],
    connection: Connection,
    signals: SelectAll<MessageStream>,
    /// Its name on the bus; none until it is there. What others send in its name is not heeded.
    logind: Option<String>,
    /// Holds sleep up while it is open.
    inhibitor: Option<OwnedFd>,
}

impl<'a> Watch<'a> {
    async fn attach(lock_on: &'a [LockOn]) -> zbus::Result<Self> {
        let connection = connection::Builder::system()?
            .method_timeout(PATIENCE)
            .build()
            .await?;
        // First the signals, then the state: nothing falls between the two.
        let mut signals = Vec::new();
        for rule in rules(lock_on)? {
            signals.push(MessageStream::for_match_rule(rule, &connection, None).await?);
        }
        let bus = DBusProxy::new(&connection).await?;
        let owner = bus.get_name_owner(BusName::try_from(LOGIND)?).await;
        Ok(Self {
            lock_on,
            signals: select_all(signals),
            logind: owner.ok().map(|name| name.to_string()),
            connection,
            inhibitor: None,
        })
    }

    /// Until logind or the bus leaves, or logind comes.
    async fn follow(&mut self, session: &Session, ending: &CancellationToken) {
        if self.logind.is_some() {
            self.catch_up(session).await;
        }
        loop {
            // A lock that has begun is not given up.
            let message = tokio::select! {
                () = ending.cancelled() => return,
                message = self.signals.next() => message,
            };
            let Some(Ok(message)) = message else { return };
            if member(&message) == "NameOwnerChanged" {
                return;
            }
            if let Err(error) = self.heed(session, &message).await {
                tracing::debug!(%error, "a signal of logind was not understood");
            }
        }
    }

    /// What may have been said before anybody listened.
    async fn catch_up(&mut self, session: &Session) {
        if self.does(LockOn::Suspend) {
            self.inhibit().await;
            if self.flag(LOGIND_PATH, MANAGER, "PreparingForSleep").await {
                self.sleeps(session).await;
            }
        }
        if self.does(LockOn::SessionLock) {
            for path in self.own_sessions().await.unwrap_or_default() {
                if self.flag(path.as_str(), SESSION, "LockedHint").await {
                    leave(session).await;
                }
            }
        }
    }

    async fn heed(&mut self, session: &Session, message: &Message) -> zbus::Result<()> {
        let header = message.header();
        let sender = header.sender().map(UniqueName::as_str);
        if sender.is_none() || sender != self.logind.as_deref() {
            return Ok(());
        }
        let path = header.path().map(ObjectPath::as_str).unwrap_or_default();
        match member(message).as_str() {
            "PrepareForSleep" => {
                if message.body().deserialize::<bool>()? {
                    self.sleeps(session).await;
                } else {
                    self.inhibit().await;
                }
            }
            "Lock" if self.is_own(path).await => {
                leave(session).await;
            }
            "PropertiesChanged" if is_locked(message)? && self.is_own(path).await => {
                leave(session).await;
            }
            _ => {}
        }
        Ok(())
    }

    /// The host waits for whoever holds an inhibitor, though not for long: this one lets go once the keys are wiped.
    async fn sleeps(&mut self, session: &Session) {
        lock(session, "the host is about to sleep").await;
        self.inhibitor = None;
    }

    async fn inhibit(&mut self) {
        const WHY: &str = "The keys are wiped before the host sleeps";
        let arguments = ("sleep", "connectd", WHY, "delay");
        let answer = self.ask(LOGIND_PATH, MANAGER, "Inhibit", &arguments).await;
        match answer.and_then(|answer| answer.body().deserialize::<OwnedFd>()) {
            Ok(held) => self.inhibitor = Some(held),
            Err(error) => tracing::warn!(%error, "the host may sleep before the keys are wiped"),
        }
    }

    /// Where it cannot be told, it is ours: a lock too many costs a PIN.
    async fn is_own(&self, path: &str) -> bool {
        let own = self.own_sessions().await;
        own.map_or(true, |own| own.iter().any(|own| own.as_str() == path))
    }

    async fn own_sessions(&self) -> zbus::Result<Vec<OwnedObjectPath>> {
        type Listed = (String, u32, String, String, OwnedObjectPath);
        let answer = self.ask(LOGIND_PATH, MANAGER, "ListSessions", &()).await?;
        let listed: Vec<Listed> = answer.body().deserialize()?;
        let own = listed.into_iter().filter(|(_, uid, ..)| *uid == own_uid());
        Ok(own.map(|(.., path)| path).collect())
    }

    async fn flag(&self, path: &str, interface: &str, name: &str) -> bool {
        let answer = self.ask(path, PROPERTIES, "Get", &(interface, name)).await;
        let value = answer.and_then(|answer| answer.body().deserialize::<OwnedValue>());
        value.is_ok_and(|value| bool::try_from(value) == Ok(true))
    }

    async fn ask<B>(
        &self,
        path: &str,
        interface: &str,
        method: &str,
        arguments: &B,
    ) -> zbus::Result<Message>
    where
        B: serde::Serialize + zbus::zvariant::DynamicType + Sync,
    {
        self.connection
            .call_method(Some(LOGIND), path, Some(interface), method, arguments)
            .await
    }

    fn does(&self, what: LockOn) -> bool {
        self.lock_on.contains(&what)
    }
}

fn rules(lock_on: &[LockOn]) -> zbus::Result<Vec<MatchRule<'static>>> {
    let signal = || MatchRule::builder().msg_type(Type::Signal);
    let mut rules = vec![
        signal()
            .sender("org.freedesktop.DBus")?
            .member("NameOwnerChanged")?
            .add_arg(LOGIND)?
            .build(),
    ];
    if lock_on.contains(&LockOn::Suspend) {
        let manager = signal().sender(LOGIND)?.interface(MANAGER)?;
        rules.push(manager.member("PrepareForSleep")?.build());
    }
    if lock_on.contains(&LockOn::SessionLock) {
        let sessions = || signal().sender(LOGIND)?.path_namespace(SESSIONS);
        let locked = sessions()?.interface(SESSION)?.member("Lock")?;
        rules.push(locked.build());
        let changed = sessions()?.interface(PROPERTIES)?.add_arg(SESSION)?;
        rules.push(changed.build());
    }
    Ok(rules)
}

fn member(message: &Message) -> String {
    let header = message.header();
    let member = header.member();
    member.map(ToString::to_string).unwrap_or_default()
}

/// A session's properties changed, and it is said to be locked now.
fn is_locked(message: &Message) -> zbus::Result<bool> {
    type Changed = (String, HashMap<String, OwnedValue>, Vec<String>);
    let (_, mut changed, _): Changed = message.body().deserialize()?;
    let hint = changed.remove("LockedHint");
    Ok(hint.is_some_and(|hint| bool::try_from(hint) == Ok(true)))
}

/// Nobody is there: the same as where nobody calls.
async fn leave(session: &Session) {
    if let Err(error) = session.lock_for_absence().await {
        tracing::warn!(%error, "the session was not locked with the login session");
    }
}

/// One that is about to open is waited for, and closed.
async fn lock(session: &Session, why: &'static str) {
    let was_open = matches!(session.phase(), Phase::Unlocked(_));
    match session.lock().await {
        Ok(()) if was_open => tracing::info!("{why}: the keys are wiped"),
        Ok(()) | Err(Error::NotEnrolled | Error::Revoked) => {}
        Err(error) => tracing::warn!(%error, "the session was not locked"),
    }
}
