//! Key bundles (§2.1.2, §5.3): what a user publishes, signed by itself and chained to the one before.

use crate::codec;
use crate::hash::{Digest, sha256};
use crate::ids::{InstallationId, UserId};
use crate::keys::{BoxPublicKey, KeyRefused, SignPublicKey};
use crate::sign::{Purpose, SignSecretKey, verify};
use crate::wire;

/// A bundle whose fields have their exact sizes, whose keys passed the gate (D4), and whose own signature verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    pub user_id: UserId,
    pub installation_id: InstallationId,
    pub box_key: BoxPublicKey,
    pub sign_key: SignPublicKey,
    pub created_ms: u64,
    /// From 1, one more per published bundle of this user.
    pub revision: u64,
    /// Of the bundle before; none on the first.
    pub previous_digest: Option<Digest>,
}

/// Why a bundle is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BundleRefused {
    #[error("a key bundle cannot be decoded")]
    Malformed,
    #[error("a key bundle carries a refused key: {0}")]
    Key(#[from] KeyRefused),
    #[error("a key bundle's own signature does not verify")]
    BadSignature,
    #[error("a key bundle's signature by the key before does not verify")]
    BadPreviousSignature,
}

/// Signs a bundle with its own key, and with the one before where that still exists (D10).
pub fn sign(
    bundle: &Bundle,
    key: &SignSecretKey,
    previous: Option<&SignSecretKey>,
) -> wire::SignedKeyBundle {
    let bytes = codec::encode(&wire::KeyBundle {
        user_id: bundle.user_id.as_str().to_owned(),
        installation_id: bundle.installation_id.to_vec(),
        box_public_key: bundle.box_key.to_vec(),
        sign_public_key: bundle.sign_key.to_vec(),
        created_ms: bundle.created_ms,
        revision: bundle.revision,
        previous_digest: bundle.previous_digest.map(Vec::from).unwrap_or_default(),
        capabilities: Vec::new(),
    });
    let by = |key: &SignSecretKey| key.sign(Purpose::Bundle, &bytes).to_vec();
    wire::SignedKeyBundle {
        signature: by(key),
        previous_signature: previous.map(by).unwrap_or_default(),
        bundle: bytes,
    }
}

/// Checks sizes, keys and the bundle's own signature. The chain is the caller's to check.
pub fn open(signed: &wire::SignedKeyBundle) -> Result<Bundle, BundleRefused> {
    let wire = decode(signed)?;
    let box_key = BoxPublicKey::admit(&wire.box_public_key)?;
    let sign_key = SignPublicKey::admit(&wire.sign_public_key)?;
    let bundle = read(&wire, box_key, sign_key)?;
    verify(
        Purpose::Bundle,
        &signed.bundle,
        &signed.signature,
        &bundle.sign_key,
    )
    .map_err(|_| BundleRefused::BadSignature)?;
    Ok(bundle)
}

/// Reads a bundle whose very bytes, by their digest, were opened before: its keys are those that were admitted then.
pub fn reopen(
    signed: &wire::SignedKeyBundle,
    box_key: BoxPublicKey,
    sign_key: SignPublicKey,
) -> Result<Bundle, BundleRefused> {
    read(&decode(signed)?, box_key, sign_key)
}

fn decode(signed: &wire::SignedKeyBundle) -> Result<wire::KeyBundle, BundleRefused> {
    codec::decode(&signed.bundle).map_err(|_| BundleRefused::Malformed)
}

fn read(
    wire: &wire::KeyBundle,
    box_key: BoxPublicKey,
    sign_key: SignPublicKey,
) -> Result<Bundle, BundleRefused> {
    let bundle = Bundle {
        user_id: wire.user_id.parse().map_err(|_| BundleRefused::Malformed)?,
        installation_id: InstallationId::try_from(wire.installation_id.as_slice())
            .map_err(|_| BundleRefused::Malformed)?,
        box_key,
        sign_key,
        created_ms: wire.created_ms,
        revision: wire.revision,
        previous_digest: match wire.previous_digest.as_slice() {
            [] => None,
            digest => Some(digest.try_into().map_err(|_| BundleRefused::Malformed)?),
        },
    };
    if bundle.revision == 0 || (bundle.revision == 1) != bundle.previous_digest.is_none() {
        return Err(BundleRefused::Malformed);
    }
    Ok(bundle)
}

/// The signature by the key of the bundle before (D10).
pub fn check_previous_signature(
    signed: &wire::SignedKeyBundle,
    previous: &SignPublicKey,
) -> Result<(), BundleRefused> {
    verify(
        Purpose::Bundle,
        &signed.bundle,
        &signed.previous_signature,
        previous,
    )
    .map_err(|_| BundleRefused::BadPreviousSignature)
}

/// SHA-256 of the bundle's bytes: what the next one chains to.
pub fn digest(signed: &wire::SignedKeyBundle) -> Digest {
    sha256(&signed.bundle)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle(key: &SignSecretKey) -> Bundle {
        Bundle {
            user_id: "alice".parse().unwrap(),
            installation_id: InstallationId::from_bytes([1; 8]),
            box_key: BoxPublicKey::admit(&[[9_u8].as_slice(), &[0; 31]].concat()).unwrap(),
            sign_key: key.public_key(),
            created_ms: 5,
            revision: 1,
            previous_digest: None,
        }
    }

    #[test]
    fn a_signed_bundle_opens_to_what_was_signed() {
        let key = SignSecretKey::from_seed(&[1; 32]);
        let made = bundle(&key);
        assert_eq!(open(&sign(&made, &key, None)), Ok(made));
    }

    #[test]
    fn a_bundle_signed_by_another_key_is_refused() {
        let key = SignSecretKey::from_seed(&[1; 32]);
        let other = SignSecretKey::from_seed(&[2; 32]);
        let signed = sign(&bundle(&key), &other, None);
        assert_eq!(open(&signed), Err(BundleRefused::BadSignature));
    }

    #[test]
    fn a_bundle_with_a_low_order_key_is_refused() {
        let key = SignSecretKey::from_seed(&[1; 32]);
        let mut made = bundle(&key);
        made.box_key = BoxPublicKey::from_trusted([0; 32]);
        assert_eq!(
            open(&sign(&made, &key, None)),
            Err(BundleRefused::Key(KeyRefused::WrongSubgroup))
        );
    }

    #[test]
    fn a_first_bundle_has_no_predecessor_and_a_later_one_has() {
        let key = SignSecretKey::from_seed(&[1; 32]);
        let mut made = bundle(&key);
        made.previous_digest = Some([4; 32]);
        assert_eq!(
            open(&sign(&made, &key, None)),
            Err(BundleRefused::Malformed)
        );
        made.revision = 2;
        assert!(open(&sign(&made, &key, None)).is_ok());
    }

    #[test]
    fn the_key_before_countersigns() {
        let old = SignSecretKey::from_seed(&[1; 32]);
        let new = SignSecretKey::from_seed(&[2; 32]);
        let signed = sign(&bundle(&new), &new, Some(&old));
        assert!(check_previous_signature(&signed, &old.public_key()).is_ok());
        assert!(check_previous_signature(&signed, &new.public_key()).is_err());
    }
}
