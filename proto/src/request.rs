//! The request signature (§8.3, D8): what signs a call to the relay, and what checks it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::codec;
use crate::hash::{Digest, sha256};
use crate::ids::UserId;
use crate::keys::SignPublicKey;
use crate::routes;
use crate::sign::{SignSecretKey, verify_bytes};
use crate::wire::SignatureHeader;

pub const NONCE_LEN: usize = 16;
const SIGNATURE_LEN: usize = 64;

/// One call to the relay, as both ends see it.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    pub method: &'a str,
    /// `host:port`, the port always written out: `routes::authority`.
    pub authority: &'a str,
    /// The exact path requested.
    pub path: &'a str,
    pub body_sha256: &'a Digest,
}

/// Who calls, when, and with which single-use nonce.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    pub user_id: &'a UserId,
    pub timestamp_ms: u64,
    pub nonce: [u8; NONCE_LEN],
    pub client_type: &'a str,
    pub build_number: u32,
}

/// Makes the value of `x-siilo-sig`: Base64(signature || header bytes).
pub fn sign(call: Call<'_>, caller: Caller<'_>, key: &SignSecretKey) -> String {
    let header = codec::encode(&SignatureHeader {
        timestamp: caller.timestamp_ms,
        user_id: caller.user_id.as_str().to_owned(),
        build_number: caller.build_number,
        uri_path: call.path.to_owned(),
        client_type: caller.client_type.to_owned(),
        method: call.method.to_owned(),
        authority: call.authority.to_owned(),
        body_sha256: call.body_sha256.to_vec(),
        nonce: caller.nonce.to_vec(),
    });
    let mut signed = key.sign_bytes(&header).to_vec();
    signed.extend_from_slice(&header);
    STANDARD.encode(signed)
}

/// Why a request is not authenticated, in the order in which it is checked (`relay.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RequestRefused {
    #[error("the signature header is too long")]
    TooLong,
    #[error("the signature header cannot be decoded")]
    Malformed,
    #[error("the header names another user")]
    OtherUser,
    #[error("the timestamp is outside the window")]
    OutsideWindow,
    #[error("the signature does not verify")]
    BadSignature,
    #[error("the signature is for another method, authority or path")]
    OtherCall,
    #[error("the signature is for another body")]
    OtherBody,
}

/// A header that was decoded but not yet verified.
pub struct Claim {
    bytes: Vec<u8>,
    signature: Vec<u8>,
    header: SignatureHeader,
    nonce: [u8; NONCE_LEN],
}

impl std::fmt::Debug for Claim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Claim(..)")
    }
}

impl Claim {
    /// The checks that need no key: length, form, user, window.
    pub fn parse(value: &str, user_id: &UserId, now_ms: u64) -> Result<Self, RequestRefused> {
        if value.len() > routes::MAX_SIGNATURE_HEADER {
            return Err(RequestRefused::TooLong);
        }
        let mut signature = STANDARD
            .decode(value)
            .map_err(|_| RequestRefused::Malformed)?;
        if signature.len() <= SIGNATURE_LEN {
            return Err(RequestRefused::Malformed);
        }
        let bytes = signature.split_off(SIGNATURE_LEN);
        let header: SignatureHeader =
            codec::decode(&bytes).map_err(|_| RequestRefused::Malformed)?;
        let nonce = header
            .nonce
            .as_slice()
            .try_into()
            .map_err(|_| RequestRefused::Malformed)?;
        if header.user_id != user_id.as_str() {
            return Err(RequestRefused::OtherUser);
        }
        if header.timestamp.abs_diff(now_ms) > routes::SIGNATURE_WINDOW_MS {
            return Err(RequestRefused::OutsideWindow);
        }
        Ok(Self {
            bytes,
            signature,
            header,
            nonce,
        })
    }

    /// The signature over exactly the bytes that were parsed, and the call that it was made for.
    /// The body may still be on its way: `check_body` comes last.
    pub fn verify(
        &self,
        method: &str,
        authority: &str,
        path: &str,
        key: &SignPublicKey,
    ) -> Result<Verified, RequestRefused> {
        verify_bytes(&self.bytes, &self.signature, key)
            .map_err(|_| RequestRefused::BadSignature)?;
        let header = &self.header;
        if header.method != method || header.authority != authority || header.uri_path != path {
            return Err(RequestRefused::OtherCall);
        }
        Ok(Verified {
            nonce: self.nonce,
            timestamp_ms: header.timestamp,
            body_sha256: header.body_sha256.clone(),
        })
    }
}

