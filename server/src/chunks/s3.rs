//! A store that speaks S3, in the place of a directory: what it answers is durable where it keeps it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::client::{HttpClient, HttpConnector};
use object_store::{BackoffConfig, ClientOptions, RetryConfig};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::ChunkError;
use crate::settings;

const CONNECT: Duration = Duration::from_secs(10);
/// One chunk, or one list.
const CALL: Duration = Duration::from_mins(1);
/// A client waits meanwhile, and tries again by itself.
const RETRIES: usize = 2;
const RETRY_WITHIN: Duration = Duration::from_secs(15);

/// What the file of credentials holds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Credentials {
    access_key_id: String,
    secret_access_key: String,
}

pub(super) fn open(settings: &settings::S3, state_dir: &Path) -> Result<AmazonS3, ChunkError> {
    let http = is_on_this_machine(&settings.endpoint);
    if !http && !settings.endpoint.starts_with("https://") {
        return Err(setting("endpoint is neither https:// nor on this machine"));
    }
    let path = state_dir.join(&settings.credentials);
    let unreadable = |error| ChunkError::File(path.clone(), error);
    let text = Zeroizing::new(std::fs::read_to_string(&path).map_err(unreadable)?);
    // What is wrong with it is not quoted: it is a secret.
    let credentials: Credentials = toml::from_str(&text)
        .map_err(|_| setting("the file of credentials has access_key_id and secret_access_key"))?;
    let store = AmazonS3Builder::new()
        .with_endpoint(&settings.endpoint)
        .with_allow_http(http)
        .with_bucket_name(&settings.bucket)
        .with_region(&settings.region)
        .with_access_key_id(credentials.access_key_id)
        .with_secret_access_key(credentials.secret_access_key)
        .with_retry(RetryConfig {
            backoff: BackoffConfig::default(),
            max_retries: RETRIES,
            retry_timeout: RETRY_WITHIN,
        })
        .with_http_connector(Connector(client(settings, state_dir)?))
        .build()?;
    Ok(store)
}

fn setting(what: &str) -> ChunkError {
    ChunkError::Setting(what.to_owned())
}

/// Nobody listens in between.
fn is_on_this_machine(endpoint: &str) -> bool {
    let host = endpoint.strip_prefix("http://");
    let host = host.and_then(|rest| rest.split(['/', '?', '#']).next());
    let authority = host.and_then(|host| host.parse::<http::uri::Authority>().ok());
    authority.is_some_and(|authority| {
        let named = authority.as_str();
        !named.contains('@') && matches!(authority.host(), "127.0.0.1" | "localhost" | "[::1]")
    })
}

/// By the relay's own TLS, so that there is one of it.
#[derive(Debug)]
struct Connector(reqwest::Client);

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.0.clone()))
    }
}

fn client(settings: &settings::S3, state_dir: &Path) -> Result<reqwest::Client, ChunkError> {
    let mut roots = RootCertStore::empty();
    match &settings.ca {
        Some(ca) => {
            let pem = |_| setting("ca is not a file of PEM certificates");
            let certificates = CertificateDer::pem_file_iter(state_dir.join(ca)).map_err(pem)?;
            for certificate in certificates {
                let added = roots.add(certificate.map_err(pem)?);
                added.map_err(|_| setting("ca has a certificate that is none"))?;
            }
        }
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| setting("TLS cannot be set up"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT)
        .timeout(CALL)
        .build()
        .map_err(|_| setting("HTTP cannot be set up"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_tls_it_is_this_machine_or_nothing() {
        for here in [
            "http://127.0.0.1:9000",
            "http://localhost",
            "http://[::1]:9000/",
        ] {
            assert!(is_on_this_machine(here), "{here}");
        }
        for elsewhere in [
            "http://10.0.0.1:9000",
            "http://127.0.0.1@evil.example",
            "http://localhost.evil.example",
            "https://localhost",
            "ftp://localhost",
            "",
        ] {
            assert!(!is_on_this_machine(elsewhere), "{elsewhere}");
        }
    }

    #[test]
    fn a_wrong_setting_is_told_and_a_credential_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let credentials = dir.path().join("s3.toml");
        let mut s3 = settings::S3 {
            endpoint: "https://s3.example.org".to_owned(),
            bucket: "films".to_owned(),
            region: "eu-1".to_owned(),
            credentials: "s3.toml".into(),
            ca: None,
        };
        let told = |s3: &settings::S3| open(s3, dir.path()).unwrap_err().to_string();
        assert!(told(&s3).contains("s3.toml"), "there is none");
        std::fs::write(&credentials, "access_key_id = \"canary\nsecret").unwrap();
        assert!(!told(&s3).contains("canary"));
        let good = "access_key_id = \"canary\"\nsecret_access_key = \"canary\"\n";
        std::fs::write(&credentials, good).unwrap();
        assert!(open(&s3, dir.path()).is_ok());
        s3.endpoint = "http://s3.example.org".to_owned();
        assert!(told(&s3).contains("endpoint"));
    }
}
