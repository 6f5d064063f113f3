//! Where the relay is and how it is known: URL, pinned keys, certificate authority (D29).

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use connect_proto::routes;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use url::{Host, Url};

/// SHA-256 of a key's SubjectPublicKeyInfo.
pub(crate) type Pin = [u8; 32];

const PIN_PREFIX: &str = "sha256/";
/// The current key and a spare one (D29).
const MIN_PINS: usize = 2;
const MAX_PINS: usize = 16;
const HTTPS_PORT: u16 = 443;

/// Why an address is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressRefused {
    #[error("the relay's URL is malformed: it is https://host[:port]")]
    Url,
    #[error("the relay's URL is not https")]
    NotHttps,
    #[error("a pin is malformed: it is sha256/ and 32 bytes in Base64")]
    Pin,
    #[error("at least two different pins are needed, the current one and a spare")]
    TooFewPins,
    #[error("the certificate authority is not a PEM certificate")]
    CaPem,
}

#[derive(Clone)]
pub struct RelayAddress {
    /// Without a path.
    pub(crate) base: Url,
    /// As every request signs it (D8).
    pub(crate) authority: String,
    pub(crate) pins: BTreeSet<Pin>,
    /// Empty: the public ones.
    pub(crate) roots: Vec<CertificateDer<'static>>,
    pub(crate) tls12: bool,
}

impl RelayAddress {
    pub fn parse(url: &str, pins: &[String], ca_pem: Option<&str>) -> Result<Self, AddressRefused> {
        let base = Url::parse(url).map_err(|_| AddressRefused::Url)?;
        if base.scheme() != "https" {
            return Err(AddressRefused::NotHttps);
        }
        let plain = matches!(base.path(), "" | "/")
            && base.query().is_none()
            && base.fragment().is_none()
            && base.username().is_empty()
            && base.password().is_none();
        let host = base.host().filter(|_| plain).ok_or(AddressRefused::Url)?;
        let host = match host {
            Host::Ipv6(address) => format!("[{address}]"),
            other => other.to_string(),
        };
        let authority = routes::authority(&host, base.port().unwrap_or(HTTPS_PORT));
        let pins: BTreeSet<Pin> = pins
            .iter()
            .map(|pin| parse_pin(pin))
            .collect::<Result<_, _>>()?;
        if !(MIN_PINS..=MAX_PINS).contains(&pins.len()) {
            return Err(AddressRefused::TooFewPins);
        }
        Ok(Self {
            authority,
            pins,
            roots: ca_pem.map(parse_roots).transpose()?.unwrap_or_default(),
            tls12: false,
            base,
        })
    }

    /// Takes the whitepaper's two TLS 1.2 suites as well (D29): for a relay behind something that has no TLS 1.3.
    #[must_use]
    pub fn with_tls12(self) -> Self {
        Self {
            tls12: true,
            ..self
        }
    }
}

/// As the relay prints it, or in hex as other digests of the contract.
fn parse_pin(pin: &str) -> Result<Pin, AddressRefused> {
    let bytes = match pin.strip_prefix(PIN_PREFIX) {
        Some(encoded) => STANDARD.decode(encoded).map_err(|_| AddressRefused::Pin)?,
        None => hex::decode(pin).map_err(|_| AddressRefused::Pin)?,
    };
    bytes.try_into().map_err(|_| AddressRefused::Pin)
}

fn parse_roots(pem: &str) -> Result<Vec<CertificateDer<'static>>, AddressRefused> {
    let roots: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|_| AddressRefused::CaPem)?;
    if roots.is_empty() {
        return Err(AddressRefused::CaPem);
    }
    Ok(roots)
}

impl std::fmt::Debug for RelayAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RelayAddress({})", self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pins(count: u8) -> Vec<String> {
        (0..count)
            .map(|n| format!("sha256/{}", STANDARD.encode([n; 32])))
            .collect()
    }

    fn refused(url: &str) -> AddressRefused {
        RelayAddress::parse(url, &pins(2), None).unwrap_err()
    }

    #[test]
    fn the_authority_is_lower_case_and_has_its_port() {
        for (url, authority) in [
            ("https://Relay.Example.org", "relay.example.org:443"),
            ("https://127.0.0.1:8443/", "127.0.0.1:8443"),
            ("https://[::1]:8443", "[::1]:8443"),
        ] {
            let address = RelayAddress::parse(url, &pins(2), None).unwrap();
            assert_eq!(address.authority, authority);
        }
    }

    #[test]
    fn anything_but_a_bare_https_origin_is_refused() {
        assert_eq!(refused("http://relay"), AddressRefused::NotHttps);
        for url in [
            "",
            "relay",
            "https://relay/api",
            "https://u:p@relay",
            "https://relay/?a=1",
        ] {
            assert_eq!(refused(url), AddressRefused::Url, "{url}");
        }
    }

    #[test]
    fn two_different_pins_are_needed() {
        let parse = |pins: &[String]| RelayAddress::parse("https://relay", pins, None);
        assert!(parse(&pins(2)).is_ok());
        assert_eq!(parse(&pins(1)).unwrap_err(), AddressRefused::TooFewPins);
        let same = [pins(1), pins(1)].concat();
        assert_eq!(parse(&same).unwrap_err(), AddressRefused::TooFewPins);
        // In either spelling it is the same.
        let in_hex = |n: u8| hex::encode([n; 32]);
        assert!(parse(&[in_hex(0), in_hex(1)]).is_ok());
        let same = [pins(1), vec![in_hex(0)]].concat();
        assert_eq!(parse(&same).unwrap_err(), AddressRefused::TooFewPins);
        for wrong in ["", "00", "sha256/AA==", "sha1/AA==", "sha256/%%"] {
            let pins = [pins(2), vec![wrong.to_owned()]].concat();
            assert_eq!(parse(&pins).unwrap_err(), AddressRefused::Pin, "{wrong}");
        }
    }

    #[test]
    fn an_authority_that_is_no_certificate_is_refused() {
        let parse = |pem| RelayAddress::parse("https://relay", &pins(2), Some(pem));
        for pem in [
            "",
            "no pem",
            "-----BEGIN CERTIFICATE-----\n%%\n-----END CERTIFICATE-----",
        ] {
            assert_eq!(parse(pem).unwrap_err(), AddressRefused::CaPem, "{pem}");
        }
    }
}
