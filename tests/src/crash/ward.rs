//! A relay and daemons as processes of their own, enrolled and each other's contacts.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use connect_api::account::{Enroll, EnrollParams, EnrollmentCode};
use connect_api::contacts::{Add, UserParams};
use connect_api::conversation::Conversation;
use connect_api::session::Pin;
use connect_client::client::Client;
use connect_client::endpoint::Endpoint;
use connect_relay::clock::Clock;
use connect_relay::{identity, operator};
use rand_chacha::ChaCha12Rng;
use rand_core::{CryptoRngCore, RngCore, SeedableRng as _};

use super::keeper::Keeper;
use super::meddler::Meddler;
use super::programs::{DaemonProgram, RelayProgram};
use super::wall_clock::WallClock;
use crate::at_rest::PIN;
use crate::relay_apart::stands_behind;
use crate::shim;

const USERS: [&str; 5] = ["alice", "bob", "carol", "dave", "erin"];
/// Load is not a person: what it may send in a second, and how long it may be away when its clock jumps, is no part of
/// what is looked at.
const CONFIG: &str =
    "[limits]\nsends_per_second = 1000000\nsend_burst = 1000000\nidle_lock_s = 0\n";

/// A user, and the way to the user's daemon.
#[derive(Debug)]
pub struct Member {
    pub user: String,
    pub client: Client,
    pub socket: PathBuf,
    pub(super) keeper: Keeper,
    pub(super) clock: WallClock,
}

impl Member {
    pub fn conversation(&self) -> Conversation {
        Conversation::User(self.user.clone())
    }

    /// Another connection.
    pub fn new_client(&self) -> Client {
        new_client(&self.socket)
    }
}

#[derive(Debug)]
pub struct Ward {
    pub(super) dir: PathBuf,
    pub(super) relay: Keeper,
    pub(super) relay_clock: WallClock,
    pub(super) meddler: Meddler,
    pub members: Vec<Member>,
}

impl Ward {
    /// Starts everything and returns once everybody can write to everybody.
    pub async fn open(dir: &Path, daemons: usize, rng: &mut impl CryptoRngCore) -> Result<Self> {
        ensure!(
            (2..=USERS.len()).contains(&daemons),
            "2 to {} daemons",
            USERS.len()
        );
        let relay_dir = dir.join("relay");
        let clock = Clock::system();
        let hosts = ["localhost".to_owned()];
        let identity = identity::init(&relay_dir, &hosts, &clock, rng)?;
        let behind = format!("127.0.0.1:{}", free_port(rng)?);
        let shim = shim::compile("clock", dir)?;
        let clock_of = |name: &str| WallClock {
            shim: shim.clone(),
            offset: dir.join(format!("{name}.clock")),
        };
        let address: SocketAddr = format!("127.0.0.1:{}", free_port(rng)?).parse()?;
        stands_behind(&relay_dir, address)?;
        let relay_clock = clock_of("relay");
        let program = RelayProgram {
            state_dir: relay_dir.clone(),
            address: behind.clone(),
            clock: relay_clock.clone(),
        };
        let relay = Keeper::start("relay", &dir.join("relay.log"), program);
        ensure!(relay.is_up().await, "the relay did not start");
        let chance = ChaCha12Rng::seed_from_u64(rng.next_u64());
        let meddler = Meddler::start(address, &behind, &relay_dir, chance).await?;
        std::fs::write(dir.join("connectd.toml"), CONFIG)?;
        let mut members = Vec::new();
        for user in &USERS[..daemons] {
            let member = move_in(dir, user, clock_of(user));
            ensure!(member.keeper.is_up().await, "{user} did not start");
            let code = operator::issue_code(&relay_dir, &user.parse()?, &clock, rng).await?;
            let enroll = EnrollParams {
                relay_url: format!("https://{address}"),
                relay_pins: identity.pins.to_vec(),
                relay_ca_pem: Some(std::fs::read_to_string(relay_dir.join("ca.pem"))?),
                enrollment_code: EnrollmentCode(code),
                user_id: None,
                display_name: format!("Dr. {user}"),
                profession: "physician".to_owned(),
                organisation: "Ward 3".to_owned(),
                pin: Pin::new(PIN.to_owned()),
                recovery_key: None,
                replace_existing_installation: false,
            };
            member.client.call::<Enroll>(enroll).await?;
            members.push(member);
        }
        introduce(&members).await?;
        meddler.begin();
        Ok(Self {
            dir: dir.to_owned(),
            relay,
            relay_clock,
            meddler,
            members,
        })
    }

    pub(super) fn relay_database(&self) -> PathBuf {
        self.dir.join("relay/relay.db")
    }

    /// The relay first, then the daemons.
    pub(super) fn keepers(&self) -> impl Iterator<Item = &Keeper> {
        let daemons = self.members.iter().map(|member| &member.keeper);
        std::iter::once(&self.relay).chain(daemons)
    }
}

fn move_in(dir: &Path, user: &str, clock: WallClock) -> Member {
    let socket = dir.join(format!("{user}.sock"));
    let program = DaemonProgram {
        state_dir: dir.join(user),
        socket: socket.clone(),
        config: dir.join("connectd.toml"),
        clock: clock.clone(),
    };
    Member {
        user: user.to_owned(),
        client: new_client(&socket),
        keeper: Keeper::start(user, &dir.join(format!("{user}.log")), program),
        socket,
        clock,
    }
}

fn new_client(socket: &Path) -> Client {
    Client::builder()
        .endpoint(Endpoint::new(socket.to_owned()))
        .lazy()
}

async fn introduce(members: &[Member]) -> Result<()> {
    for member in members {
        for other in members.iter().filter(|other| other.user != member.user) {
            let user_id = other.user.clone();
            member.client.call::<Add>(UserParams { user_id }).await?;
        }
    }
    Ok(())
}

/// Below the ports that the system gives to outgoing connections: while the relay is dead, none may take its place.
fn free_port(rng: &mut impl RngCore) -> Result<u16> {
    for _ in 0..100 {
        let port = 20_000 + u16::try_from(rng.next_u32() % 12_000)?;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    anyhow::bail!("no port is free")
}
