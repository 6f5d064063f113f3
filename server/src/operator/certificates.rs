//! TLS with client certificates: the fingerprint of one is its operator's credential.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use connect_proto::hash::sha256;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::server::WebPkiClientVerifier;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::api::Peer;
use super::listener::ListenError;
use crate::tls;

/// Lets in whom the client CA knows; who that is, the list of credentials says.
#[derive(Clone)]
pub(super) struct Doorman(TlsAcceptor);

impl std::fmt::Debug for Doorman {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Doorman(..)")
    }
}

impl Doorman {
    pub(super) fn new(state_dir: &Path, client_ca: Option<&Path>) -> Result<Self, ListenError> {
        let refused = |what: String| ListenError::ClientCa(what);
        let path = client_ca.ok_or_else(|| {
            refused(
                "operators.listen takes a file with the CA of the client certificates".to_owned(),
            )
        })?;
        let path = state_dir.join(path);
        let unreadable = || refused(format!("{} is not readable as PEM", path.display()));
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(&path).map_err(|_| unreadable())? {
            let added = certificate.map(|certificate| roots.add(certificate));
            added
                .map_err(|_| unreadable())?
                .map_err(|error| refused(error.to_string()))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|error| refused(error.to_string()))?;
        let config = tls::operators_config(state_dir, verifier)
            .map_err(|error| refused(error.to_string()))?;
        Ok(Self(TlsAcceptor::from(config)))
    }

    pub(super) async fn admit(
        &self,
        stream: TcpStream,
        within: Duration,
    ) -> Option<(TlsStream<TcpStream>, Peer)> {
        let stream = match timeout(within, self.0.accept(stream)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                tracing::debug!(%error, "an operator's TLS handshake failed");
                return None;
            }
            Err(_) => return None,
        };
        let certificate = stream.get_ref().1.peer_certificates()?.first()?;
        let peer = Peer::Certificate(sha256(certificate));
        Some((stream, peer))
    }
}
