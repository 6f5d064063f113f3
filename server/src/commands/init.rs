//! `connect-relay init`: makes the relay's identity once, and tells what clients need to know of it.

use std::time::{Duration, UNIX_EPOCH};

use connect_relay::clock::Clock;
use connect_relay::identity::{self, Identity, InitError};
use serde_json::json;
use sysexits::ExitCode;

use super::{Failure, StateDir};

/// Make the relay's keys, and a private CA with a certificate where none is configured.
///
/// What is there already stays as it is: running it again only prints.
#[derive(Debug, clap::Args)]
pub(crate) struct Init {
    #[command(flatten)]
    state: StateDir,
    /// A name by which clients reach the relay; may be repeated.
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Init {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let dir = &self.state.state_dir;
        // The random source of this process.
        let mut rng = rand_core::OsRng;
        let identity =
            identity::init(dir, &self.hosts, &Clock::system(), &mut rng).map_err(failure)?;
        if self.json {
            print_json(&identity);
        } else {
            self.print(&identity);
        }
        Ok(ExitCode::Ok)
    }

    #[expect(clippy::print_stdout, reason = "what the command was asked for")]
    fn print(&self, identity: &Identity) {
        let dir = self.state.state_dir.display();
        match &identity.ca_pem_path {
            Some(ca) => {
                println!(
                    "The private CA that clients must trust is in {}",
                    ca.display()
                );
            }
            None => {
                println!(
                    "The certificate in {dir} is of your own CA: clients must trust that one."
                );
            }
        }
        println!(
            "The certificate expires on {}.",
            httpdate::fmt_http_date(expiry(identity))
        );
        println!(
            "The pins of the key in use and of the spare one, both to be set in every client:"
        );
        for pin in &identity.pins {
            println!("pin {pin}");
        }
        println!("Keep a copy of {dir} in a safe place. Next:");
        println!("  connect-relay run --state-dir {dir} --listen 0.0.0.0:443");
        println!("  connect-relay operator --state-dir {dir} issue-code USER_ID");
    }
}

#[expect(clippy::print_stdout, reason = "what the command was asked for")]
fn print_json(identity: &Identity) {
    let Identity {
        ca_pem_path,
        pins,
        expires_ms,
    } = identity;
    println!(
        "{}",
        json!({ "ca": ca_pem_path, "pins": pins, "expires_ms": expires_ms })
    );
}

fn expiry(identity: &Identity) -> std::time::SystemTime {
    UNIX_EPOCH + Duration::from_millis(identity.expires_ms)
}

fn failure(error: InitError) -> Failure {
    let code = match error {
        InitError::NoHost => ExitCode::Usage,
        InitError::File(..) => ExitCode::CantCreat,
        InitError::Content(..) | InitError::Half(..) => ExitCode::Config,
        InitError::Certificate(_) | InitError::Settings(_) => ExitCode::Software,
    };
    Failure::new(code, error)
}
