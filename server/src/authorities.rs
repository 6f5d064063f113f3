//! The names under which this relay answers: a request for any other authority is not authenticated (D8).

use std::collections::HashSet;

use connect_proto::routes;

const HTTPS_PORT: u16 = 443;

/// Every `host:port` that is this relay, lower case, the port always written out.
#[derive(Debug)]
pub(crate) struct Authorities(HashSet<String>);

impl Authorities {
    /// Each host on the relay's own port and on 443, and the further pairs as they are.
    pub(crate) fn new(hosts: &[String], port: u16, further: &[String]) -> Self {
        let own = hosts.iter().flat_map(|host| {
            let host = if host.contains(':') && !host.starts_with('[') {
                format!("[{host}]")
            } else {
                host.clone()
            };
            [port, HTTPS_PORT].map(|port| routes::authority(&host, port))
        });
        let further = further.iter().filter_map(|authority| normalise(authority));
        Self(own.chain(further).collect())
    }

    /// The normalised authority that a request names, if it is one of ours.
    pub(crate) fn admit(&self, named: &str) -> Option<&str> {
        self.0.get(&normalise(named)?).map(String::as_str)
    }
}

fn normalise(authority: &str) -> Option<String> {
    let authority: http::uri::Authority = authority.parse().ok()?;
    if authority.as_str().contains('@') {
        return None;
    }
    let port = match authority.port() {
        Some(port) => port.as_u16(),
        None => HTTPS_PORT,
    };
    Some(routes::authority(authority.host(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authorities() -> Authorities {
        let hosts = ["Relay.example.org".to_owned(), "::1".to_owned()];
        Authorities::new(&hosts, 8443, &["front.example.org:9000".to_owned()])
    }

    #[test]
    fn a_name_counts_on_the_relays_port_and_on_443() {
        let ours = authorities();
        assert_eq!(
            ours.admit("RELAY.example.org:8443"),
            Some("relay.example.org:8443")
        );
        assert_eq!(
            ours.admit("relay.example.org"),
            Some("relay.example.org:443")
        );
        assert_eq!(ours.admit("[::1]:8443"), Some("[::1]:8443"));
        assert_eq!(
            ours.admit("front.example.org:9000"),
            Some("front.example.org:9000")
        );
    }

    #[test]
    fn other_names_and_ports_are_not_ours() {
        let ours = authorities();
        for other in [
            "evil.example.org:8443",
            "relay.example.org:8444",
            "",
            "a@relay.example.org:8443",
            "front.example.org",
        ] {
            assert_eq!(ours.admit(other), None, "{other:?}");
        }
    }
}
