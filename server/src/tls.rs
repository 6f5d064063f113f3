//! TLS 1.3 by rustls on ring (D29), with the provider given explicitly: none is installed for the process.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

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
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
