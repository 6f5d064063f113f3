//! The sealed file: its shape, what of it is bound into the key that opens it, and how it is read from hostile bytes.

use connect_core::nonce::NONCE_LEN;
use connect_proto::hash::sha256;
use connect_proto::ids::UserId;
use serde::{Deserialize, Serialize};

use crate::cost::KdfCost;
use crate::keystore::{KeystoreKind, SecretId};

/// A sealed file is about 1 KiB, and a few hundred bytes more for each retired key; nothing longer than this is read.
pub const MAX_BYTES: usize = 64 << 10;
/// How many retired keys are kept: past these, the oldest goes.
pub const MAX_RETIRED: usize = 64;
pub(crate) const SALT_LEN: usize = 16;
/// As every file was before keys could be rotated, and is until they are.
const FIRST_VERSION: u32 = 1;
/// It may hold retired keys, and those of a rotation that has begun.
const VERSION: u32 = 2;
const TAG_LEN: usize = 16;
pub(crate) const MASTER_LEN: usize = NONCE_LEN + TAG_LEN + 32;

/// The bytes are not a sealed file, or not as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a sealed file of version {FIRST_VERSION} or {VERSION}, or damaged")]
pub struct Malformed;

/// What is readable without any key; every field is bound into the unlock key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) keystore: KeystoreKind,
    /// Of the keystore's secret, where the keystore has one.
    pub(crate) secret_id: Option<SecretId>,
    pub(crate) owner: UserId,
    pub(crate) cost: KdfCost,
    pub(crate) salt: [u8; SALT_LEN],
}

impl Header {
    /// The HKDF label: each field of a fixed length, or ended by a zero byte that it cannot contain.
    pub(crate) fn binding(&self) -> Vec<u8> {
        let mut bound = b"connect/unlock/v1\0".to_vec();
        bound.extend_from_slice(self.keystore.name().as_bytes());
        bound.push(0);
        bound.push(u8::from(self.secret_id.is_some()));
        if let Some(id) = &self.secret_id {
            bound.extend_from_slice(id.as_bytes());
        }
        bound.extend_from_slice(self.owner.as_str().as_bytes());
        bound.push(0);
        for number in [
            self.cost.memory_kib(),
            self.cost.passes(),
            self.cost.lanes(),
        ] {
            bound.extend_from_slice(&number.to_le_bytes());
        }
        bound.extend_from_slice(&self.salt);
        bound
    }
}

/// A sealed file that was read. Whether it is genuine shows when its keys are opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    pub(crate) header: Header,
    /// The master key under the unlock key.
    pub(crate) master: Vec<u8>,
    /// The master key under the recovery key, where the account has one.
    pub(crate) recovery: Option<Vec<u8>>,
    /// The keys under the master key, or under the local-file key that is among them.
    pub(crate) wrapped: Wrapped,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wrapped {
    #[serde(rename = "box", with = "hex::serde")]
    pub(crate) boxing: Vec<u8>,
    #[serde(rename = "sign", with = "hex::serde")]
    pub(crate) signing: Vec<u8>,
    #[serde(with = "hex::serde")]
    pub(crate) database: Vec<u8>,
    #[serde(with = "hex::serde")]
    pub(crate) local_file: Vec<u8>,
    /// Newest first.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(crate) retired: Vec<Retired>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) next: Option<Next>,
}

/// A Box Key that was in force once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Retired(#[serde(with = "hex::serde")] pub(crate) Vec<u8>);

/// What a rotation is going to put in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Next {
    #[serde(rename = "box", with = "hex::serde")]
    pub(crate) boxing: Vec<u8>,
    #[serde(rename = "sign", with = "hex::serde")]
    pub(crate) signing: Vec<u8>,
}

impl Wrapped {
    /// A file without what is new in a later version is written as before: an older daemon opens it.
    fn version(&self) -> u32 {
        if self.retired.is_empty() && self.next.is_none() {
            FIRST_VERSION
        } else {
            VERSION
        }
    }

    /// What a rotation left, for the checksum.
    fn of_rotations(&self) -> impl Iterator<Item = &Vec<u8>> {
        let retired = self.retired.iter().map(|retired| &retired.0);
        let next = self.next.iter();
        retired.chain(next.flat_map(|next| [&next.boxing, &next.signing]))
    }
}

