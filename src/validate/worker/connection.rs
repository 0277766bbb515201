//! Rules and defaults of `spec.connection`.

use crate::api::worker::{ConnectionSpec, ConnectionTls, KeyRef};
use crate::validate::Problems;
use std::fmt;
use std::net::Ipv6Addr;

/// Where a Temporal is that no cluster describes, and as whom to come there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ValidConnection {
    /// Host and port.
    pub address: String,
    /// How the server's certificate is checked; none: the connection is not encrypted.
    pub tls: Option<ServerTls>,
    /// As whom.
    pub caller: Caller,
}

/// How the server's certificate is checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ServerTls {
    /// The name in it, if that is not the host's.
    pub server_name: Option<String>,
    /// Who may have signed it.
    pub authorities: Authorities,
}

/// Who may have signed the server's certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Authorities {
    /// The public ones.
    #[default]
    Public,
    /// Those in the Secret of the client certificate if it has any, else the public ones.
    WithClient,
    /// Those in a Secret.
    Secret(KeyRef),
    /// Those in a ConfigMap.
    ConfigMap(KeyRef),
}

/// As whom to come.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Caller {
    /// As anybody.
    Anybody,
    /// With the client certificate in this Secret.
    Certificate(String),
    /// With an API key.
    Key(KeyRef),
}

/// What the caller shows, in words.
impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anybody => f.write_str("a caller without client certificate and API key"),
            Self::Certificate(secret) => write!(f, "the client certificate in Secret {secret}"),
            Self::Key(KeyRef { name, key }) => write!(f, "the API key in Secret {name}, key {key}"),
        }
    }
}

pub(super) fn read(spec: &ConnectionSpec, problems: &mut Problems) -> ValidConnection {
    problems.require(
        is_address(&spec.host_port),
        "spec.connection.hostPort",
        "must be a host and a port, such as temporal.example.com:7233, without scheme and path; correct it",
    );
    let caller = match (&spec.mutual_tls_secret_ref, &spec.api_key_secret_ref) {
        (None, None) => Caller::Anybody,
        (Some(secret), None) => Caller::Certificate(secret.name.clone()),
        (None, Some(key)) => Caller::Key(key.clone()),
        (Some(_), Some(key)) => {
            problems.add(
                "spec.connection",
                "a caller has a client certificate or an API key; remove mutualTLSSecretRef or apiKeySecretRef",
            );
            Caller::Key(key.clone())
        }
    };
    named(&caller, problems);
    let encrypted = spec.tls.is_some() || caller != Caller::Anybody;
    let tls = encrypted.then(|| match (&spec.tls, &caller) {
        (Some(tls), _) => server(tls, problems),
        (None, Caller::Certificate(_)) => ServerTls { authorities: Authorities::WithClient, server_name: None },
        (None, _) => ServerTls::default(),
    });
    ValidConnection { address: spec.host_port.clone(), tls, caller }
}

fn server(tls: &ConnectionTls, problems: &mut Problems) -> ServerTls {
    problems.require(
        tls.server_name.as_deref().is_none_or(is_host),
        "spec.connection.tls.serverName",
        "must be the name of a host, without port; correct it",
    );
    let authorities = match (&tls.ca_cert_secret_ref, &tls.ca_cert_config_map_ref) {
        (None, None) => Authorities::Public,
        (Some(secret), None) => Authorities::Secret(secret.clone()),
        (None, Some(config_map)) => Authorities::ConfigMap(config_map.clone()),
        (Some(_), Some(_)) => {
            problems.add(
                "spec.connection.tls",
                "the authorities are in one place; remove caCertSecretRef or caCertConfigMapRef",
            );
            Authorities::Public
        }
    };
    if let Authorities::Secret(place) | Authorities::ConfigMap(place) = &authorities {
        let whole = !place.name.is_empty() && !place.key.is_empty();
        problems.require(whole, "spec.connection.tls", "the place of the authorities needs name and key; set both");
    }
    ServerTls { server_name: tls.server_name.clone(), authorities }
}

fn named(caller: &Caller, problems: &mut Problems) {
    match caller {
        Caller::Anybody => {}
        Caller::Certificate(secret) => {
            problems.require(
                !secret.is_empty(),
                "spec.connection.mutualTLSSecretRef.name",
                "must name a Secret; set it",
            );
        }
        Caller::Key(KeyRef { name, key }) => {
            let whole = !name.is_empty() && !key.is_empty();
            problems.require(whole, "spec.connection.apiKeySecretRef", "needs name and key; set both");
        }
    }
}

fn is_address(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let digits = !port.is_empty() && !port.starts_with('0') && port.chars().all(|c| c.is_ascii_digit());
    let ipv6 = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host = ipv6.map_or_else(|| is_host(host), |ip| ip.parse::<Ipv6Addr>().is_ok());
    host && digits && port.parse::<u16>().is_ok()
}

fn is_host(text: &str) -> bool {
    let end = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let inner = |c: char| c.is_ascii_alphanumeric() || ".-".contains(c);
    end(text.chars().next()) && end(text.chars().last()) && text.chars().all(inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("temporal.example.com:7233", true)]
    #[case("10.0.0.7:1", true)]
    #[case("[fd00::7]:65535", true)]
    #[case("h:65536", false)]
    #[case("h:0", false)]
    #[case("h", false)]
    #[case("https://h:7233", false)]
    #[case("h:7233/path", false)]
    #[case("fd00::7:7233", false)]
    #[case("[h]:7233", false)]
    #[case("dns:///h:7233", false)]
    #[case("-h:7233", false)]
    #[case(":7233", false)]
    fn addresses(#[case] text: &str, #[case] fits: bool) {
        assert_eq!(is_address(text), fits);
    }
}
