//! What the sandbox runs: a relay, your daemon, and the colleague's, each with its own keys and database.

use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use connect_api::account::{Enroll, EnrollParams, EnrollmentCode};
use connect_api::page::Nothing;
use connect_api::session::{Lock, Pin, Unlock, UnlockParams};
use connect_client::client::Client;
use connect_client::endpoint::Endpoint;
use connect_ipc::socket::Audience;
use connect_relay::relay::{Relay, RelayConfig};
use connect_relay::{clock as relay_clock, identity, operator};
use connect_service::chance::Chance;
use connect_service::clock::Clock;
use connect_vault::keystore::Keystore;
use connect_vault::vault::KdfCost;
use connectd::config::{Config, SessionConfig};
use connectd::lifecycle::{self, Daemon};
use connectd::limits::Limits;
use rand_core::RngCore as _;
use tokio::time::Instant;

use super::colleague::Colleague;
use super::story::{say, step};

pub(super) const YOU: &str = "you";
pub(super) const COLLEAGUE: &str = "dr.noor";

/// A daemon with its socket and its PIN.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: &'static str,
    pub(super) client: Client,
    pub(super) endpoint: Endpoint,
    pin_file: PathBuf,
    daemon: Daemon,
}

#[derive(Debug)]
pub(super) struct House {
    dir: PathBuf,
    relay: Relay,
    pub(super) you: Member,
    pub(super) colleague: Member,
    answering: Colleague,
}

impl House {
    pub(super) async fn open(dir: &Path) -> Result<Self> {
        say(&format!("Everything lies in {}\n", dir.display()));
        let (relay, invitation) = start_relay(dir).await?;
        let you = Member::move_in(dir, YOU, "You", &invitation).await?;
        let colleague = Member::move_in(dir, COLLEAGUE, "Dr. Noor", &invitation).await?;
        let answering = Colleague::start(&colleague);
        Ok(Self {
            dir: dir.to_owned(),
            relay,
            you,
            colleague,
            answering,
        })
    }

    pub(super) fn relay_dir(&self) -> PathBuf {
        self.dir.join("relay")
    }

    pub(super) fn tell_what_to_try(&self) {
        let socket = self.you.endpoint.path().display();
        let ctl = format!("cargo run -q --release --bin connectctl -- --socket {socket}");
        say(&format!(
            "\nYour daemon answers on {socket}\nFrom another terminal, in this directory:\n
  {ctl} send {COLLEAGUE} \"Is the CT back?\"
  {ctl} messages {COLLEAGUE}
  {ctl} watch\n
Your PIN is in {pin}. Ctrl-C ends it all.\n",
            pin = self.you.pin_file.display()
        ));
    }

    pub(super) async fn close(self) {
        self.answering.stop().await;
        self.you.daemon.shut_down().await;
        self.colleague.daemon.shut_down().await;
        self.relay.shutdown().await;
    }
}

/// What an administrator gives a new user beside the code.
struct Invitation {
    relay_dir: PathBuf,
    url: String,
    pins: Vec<String>,
    ca_pem: String,
    chance: Chance,
}

async fn start_relay(dir: &Path) -> Result<(Relay, Invitation)> {
    let began = Instant::now();
    let relay_dir = dir.join("relay");
    let clock = relay_clock::Clock::system();
    let mut chance = Chance::system();
    let identity = identity::init(&relay_dir, &["localhost".to_owned()], &clock, &mut chance)?;
    let address_file = dir.join("relay.address");
    let relay = connect_relay::relay::start(RelayConfig {
        state_dir: relay_dir.clone(),
        // The same port as the last time: the accounts know the relay by it.
        listen: read_address(&address_file).unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0))),
        clock,
        limits: connect_relay::limits::Limits::default(),
    })
    .await?;
    let address = relay.local_addr();
    std::fs::write(&address_file, address.to_string())?;
    step(
        began.elapsed(),
        &format!("The relay made itself a private CA and listens on {address} (TLS 1.3)."),
    );
    let ca = identity
        .ca_pem_path
        .context("the relay has a CA of its own")?;
    let invitation = Invitation {
        url: format!("https://{address}"),
        pins: identity.pins.to_vec(),
        ca_pem: std::fs::read_to_string(ca)?,
        relay_dir,
        chance,
    };
    Ok((relay, invitation))
}

