//! Every key that a locked account is opened with, derived here once more from PIN, keystore and sealed file (D22).

use std::path::Path;

use anyhow::{Context as _, Result, anyhow};
use argon2::{Algorithm, Argon2, Params, Version};
use connect_core::secret::UnlockKey;
use connect_core::secretbox;
use connect_tests::hsalsa::beforenm;
use connect_tests::memory::Needles;
use connect_vault::attempts::host_boot_time;
use connect_vault::keys::Keys;
use connect_vault::keystore::Keystore;
use connect_vault::vault::{KdfCost, Vault};
use curve25519_dalek::MontgomeryPoint;
use hkdf::Hkdf;
use serde_json::Value;
use sha2::{Digest as _, Sha256, Sha512};

pub(crate) fn open(state_dir: &Path, pin: &str) -> Result<Keys> {
    let keystore = Keystore::File {
        directory: state_dir.join("keystore"),
    };
    let vault = Vault::new(&state_dir.join("account"), keystore, KdfCost::for_tests());
    Ok(vault.unlock(pin, &host_boot_time()?)?)
}

/// The keys as they are kept, and as the ciphers and signatures make others of them.
pub(crate) fn look_for(needles: &mut Needles, keys: &Keys, other: [u8; 32]) {
    needles.key("box key", keys.box_key.expose());
    needles.key("sign key", keys.sign_key.expose_seed());
    needles.key("database key", keys.database_key.expose());
    needles.key("local file key", keys.local_file_key.expose());
    let mut expanded = Sha512::digest(keys.sign_key.expose_seed());
    needles.key("hash of the sign key", &expanded);
    (expanded[0], expanded[31]) = (expanded[0] & 0xf8, expanded[31] & 0x7f | 0x40);
    needles.key("scalar of the sign key", &expanded[..32]);
    let shared = MontgomeryPoint(other).mul_clamped(*keys.box_key.expose());
    needles.key("X25519 result", shared.as_bytes());
    needles.key("shared secret", &beforenm(shared.as_bytes()));
}

/// What stands between the PIN and those keys.
pub(crate) fn look_for_the_way_there(
    needles: &mut Needles,
    state_dir: &Path,
    pin: &str,
) -> Result<()> {
    let sealed = std::fs::read(state_dir.join("account/keys.sealed"))?;
    let sealed: Value = serde_json::from_slice(&sealed)?;
    let text = |field: &str| sealed[field].as_str().context("a text");
    let number = |field: &str| -> Result<u32> {
        let number = sealed["argon2id"][field].as_u64().context("a number")?;
        Ok(number.try_into()?)
    };
    let (memory, passes, lanes) = (number("memory_kib")?, number("passes")?, number("lanes")?);
    let salt = hex::decode(text("salt")?)?;
    let secret = std::fs::read_dir(state_dir.join("keystore"))?
        .next()
        .context("a secret")??;
    let secret = std::fs::read(secret.path())?;
    let parameters = Params::new(memory, passes, lanes, Some(32)).map_err(|e| anyhow!("{e}"))?;
    let mut stretched = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters)
        .hash_password_into(pin.as_bytes(), &salt, &mut stretched)
        .map_err(|error| anyhow!("{error}"))?;
    let mut label = b"connect/unlock/v1\0file\0\x01".to_vec();
    label.extend(hex::decode(text("keystore_secret_id")?)?);
    label.extend(text("owner")?.bytes().chain([0]));
    label.extend([memory, passes, lanes].map(u32::to_le_bytes).concat());
    label.extend(&salt);
    let mut unlock_key = [0; 32];
    Hkdf::<Sha256>::new(None, &[secret.as_slice(), &stretched].concat())
        .expand(&label, &mut unlock_key)
        .map_err(|error| anyhow!("{error}"))?;
    let master = hex::decode(text("master_key")?)?;
    let master = secretbox::open(&UnlockKey::from_bytes(&unlock_key), &master)?;
    needles.key("keystore's secret", &secret);
    needles.key("stretched PIN", &stretched);
    needles.key("unlock key", &unlock_key);
    needles.key("master key", &master);
    Ok(())
}
