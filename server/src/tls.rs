//! TLS 1.3 by rustls on ring (D29), with the provider given explicitly: none is installed for the process.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::{ConfigBuilder, ServerConfig, WantsVerifier};

use crate::identity::{CERTIFICATE, KEY};

/// The certificate in the state directory cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{0} does not exist: run `connect-relay init` first")]
    Missing(PathBuf),
    #[error("{0} is not readable as PEM")]
    Pem(PathBuf),
    #[error("the certificate and its key cannot be used: {0}")]
    Refused(#[from] rustls::Error),
}

pub(crate) fn server_config(state_dir: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let (chain, key) = read(state_dir)?;
    let mut config = tls13()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// The same certificate for operators, who show one of their own.
pub(crate) fn operators_config(
    state_dir: &Path,
    clients: Arc<dyn ClientCertVerifier>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let (chain, key) = read(state_dir)?;
    let config = tls13()?
        .with_client_cert_verifier(clients)
        .with_single_cert(chain, key)?;
    Ok(Arc::new(config))
}

fn tls13() -> Result<ConfigBuilder<ServerConfig, WantsVerifier>, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider);
    Ok(builder.with_protocol_versions(&[&rustls::version::TLS13])?)
}

fn read(
    state_dir: &Path,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
    let (certificate, key) = (state_dir.join(CERTIFICATE), state_dir.join(KEY));
    for path in [&certificate, &key] {
        if !path.exists() {
            return Err(TlsError::Missing(path.clone()));
        }
    }
    let chain: Vec<_> = CertificateDer::pem_file_iter(&certificate)
        .and_then(Iterator::collect)
        .map_err(|_| TlsError::Pem(certificate))?;
    let key = PrivateKeyDer::from_pem_file(&key).map_err(|_| TlsError::Pem(key))?;
    Ok((chain, key))
}