/// As it lies on the disk.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    keystore: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    keystore_secret_id: Option<String>,
    owner: String,
    argon2id: Argon2id,
    #[serde(with = "hex::serde")]
    salt: [u8; SALT_LEN],
    #[serde(with = "hex::serde")]
    master_key: Vec<u8>,
    #[serde(with = "hex_or_none", skip_serializing_if = "Option::is_none", default)]
    recovery: Option<Vec<u8>>,
    keys: Wrapped,
    /// Tells a damaged file from a wrong PIN. It protects nothing: the boxes do.
    #[serde(with = "hex::serde")]
    checksum: [u8; 32],
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Argon2id {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl Sealed {
    /// Reads a file. What is wrong with it is not told: it might quote content.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        if bytes.len() > MAX_BYTES {
            return Err(Malformed);
        }
        let file: File = serde_json::from_slice(bytes).map_err(|_| Malformed)?;
        let checksum = file.checksum;
        let sealed = Self::try_from(file)?;
        if sealed.checksum() == checksum {
            Ok(sealed)
        } else {
            Err(Malformed)
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let Header {
            keystore,
            secret_id,
            owner,
            cost,
            salt,
        } = &self.header;
        let file = File {
            version: self.wrapped.version(),
            keystore: keystore.name().to_owned(),
            keystore_secret_id: secret_id.as_ref().map(SecretId::to_string),
            owner: owner.as_str().to_owned(),
            argon2id: Argon2id {
                memory_kib: cost.memory_kib(),
                passes: cost.passes(),
                lanes: cost.lanes(),
            },
            salt: *salt,
            master_key: self.master.clone(),
            recovery: self.recovery.clone(),
            keys: self.wrapped.clone(),
            checksum: self.checksum(),
        };
        serde_json::to_vec_pretty(&file).expect("no map, no float: it serializes")
    }

    fn checksum(&self) -> [u8; 32] {
        let mut bytes = self.header.binding();
        for part in [
            &self.master,
            &self.wrapped.boxing,
            &self.wrapped.signing,
            &self.wrapped.database,
            &self.wrapped.local_file,
        ]
        .into_iter()
        .chain(&self.recovery)
        .chain(self.wrapped.of_rotations())
        {
            bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
            bytes.extend_from_slice(part);
        }
        sha256(&bytes)
    }
}

impl TryFrom<File> for Sealed {
    type Error = Malformed;

    fn try_from(file: File) -> Result<Self, Malformed> {
        let Argon2id {
            memory_kib,
            passes,
            lanes,
        } = file.argon2id;
        let secret_id = file.keystore_secret_id.as_deref().map(secret_id);
        let header = Header {
            keystore: file.keystore.parse().map_err(|_| Malformed)?,
            secret_id: secret_id.transpose()?,
            owner: file.owner.parse().map_err(|_| Malformed)?,
            cost: KdfCost::read(memory_kib, passes, lanes).ok_or(Malformed)?,
            salt: file.salt,
        };
        let has_secret = header.secret_id.is_some();
        let needs_secret = header.keystore.has_secret();
        if file.version != file.keys.version()
            || file.keys.retired.len() > MAX_RETIRED
            || file.master_key.len() != MASTER_LEN
            || file
                .recovery
                .as_ref()
                .is_some_and(|it| it.len() != MASTER_LEN)
            || has_secret != needs_secret
        {
            return Err(Malformed);
        }
        Ok(Self {
            header,
            master: file.master_key,
            recovery: file.recovery,
            wrapped: file.keys,
        })
    }
}

mod hex_or_none {
    use serde::{Deserialize as _, Deserializer, Serializer};

    #[expect(clippy::ref_option, reason = "serde calls it so")]
    pub(super) fn serialize<S: Serializer>(
        bytes: &Option<Vec<u8>>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => hex::serde::serialize(bytes, to),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Vec<u8>>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| hex::decode(text).map_err(serde::de::Error::custom))
            .transpose()
    }
}

fn secret_id(text: &str) -> Result<SecretId, Malformed> {
    let mut bytes = [0; SecretId::LEN];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| Malformed)?;
    Ok(SecretId::from_bytes(bytes))
}

#[cfg(test)]
mod tests;
