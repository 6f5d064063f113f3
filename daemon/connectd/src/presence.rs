//! Whether the person at the host is the owner, as polkit finds out: by a fingerprint where the host has a reader (§4.1.3).

use std::collections::HashMap;
use std::time::Duration;

use connect_ipc::socket::Peer;
use connect_service::error::{Error, Reason};
use tokio::time::timeout;
use zbus::zvariant::Value;
use zbus::{Connection, Proxy, connection, proxy};

/// As the file in `packaging/polkit` defines it.
const ACTION: &str = "org.connectd.uncover";
const POLKIT: &str = "org.freedesktop.PolicyKit1";
const POLKIT_PATH: &str = "/org/freedesktop/PolicyKit1/Authority";
const AUTHORITY: &str = "org.freedesktop.PolicyKit1.Authority";
/// How long a person may take: less than a caller waits.
const PATIENCE: Duration = Duration::from_secs(50);
/// How long the bus may take.
const BUS_PATIENCE: Duration = Duration::from_secs(5);
const MAY_ASK_THE_PERSON: u32 = 1;
/// What names one of several questions of ours: each has a connection of its own.
const QUESTION: &str = "1";

/// Whether it is authorized, whether a person could still be asked, and details.
type Answer = (bool, bool, HashMap<String, String>);

/// Returns once the user of the process on the other side has shown to be there.
pub(crate) async fn prove(peer: Peer) -> Result<(), Error> {
    let no_answer = |error: zbus::Error| {
        tracing::warn!(%error, "polkit was not asked who is there");
        Error::invalid("presence", Reason::NoAnswer)
    };
    let not_proven = Error::invalid("presence", Reason::NotProven);
    let subject = Process::of(peer).ok_or(not_proven)?;
    let connection = connect().await.map_err(no_answer)?;
    let authority = authority(&connection).await.map_err(no_answer)?;
    let asked = ask(&authority, &subject, MAY_ASK_THE_PERSON);
    match timeout(PATIENCE, asked).await {
        Ok(Ok((true, ..))) => Ok(()),
        Ok(Ok(_)) => Err(not_proven),
        Ok(Err(error)) => Err(no_answer(error)),
        Err(_) => {
            // Its dialog would stay, and mean nothing any more.
            let cancelled = authority.call::<_, _, ()>("CancelCheckAuthorization", &(QUESTION,));
            timeout(BUS_PATIENCE, cancelled).await.ok();
            Err(not_proven)
        }
    }
}

/// Whether polkit answers and knows the action; nobody is asked for anything.
pub(crate) async fn try_it() -> zbus::Result<()> {
    let own = Peer {
        uid: connect_ipc::socket::own_uid(),
        pid: Some(std::process::id()),
    };
    let gone = || zbus::Error::Failure("this process is not in /proc".to_owned());
    let subject = Process::of(own).ok_or_else(gone)?;
    let connection = connect().await?;
    let authority = authority(&connection).await?;
    let late = |_| zbus::Error::Failure("no answer".to_owned());
    timeout(BUS_PATIENCE, ask(&authority, &subject, 0))
        .await
        .map_err(late)??;
    Ok(())
}

async fn connect() -> zbus::Result<Connection> {
    let building = connection::Builder::system()?.build();
    let late = |_| zbus::Error::Failure("no answer".to_owned());
    timeout(BUS_PATIENCE, building).await.map_err(late)?
}

async fn authority(connection: &Connection) -> zbus::Result<Proxy<'_>> {
    proxy::Builder::new(connection)
        .destination(POLKIT)?
        .path(POLKIT_PATH)?
        .interface(AUTHORITY)?
        .cache_properties(proxy::CacheProperties::No)
        .build()
        .await
}

async fn ask(authority: &Proxy<'_>, subject: &Process, flags: u32) -> zbus::Result<Answer> {
    let facts: HashMap<&str, Value<'_>> = HashMap::from([
        ("pid", subject.pid.into()),
        ("start-time", subject.started.into()),
        ("uid", subject.uid.into()),
    ]);
    let details: HashMap<&str, &str> = HashMap::new();
    let question = (("unix-process", facts), ACTION, details, flags, QUESTION);
    authority.call("CheckAuthorization", &question).await
}

/// A process as polkit names it: its start tells it from a later one with the same number.
struct Process {
    pid: u32,
    started: u64,
    uid: i32,
}

impl Process {
    fn of(peer: Peer) -> Option<Self> {
        let pid = peer.pid?;
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        Some(Self {
            pid,
            started: started(&stat)?,
            uid: i32::try_from(peer.uid).ok()?,
        })
    }
}

/// In clock ticks since the boot: the 22nd field. The second one, the command in brackets, may hold anything.
fn started(stat: &str) -> Option<u64> {
    let (_, after_command) = stat.rsplit_once(')')?;
    after_command.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_is_found_behind_a_command_of_any_shape() {
        let stat = "12 (a ) 7 (b) S 1 12 12 0 -1 4194304 1 0 0 0 2 3 0 0 20 0 1 0 987654 1 1";
        assert_eq!(started(stat), Some(987_654));
        assert_eq!(started("12 (a S 1"), None);
        assert_eq!(started(""), None);
    }

    #[test]
    fn a_process_that_is_gone_is_nobody() {
        let gone = Peer {
            uid: 0,
            pid: Some(u32::MAX),
        };
        assert!(Process::of(gone).is_none());
        assert!(Process::of(Peer { uid: 0, pid: None }).is_none());
    }
}
