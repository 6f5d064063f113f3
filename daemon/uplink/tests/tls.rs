//! Which servers are taken for the relay: those with a valid certificate and, in addition, a pinned key (D29, §10.7).
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![expect(dead_code, reason = "the support module serves two tests")]

mod support;

use connect_uplink::error::UplinkError;
use connect_uplink::uplink::SendOutcome;
use rcgen::KeyPair;
use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};
use support::{Authority, Daemon, Identity, NOW, Relay, address, answer, authority, pin, rng};

/// What a send comes to, at a relay of that identity, and whether the relay saw any of it.
async fn send(
    identity: &Identity,
    signed_by: &Authority,
    pins: &[String],
    trusted: &Authority,
    tls12: bool,
) -> (Result<SendOutcome, UplinkError>, bool) {
    let relay = Relay::start(identity, signed_by, [answer(204, &[], b"")]).await;
    let mut address = address(&relay.url(), pins, trusted);
    if tls12 {
        address = address.with_tls12();
    }
    let daemon = Daemon::new(&address);
    let outcome = daemon
        .uplink
        .send(daemon.credentials(), NOW, &mut rng(), b"envelope")
        .await;
    (outcome, !relay.requests().is_empty())
}

static ONLY_12: &[&SupportedProtocolVersion] = &[&TLS12];
static ONLY_13: &[&SupportedProtocolVersion] = &[&TLS13];

fn spare() -> String {
    pin(&[1; 32])
}

const ACCEPTED: (Result<SendOutcome, UplinkError>, bool) = (Ok(SendOutcome::Accepted), true);

const fn refused(error: UplinkError) -> (Result<SendOutcome, UplinkError>, bool) {
    (Err(error), false)
}

#[tokio::test]
async fn a_valid_certificate_with_a_pinned_key_is_taken() {
    let (ca, identity) = (authority(), Identity::new());
    for pins in [[identity.pin(), spare()], [spare(), identity.pin()]] {
        assert_eq!(send(&identity, &ca, &pins, &ca, false).await, ACCEPTED);
    }
}

#[tokio::test]
async fn a_valid_certificate_with_another_key_is_a_pin_mismatch() {
    let (ca, identity) = (authority(), Identity::new());
    let pins = [Identity::new().pin(), spare()];
    let outcome = send(&identity, &ca, &pins, &ca, false).await;
    assert_eq!(outcome, refused(UplinkError::PinMismatch));
}

#[tokio::test]
async fn a_pin_alone_makes_no_certificate_valid() {
    let ca = authority();
    let expired = Identity {
        expired: true,
        ..Identity::new()
    };
    let elsewhere = Identity {
        host: "elsewhere.example.org",
        ..Identity::new()
    };
    for (identity, signed_by) in [
        (Identity::new(), &authority()),
        (expired, &ca),
        (elsewhere, &ca),
    ] {
        let pins = [identity.pin(), spare()];
        let outcome = send(&identity, signed_by, &pins, &ca, false).await;
        assert_eq!(outcome, refused(UplinkError::CertificateInvalid));
    }
}

#[tokio::test]
async fn the_pin_of_the_authority_does_not_serve_for_the_server() {
    let (ca, identity) = (authority(), Identity::new());
    let of_ca =
        connect_proto::hash::sha256(&rcgen::PublicKeyData::subject_public_key_info(ca.key()));
    let outcome = send(&identity, &ca, &[pin(&of_ca), spare()], &ca, false).await;
    assert_eq!(outcome, refused(UplinkError::PinMismatch));
}

fn rsa() -> KeyPair {
    KeyPair::from_pem(include_str!("support/rsa2048.pem")).unwrap()
}

#[tokio::test]
async fn tls_1_2_is_spoken_only_where_allowed_and_with_an_rsa_key_only() {
    let ca = authority();
    let old = |key| Identity {
        versions: ONLY_12,
        ..Identity::with_key(key)
    };
    let identity = old(rsa());
    let pins = [identity.pin(), spare()];
    let outcome = send(&identity, &ca, &pins, &ca, false).await;
    assert_eq!(outcome, refused(UplinkError::Unreachable));
    assert_eq!(send(&identity, &ca, &pins, &ca, true).await, ACCEPTED);

    let elliptic = old(KeyPair::generate().unwrap());
    let pins = [elliptic.pin(), spare()];
    let outcome = send(&elliptic, &ca, &pins, &ca, true).await;
    assert_eq!(outcome, refused(UplinkError::Unreachable));
}

#[tokio::test]
async fn the_pin_is_checked_over_tls_1_2_too() {
    let ca = authority();
    let identity = Identity {
        versions: ONLY_12,
        ..Identity::with_key(rsa())
    };
    let pins = [Identity::new().pin(), spare()];
    let outcome = send(&identity, &ca, &pins, &ca, true).await;
    assert_eq!(outcome, refused(UplinkError::PinMismatch));
}

#[tokio::test]
async fn tls_1_3_is_spoken_where_tls_1_2_is_allowed_as_well() {
    let ca = authority();
    let identity = Identity {
        versions: ONLY_13,
        ..Identity::new()
    };
    let pins = [identity.pin(), spare()];
    assert_eq!(send(&identity, &ca, &pins, &ca, true).await, ACCEPTED);
}
