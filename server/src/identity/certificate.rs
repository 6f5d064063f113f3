//! The private CA, the relay's certificate, the spare key, and the pins of both.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use connect_proto::hash::sha256;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PublicKeyData as _, date_time_ymd,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use x509_parser::extensions::GeneralName;
use zeroize::Zeroizing;

use super::{CA, CA_KEY, CERTIFICATE, InitError, KEY, SPARE_KEY, files};
use crate::limits::{DAY_MS, SECOND_MS};

const CA_LIFETIME_MS: u64 = 3_650 * DAY_MS;
/// The longest that common clients accept.
const LEAF_LIFETIME_MS: u64 = 825 * DAY_MS;
/// Clients whose clocks are a little behind must not refuse a new relay.
const BACKDATED_MS: u64 = DAY_MS;

/// What is known from the certificate in use.
pub(crate) struct Leaf {
    pub(crate) pin: String,
    pub(crate) expires_ms: u64,
    /// The host names and addresses that it is valid for, wildcards left out.
    pub(crate) hosts: Vec<String>,
}

/// Certificate, key and spare key are there afterwards. An administrator's own certificate is left as it is.
pub(super) fn ensure(state_dir: &Path, hosts: &[String], now_ms: u64) -> Result<(), InitError> {
    let (certificate, key) = (state_dir.join(CERTIFICATE), state_dir.join(KEY));
    ensure_key(&state_dir.join(SPARE_KEY))?;
    if certificate.exists() {
        return if key.exists() {
            Ok(())
        } else {
            Err(InitError::Half(certificate, KEY))
        };
    }
    let issuer = ensure_ca(state_dir, now_ms)?;
    let key = ensure_key(&key)?;
    files::read_or_create(&certificate, || {
        let leaf = leaf_params(hosts, now_ms)?.signed_by(&key, &issuer)?;
        Ok(Zeroizing::new(leaf.pem().into_bytes()))
    })?;
    Ok(())
}

fn ensure_key(path: &Path) -> Result<KeyPair, InitError> {
    files::read_or_create(path, || {
        Ok(Zeroizing::new(
            KeyPair::generate()?.serialize_pem().into_bytes(),
        ))
    })?;
    read_key(path)
}

fn ensure_ca(state_dir: &Path, now_ms: u64) -> Result<Issuer<'static, KeyPair>, InitError> {
    let key = ensure_key(&state_dir.join(CA_KEY))?;
    let path = state_dir.join(CA);
    let pem = files::read_or_create(&path, || {
        let ca = ca_params(now_ms)?.self_signed(&key)?;
        Ok(Zeroizing::new(ca.pem().into_bytes()))
    })?;
    let pem = std::str::from_utf8(&pem)
        .map_err(|_| InitError::Content(path, "a PEM certificate is expected"))?;
    Ok(Issuer::from_ca_cert_pem(pem, key)?)
}

fn ca_params(now_ms: u64) -> Result<CertificateParams, InitError> {
    let mut params = named(
        "Connect relay private CA",
        Vec::new(),
        now_ms,
        CA_LIFETIME_MS,
    )?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn leaf_params(hosts: &[String], now_ms: u64) -> Result<CertificateParams, InitError> {
    let mut params = named("Connect relay", hosts.to_vec(), now_ms, LEAF_LIFETIME_MS)?;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

fn named(
    name: &str,
    hosts: Vec<String>,
    now_ms: u64,
    lifetime_ms: u64,
) -> Result<CertificateParams, InitError> {
    let mut params = CertificateParams::new(hosts)?;
    let at = |ms: u64| date_time_ymd(1970, 1, 1) + Duration::from_secs(ms / SECOND_MS);
    params.not_before = at(now_ms.saturating_sub(BACKDATED_MS));
    params.not_after = at(now_ms.saturating_add(lifetime_ms));
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    Ok(params)
}

pub(super) fn read_key(path: &Path) -> Result<KeyPair, InitError> {
    let refused = || InitError::Content(path.to_owned(), "a private key in PEM is expected");
    let pem = files::read(path)?;
    KeyPair::from_pem(std::str::from_utf8(&pem).map_err(|_| refused())?).map_err(|_| refused())
}

pub(super) fn pin_of_key(key: &KeyPair) -> String {
    pin(&key.subject_public_key_info())
}

/// Reads the first certificate of a chain.
pub(crate) fn read_leaf(path: &Path) -> Result<Leaf, InitError> {
    let refused = || InitError::Content(PathBuf::from(path), "a PEM certificate is expected");
    let pem = files::read(path)?;
    let der = CertificateDer::from_pem_slice(&pem).map_err(|_| refused())?;
    let (_, certificate) = x509_parser::parse_x509_certificate(&der).map_err(|_| refused())?;
    let expires = certificate.validity().not_after.timestamp();
    let names = certificate
        .subject_alternative_name()
        .map_err(|_| refused())?;
    let names = names.map(|names| names.value.general_names.iter().filter_map(host).collect());
    Ok(Leaf {
        pin: pin(certificate.public_key().raw),
        expires_ms: u64::try_from(expires)
            .unwrap_or_default()
            .saturating_mul(SECOND_MS),
        hosts: names.unwrap_or_default(),
    })
}

fn host(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) if !name.starts_with('*') => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match <[u8; 4]>::try_from(*bytes) {
            Ok(v4) => Some(std::net::Ipv4Addr::from(v4).to_string()),
            Err(_) => <[u8; 16]>::try_from(*bytes)
                .ok()
                .map(|v6| std::net::Ipv6Addr::from(v6).to_string()),
        },
        _ => None,
    }
}

fn pin(spki_der: &[u8]) -> String {
    format!("sha256/{}", STANDARD.encode(sha256(spki_der)))
}
