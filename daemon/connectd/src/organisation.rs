//! What an organisation does without a daemon: it makes its key, and signs whose keys are whose (D25).

use std::fs::OpenOptions;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use connect_api::trust::{SignedVerification, Verification, VerificationEntry};
use connect_proto::hash::Digest;
use connect_proto::ids::UserId;
use connect_proto::sign::{Purpose, SignSecretKey};
use connect_service::chance::Chance;
use connect_service::verification::Named;
use zeroize::Zeroizing;

/// A seed in hex and a line break.
const KEY_FILE: u64 = 65;
/// No list that makes a line for the socket is longer.
const LIST_FILE: u64 = 1 << 20;

#[derive(Debug, thiserror::Error)]
pub enum OrganisationError {
    #[error("{} cannot be read: {error}", path.display())]
    Read { path: PathBuf, error: io::Error },
    #[error("{} cannot be written: {error}", path.display())]
    Write { path: PathBuf, error: io::Error },
    #[error("{} can be read by others: chmod 600 it", .0.display())]
    Exposed(PathBuf),
    #[error("{} is no organisation's key", .0.display())]
    NoKey(PathBuf),
    #[error(
        "line {0} of the list is not USER and a key (64 digits of hex) or fingerprint (30 digits)"
    )]
    Line(usize),
}

/// A new key in a file of its own, which nobody else can read. Returns the public half, in hex.
pub fn make_key(path: &Path, chance: &mut Chance) -> Result<String, OrganisationError> {
    let key = SignSecretKey::generate(chance);
    let seed = Zeroizing::new(hex::encode(key.expose_seed()) + "\n");
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| {
            file.write_all(seed.as_bytes())?;
            file.sync_all()
        });
    written.map_err(|error| OrganisationError::Write {
        path: path.to_owned(),
        error,
    })?;
    Ok(hex::encode(key.public_key().as_bytes()))
}

/// The public half of a key that was made before, in hex.
pub fn public_key(path: &Path) -> Result<String, OrganisationError> {
    Ok(hex::encode(read_key(path)?.public_key().as_bytes()))
}

/// What is the same for every entry of a file.
#[derive(Debug, Clone)]
pub struct Heading {
    pub organisation: String,
    pub serial: u64,
    pub issued_ms: u64,
    pub valid_until_ms: u64,
}

/// Signs a list: a user id and a key or fingerprint on each line, and `#` before a remark.
pub fn sign(
    key: &Path,
    heading: Heading,
    list: &Path,
) -> Result<SignedVerification, OrganisationError> {
    let key = read_key(key)?;
    let list = read(list, LIST_FILE)?;
    let statement = Verification {
        organisation: heading.organisation,
        serial: heading.serial,
        issued_ms: heading.issued_ms,
        valid_until_ms: heading.valid_until_ms,
        entries: entries(&list)?,
    };
    let statement = serde_json::json!(statement).to_string();
    let signature = key.sign(Purpose::Verification, statement.as_bytes());
    Ok(SignedVerification {
        statement,
        signature: hex::encode(signature),
    })
}

fn entries(list: &str) -> Result<Vec<VerificationEntry>, OrganisationError> {
    let mut entries = Vec::new();
    for (place, line) in list.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if !line.is_empty() {
            entries.push(entry(line).ok_or(OrganisationError::Line(place + 1))?);
        }
    }
    Ok(entries)
}

fn entry(line: &str) -> Option<VerificationEntry> {
    let (user_id, key) = line.split_once(char::is_whitespace)?;
    let user_id: UserId = user_id.parse().ok()?;
    let key = key.trim();
    let is_digest = hex::decode(key).is_ok_and(|bytes| bytes.len() == size_of::<Digest>());
    if !is_digest {
        Named::fingerprint(key)?;
    }
    Some(VerificationEntry {
        user_id: user_id.into_string(),
        key: is_digest.then(|| key.to_ascii_lowercase()),
        fingerprint: (!is_digest).then(|| key.to_owned()),
    })
}

fn read_key(path: &Path) -> Result<SignSecretKey, OrganisationError> {
    let text = read(path, KEY_FILE)?;
    let mode = std::fs::metadata(path).map(|found| found.permissions().mode());
    if mode.is_ok_and(|mode| mode & 0o077 != 0) {
        return Err(OrganisationError::Exposed(path.to_owned()));
    }
    let mut seed = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text.trim_end(), seed.as_mut_slice())
        .map_err(|_| OrganisationError::NoKey(path.to_owned()))?;
    Ok(SignSecretKey::from_seed(&seed))
}

fn read(path: &Path, longest: u64) -> Result<Zeroizing<String>, OrganisationError> {
    let mut text = Zeroizing::new(String::with_capacity(4096));
    std::fs::File::open(path)
        .and_then(|file| file.take(longest).read_to_string(&mut text))
        .map_err(|error| OrganisationError::Read {
            path: path.to_owned(),
            error,
        })?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_is_its_owner_s_alone_and_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let public = make_key(&path, &mut Chance::system()).unwrap();
        assert_eq!(public_key(&path).unwrap(), public);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let again = make_key(&path, &mut Chance::system());
        assert!(matches!(again, Err(OrganisationError::Write { .. })));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let exposed = public_key(&path);
        assert!(matches!(exposed, Err(OrganisationError::Exposed(_))));
    }

    #[test]
    fn a_list_is_read_line_by_line_and_a_mistake_told_with_its_line() {
        let digest = "AB".repeat(32);
        let list = format!(
            "# ward 3\nbob 12345 12345 12345 12345 12345 12345 # nurse\n\ncarol {digest}\n"
        );
        let read = entries(&list).unwrap();
        assert_eq!(read.len(), 2);
        assert_eq!(read[1].key, Some("ab".repeat(32)));
        assert!(read[0].fingerprint.is_some() && read[0].key.is_none());
        for (bad, line) in [("bob", 1), ("\nbob 123", 2), ("b\u{e9} 1", 1)] {
            assert!(
                matches!(entries(bad), Err(OrganisationError::Line(at)) if at == line),
                "{bad}"
            );
        }
    }
}
