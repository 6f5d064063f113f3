//! TLS with normal validation and, in addition, pinned keys (D29, §10.7).

use std::collections::BTreeSet;
use std::error::Error as StdError;
use std::sync::Arc;
use std::{fmt, io};

use connect_proto::hash::sha256;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::{cipher_suite, default_provider};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::version::{TLS12, TLS13};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore,
    SignatureScheme, SupportedCipherSuite, SupportedProtocolVersion,
};

use crate::address::{Pin, RelayAddress};
use crate::error::UplinkError;

/// HTTP/1.1 with keep-alive: faster than HTTP/2 for single requests, and a long poll keeps its connection to itself.
const ALPN: &[u8] = b"http/1.1";

pub(crate) fn config(address: &RelayAddress) -> Result<ClientConfig, UplinkError> {
    let mut roots = RootCertStore::empty();
    if address.roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    for root in &address.roots {
        roots.add(root.clone()).map_err(|_| UplinkError::Setup)?;
    }
    let provider = Arc::new(provider(address.tls12));
    let webpki =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .map_err(|_| UplinkError::Setup)?;
    let verifier = PinnedVerifier {
        webpki,
        pins: address.pins.clone(),
    };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(if address.tls12 {
            WITH_TLS12
        } else {
            TLS13_ONLY
        })
        .map_err(|_| UplinkError::Setup)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(config)
}

static TLS13_ONLY: &[&SupportedProtocolVersion] = &[&TLS13];
static WITH_TLS12: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];

/// Every suite of TLS 1.3, and of TLS 1.2 the two that the whitepaper names: both need a server key of RSA.
fn provider(tls12: bool) -> CryptoProvider {
    let mut provider = default_provider();
    provider
        .cipher_suites
        .retain(|suite| suite.version() == &TLS13 || (tls12 && TLS12_SUITES.contains(suite)));
    provider
}

const TLS12_SUITES: [SupportedCipherSuite; 2] = [
    cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
];

/// The certificate's key is none that we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server's key is not a pinned one")]
pub(crate) struct NotPinned;

struct PinnedVerifier {
    webpki: Arc<WebPkiServerVerifier>,
    pins: BTreeSet<Pin>,
}

impl fmt::Debug for PinnedVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PinnedVerifier(..)")
    }
}

impl ServerCertVerifier for PinnedVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        // First: an unknown key is nobody's to wave through, whatever else is wrong with the certificate.
        let key = ParsedCertificate::try_from(end_entity)?.subject_public_key_info();
        if !self.pins.contains(&sha256(&key)) {
            let other = OtherError(Arc::new(NotPinned));
            return Err(Error::InvalidCertificate(CertificateError::Other(other)));
        }
        self.webpki
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls12_signature(message, cert, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls13_signature(message, cert, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}

/// What a failed connection was about, by the errors that it was made of.
pub(crate) fn classify(error: &reqwest::Error) -> UplinkError {
    let mut cause = StdError::source(error);
    while let Some(error) = cause {
        match error.downcast_ref::<Error>() {
            Some(Error::InvalidCertificate(CertificateError::Other(other)))
                if other.0.downcast_ref::<NotPinned>().is_some() =>
            {
                return UplinkError::PinMismatch;
            }
            Some(Error::InvalidCertificate(_)) => return UplinkError::CertificateInvalid,
            _ => cause = inner(error),
        }
    }
    UplinkError::Unreachable
}

/// An `io::Error` that wraps an error names as its source what is behind that one, not the error itself.
fn inner<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    match error.downcast_ref::<io::Error>() {
        Some(io) => io.get_ref().map(|inner| inner as _),
        None => error.source(),
    }
}
