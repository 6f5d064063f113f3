//! What systemd-logind says on the system bus, said by a test on a bus of its own: logind itself needs systemd as the first process.

use std::collections::HashMap;
use std::io::{PipeReader, Read as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use zbus::message::Header;
use zbus::names::BusName;
use zbus::zvariant::{DynamicType, ObjectPath, OwnedFd, OwnedObjectPath, Value};
use zbus::{Connection, connection, fdo, interface};

const NAME: &str = "org.freedesktop.login1";
const PATH: &str = "/org/freedesktop/login1";
const MANAGER: &str = "org.freedesktop.login1.Manager";
const SESSION: &str = "org.freedesktop.login1.Session";

/// On the bus until it is dropped.
#[derive(Debug)]
pub struct Login1 {
    connection: Connection,
    taken: UnboundedReceiver<Inhibitor>,
    manager: Facts,
    sessions: Vec<(OwnedObjectPath, Facts)>,
}

/// What somebody holds sleep up with.
#[derive(Debug)]
pub struct Inhibitor {
    pub what: String,
    pub who: String,
    pub why: String,
    pub mode: String,
    /// Its holder's name on the bus.
    pub by: String,
    reader: PipeReader,
}

/// A flag that a property shows.
type Facts = Arc<AtomicBool>;

struct Manager {
    sessions: Vec<(String, u32, OwnedObjectPath)>,
    taken: UnboundedSender<Inhibitor>,
    is_preparing: Facts,
}

struct Seat {
    is_locked: Facts,
}

#[interface(name = "org.freedesktop.login1.Manager")]
impl Manager {
    fn inhibit(
        &self,
        what: String,
        who: String,
        why: String,
        mode: String,
        #[zbus(header)] header: Header<'_>,
    ) -> fdo::Result<OwnedFd> {
        let (reader, writer) = std::io::pipe().map_err(|_| fdo::Error::NoMemory(String::new()))?;
        let by = header.sender().map(ToString::to_string);
        drop(header);
        let inhibitor = Inhibitor {
            what,
            who,
            why,
            mode,
            by: by.unwrap_or_default(),
            reader,
        };
        self.taken.send(inhibitor).ok();
        Ok(std::os::fd::OwnedFd::from(writer).into())
    }

    fn list_sessions(&self) -> Vec<(String, u32, String, String, OwnedObjectPath)> {
        let listed = self.sessions.iter();
        listed
            .map(|(id, uid, path)| {
                let (user, seat) = (format!("u{uid}"), "seat0".to_owned());
                (id.clone(), *uid, user, seat, path.clone())
            })
            .collect()
    }

    #[zbus(property)]
    fn preparing_for_sleep(&self) -> bool {
        self.is_preparing.load(Ordering::SeqCst)
    }
}

#[interface(name = "org.freedesktop.login1.Session")]
impl Seat {
    #[zbus(property)]
    fn locked_hint(&self) -> bool {
        self.is_locked.load(Ordering::SeqCst)
    }
}

impl Login1 {
    /// With a login session for each of these uids.
    pub async fn start(bus: &str, uids: &[u32]) -> Result<Self> {
        let (sender, taken) = unbounded_channel();
        let mut builder = connection::Builder::address(bus)?;
        let (mut listed, mut sessions) = (Vec::new(), Vec::new());
        for (number, uid) in (1..).zip(uids) {
            let path = ObjectPath::try_from(format!("{PATH}/session/_3{number}"))?;
            let is_locked = Facts::default();
            let seat = Seat {
                is_locked: Arc::clone(&is_locked),
            };
            builder = builder.serve_at(path.clone(), seat)?;
            listed.push((number.to_string(), *uid, path.clone().into()));
            sessions.push((path.into(), is_locked));
        }
        let manager = Facts::default();
        let served = Manager {
            sessions: listed,
            taken: sender,
            is_preparing: Arc::clone(&manager),
        };
        let connection = builder.serve_at(PATH, served)?.name(NAME)?.build().await?;
        Ok(Self {
            connection,
            taken,
            manager,
            sessions,
        })
    }

    /// The next inhibitor that is taken.
    pub async fn inhibitor(&mut self) -> Result<Inhibitor> {
        self.taken.recv().await.context("the service runs")
    }

    /// True: the host sleeps as soon as nobody holds it up. False: it is awake again.
    pub async fn prepares_for_sleep(&self, starts: bool) -> Result<()> {
        self.manager.store(starts, Ordering::SeqCst);
        self.emit(PATH, MANAGER, "PrepareForSleep", &starts).await
    }

    /// As `loginctl lock-session` does.
    pub async fn locks(&self, session: usize) -> Result<()> {
        let path = self.sessions[session].0.as_str();
        self.emit(path, SESSION, "Lock", &()).await
    }

    /// As a desktop does once its screen is locked, or open again.
    pub async fn hints(&self, session: usize, is_locked: bool) -> Result<()> {
        let (path, fact) = &self.sessions[session];
        fact.store(is_locked, Ordering::SeqCst);
        let changed = HashMap::from([("LockedHint", Value::from(is_locked))]);
        let body = (SESSION, changed, Vec::<&str>::new());
        let properties = "org.freedesktop.DBus.Properties";
        self.emit(path.as_str(), properties, "PropertiesChanged", &body)
            .await
    }

    /// Somebody else says to a client of logind's what only logind may say.
    pub async fn is_imitated(bus: &str, to: &str) -> Result<()> {
        let other = connection::Builder::address(bus)?.build().await?;
        let (to, path) = (BusName::try_from(to)?, format!("{PATH}/session/_31"));
        other
            .emit_signal(Some(to), path.as_str(), SESSION, "Lock", &())
            .await?;
        // Once the bus answers, it has passed on what came before.
        fdo::DBusProxy::new(&other).await?.get_id().await?;
        Ok(())
    }

    async fn emit<B>(&self, path: &str, interface: &str, name: &str, body: &B) -> Result<()>
    where
        B: serde::Serialize + DynamicType + Sync,
    {
        let to = None::<BusName<'_>>;
        let emitted = self.connection.emit_signal(to, path, interface, name, body);
        Ok(emitted.await?)
    }
}

impl Inhibitor {
    /// Returns once it was let go of.
    pub async fn is_released(mut self) -> Result<()> {
        let read = tokio::task::spawn_blocking(move || self.reader.read(&mut [0]));
        anyhow::ensure!(read.await?? == 0, "nobody writes into it");
        Ok(())
    }
}