fn read_address(file: &Path) -> Option<SocketAddr> {
    std::fs::read_to_string(file).ok()?.trim().parse().ok()
}

impl Member {
    async fn move_in(
        dir: &Path,
        name: &'static str,
        display_name: &str,
        invitation: &Invitation,
    ) -> Result<Self> {
        let state_dir = dir.join(name);
        let endpoint = Endpoint::new(dir.join(format!("{name}.sock")));
        let config = Config {
            endpoint: endpoint.clone(),
            keystore: Keystore::File {
                directory: dir.join("keystores").join(name),
            },
            state_dir,
            owner_uids: Vec::new(),
            audience: Audience::User,
            session: SessionConfig::default(),
            organisation_keys: Vec::new(),
            // Whoever looks around does not want to come back to a colleague who is locked.
            limits: Limits {
                idle_lock_s: 0,
                ..Limits::default()
            },
        };
        let chance = invitation.chance.clone();
        let daemon =
            lifecycle::start(config, KdfCost::production(), Clock::system(), chance).await?;
        let member = Self {
            client: Client::builder().endpoint(endpoint.clone()).lazy(),
            pin_file: dir.join(format!("{name}.pin")),
            name,
            endpoint,
            daemon,
        };
        if member.pin_file.exists() {
            let took = member.unlock().await?;
            step(
                took,
                &format!("The daemon of `{name}` opened its keys with the PIN."),
            );
        } else {
            member.enroll(display_name, invitation).await?;
        }
        Ok(member)
    }

    async fn enroll(&self, display_name: &str, invitation: &Invitation) -> Result<()> {
        let mut chance = invitation.chance.clone();
        let clock = relay_clock::Clock::system();
        let user = self.name.parse()?;
        let code = operator::issue_code(&invitation.relay_dir, &user, &clock, &mut chance).await?;
        let pin = format!("{:06}", chance.next_u32() % 1_000_000);
        let began = Instant::now();
        let enrolled = self
            .client
            .call::<Enroll>(EnrollParams {
                relay_url: invitation.url.clone(),
                relay_pins: invitation.pins.clone(),
                relay_ca_pem: Some(invitation.ca_pem.clone()),
                enrollment_code: EnrollmentCode(code),
                user_id: None,
                display_name: display_name.to_owned(),
                profession: "physician".to_owned(),
                organisation: "Sandbox Hospital".to_owned(),
                pin: Pin::new(pin.clone()),
                recovery_key: None,
                replace_existing_installation: false,
            })
            .await?;
        let took = began.elapsed();
        write_private(&self.pin_file, &pin)?;
        let [first, second, ..] = enrolled.fingerprint.split(' ').collect::<Vec<_>>()[..] else {
            anyhow::bail!("a fingerprint has six groups");
        };
        step(
            took,
            &format!(
                "The daemon of `{}` made its keys, sealed them under a PIN and enrolled with an operator's code \
                 (fingerprint {first} {second} …).",
                self.name
            ),
        );
        Ok(())
    }

    pub(super) async fn lock(&self) -> Result<()> {
        self.client.call::<Lock>(Nothing {}).await?;
        Ok(())
    }

    pub(super) async fn unlock(&self) -> Result<Duration> {
        let pin = Pin::new(std::fs::read_to_string(&self.pin_file)?);
        let began = Instant::now();
        self.client.call::<Unlock>(UnlockParams { pin }).await?;
        Ok(began.elapsed())
    }
}

fn write_private(path: &Path, content: &str) -> Result<()> {
    use std::io::Write as _;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    Ok(file.write_all(content.as_bytes())?)
}
