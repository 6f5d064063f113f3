//! Backups as a client makes, verifies and restores them.

use std::path::Path;

use anyhow::{Result, ensure};
use connect_api::account::{Enroll, EnrollmentCode};
use connect_api::backup::{
    Begin, BeginRestore, BeginRestoreParams, BeginVerify, BeginVerifyParams, Contents,
};
use connect_api::bytes::{Moment, Ticket};
use connect_api::page::Nothing;
use connect_api::recovery::RecoveryKey;
use connect_api::session::Pin;
use connect_client::client::Client;
use connect_client::error::CallError;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

use crate::world::{PIN, Person, World};

/// A backup as it lies in a file.
#[derive(Debug, Clone)]
pub struct Backup {
    pub bytes: Vec<u8>,
    pub taken_at: Moment,
}

/// One of many.
pub fn recovery_key(seed: u64) -> RecoveryKey {
    RecoveryKey::generate(&mut ChaCha20Rng::seed_from_u64(seed))
}

/// A person with a recovery key.
pub async fn recoverable(world: &World, name: &str, key: &RecoveryKey) -> Result<Person> {
    let person = world.stranger(name).await?;
    let mut enrollment = world.enrollment(name).await?;
    enrollment.recovery_key = Some(key.clone());
    person.client.call::<Enroll>(enrollment).await?;
    Ok(person)
}

pub async fn take(client: &Client) -> Result<Backup> {
    let issued = client.call::<Begin>(Nothing {}).await?;
    let mut stream = client.redeem(issued.ticket).await?;
    let begun = stream.begun().clone();
    let (Some(size), Some(taken_at)) = (begun.size, begun.taken_at) else {
        anyhow::bail!("the daemon did not say what follows: {begun:?}");
    };
    let mut bytes = Vec::new();
    let mut piece = vec![0; 64 << 10];
    loop {
        let read = stream.read(&mut piece).await?;
        bytes.extend_from_slice(&piece[..read]);
        if read == 0 {
            break;
        }
    }
    ensure!(
        bytes.len() as u64 == size,
        "{} of {size} bytes",
        bytes.len()
    );
    Ok(Backup { bytes, taken_at })
}

pub async fn upload(
    client: &Client,
    ticket: Ticket,
    bytes: &[u8],
) -> std::result::Result<Contents, CallError> {
    let mut stream = client.redeem(ticket).await?;
    for piece in bytes.chunks(100_000) {
        stream.write(piece).await?;
    }
    stream.result().await
}

pub async fn verify(
    client: &Client,
    bytes: &[u8],
    key: &RecoveryKey,
) -> std::result::Result<Contents, CallError> {
    let params = BeginVerifyParams {
        recovery_key: key.clone(),
        size: bytes.len() as u64,
    };
    let issued = client.call::<BeginVerify>(params).await?;
    upload(client, issued.ticket, bytes).await
}

pub fn restoring(code: &str, key: &RecoveryKey, bytes: &[u8]) -> BeginRestoreParams {
    BeginRestoreParams {
        recovery_key: key.clone(),
        enrollment_code: EnrollmentCode(code.to_owned()),
        pin: Pin::new(PIN.to_owned()),
        size: bytes.len() as u64,
        relay_url: None,
        relay_pins: None,
        relay_ca_pem: None,
    }
}

pub async fn restore(
    client: &Client,
    bytes: &[u8],
    params: BeginRestoreParams,
) -> std::result::Result<Contents, CallError> {
    let issued = client.call::<BeginRestore>(params).await?;
    upload(client, issued.ticket, bytes).await
}

/// A user's new machine, with what the backup has.
pub async fn new_machine(
    world: &World,
    user: &str,
    place: &str,
    backup: &Backup,
    key: &RecoveryKey,
) -> Result<(Person, Contents)> {
    let mut person = world.stranger(place).await?;
    user.clone_into(&mut person.name);
    let code = world.issue_code(user).await?;
    let params = restoring(&code, key, &backup.bytes);
    let contents = restore(&person.client, &backup.bytes, params).await?;
    Ok((person, contents))
}

/// `field` and `reason` of a call that was refused as `invalid`.
pub fn why<T>(refused: std::result::Result<T, CallError>) -> Result<(String, String)> {
    match refused {
        Err(CallError::Daemon { data, .. }) => {
            let reason = serde_json::to_value(data.reason)?;
            let reason = reason.as_str().unwrap_or_default().to_owned();
            Ok((data.field.unwrap_or_default(), reason))
        }
        Err(other) => Err(other.into()),
        Ok(_) => anyhow::bail!("the call was not refused"),
    }
}

/// Nothing is left of what was only needed for a while.
pub fn scratch_is_empty(state_dir: &Path) -> Result<bool> {
    match std::fs::read_dir(state_dir.join("scratch")) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error.into()),
    }
}