/// A header whose signature verified; its nonce and body are still to be checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    pub nonce: [u8; NONCE_LEN],
    pub timestamp_ms: u64,
    body_sha256: Vec<u8>,
}

impl Verified {
    /// The body's digest, once it was found to be the one that was signed.
    pub fn check_body(&self, body: &[u8]) -> Result<Digest, RequestRefused> {
        let digest = sha256(body);
        if digest.as_slice() == self.body_sha256 {
            Ok(digest)
        } else {
            Err(RequestRefused::OtherBody)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_790_000_000_000;

    fn key() -> SignSecretKey {
        SignSecretKey::from_seed(&[3; 32])
    }

    fn user() -> UserId {
        "alice".parse().unwrap()
    }

    fn signed(body: &[u8]) -> String {
        let call = Call {
            method: "POST",
            authority: "relay:443",
            path: routes::SEND,
            body_sha256: &sha256(body),
        };
        let caller = Caller {
            user_id: &user(),
            timestamp_ms: NOW,
            nonce: [9; NONCE_LEN],
            client_type: "test/1",
            build_number: 1,
        };
        sign(call, caller, &key())
    }

    fn verify(
        value: &str,
        method: &str,
        authority: &str,
        path: &str,
    ) -> Result<Verified, RequestRefused> {
        Claim::parse(value, &user(), NOW)?.verify(method, authority, path, &key().public_key())
    }

    #[test]
    fn a_signed_request_verifies() {
        let verified = verify(&signed(b"body"), "POST", "relay:443", routes::SEND).unwrap();
        assert_eq!(verified.nonce, [9; NONCE_LEN]);
        assert!(verified.check_body(b"body").is_ok());
        assert_eq!(
            verified.check_body(b"other"),
            Err(RequestRefused::OtherBody)
        );
    }

    #[test]
    fn a_signature_for_another_call_is_refused() {
        let value = signed(b"");
        for (method, authority, path) in [
            ("PUT", "relay:443", routes::SEND),
            ("POST", "evil:443", routes::SEND),
            ("POST", "relay:443", routes::RECEIVE),
        ] {
            assert_eq!(
                verify(&value, method, authority, path),
                Err(RequestRefused::OtherCall)
            );
        }
    }

    #[test]
    fn a_timestamp_outside_the_window_is_refused_either_way() {
        let value = signed(b"");
        for now in [NOW - 300_001, NOW + 300_001] {
            let refused = Claim::parse(&value, &user(), now).unwrap_err();
            assert_eq!(refused, RequestRefused::OutsideWindow);
        }
        for now in [NOW - 300_000, NOW + 300_000] {
            assert!(Claim::parse(&value, &user(), now).is_ok());
        }
    }

    #[test]
    fn malformed_headers_are_refused() {
        let too_long = "A".repeat(routes::MAX_SIGNATURE_HEADER + 1);
        let parse = |value: &str| Claim::parse(value, &user(), NOW).unwrap_err();
        assert_eq!(parse(&too_long), RequestRefused::TooLong);
        assert_eq!(parse("%%%"), RequestRefused::Malformed);
        assert_eq!(parse(&STANDARD.encode([0; 64])), RequestRefused::Malformed);
        assert_eq!(
            parse(&STANDARD.encode([0xff; 99])),
            RequestRefused::Malformed
        );
        let other: UserId = "bob".parse().unwrap();
        assert_eq!(
            Claim::parse(&signed(b""), &other, NOW).unwrap_err(),
            RequestRefused::OtherUser
        );
    }

    #[test]
    fn a_flipped_bit_is_refused() {
        let mut raw = STANDARD.decode(signed(b"")).unwrap();
        raw[0] ^= 1;
        let value = STANDARD.encode(raw);
        assert_eq!(
            verify(&value, "POST", "relay:443", routes::SEND),
            Err(RequestRefused::BadSignature)
        );
    }
}
