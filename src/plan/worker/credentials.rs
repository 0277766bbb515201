//! What is said when a Temporal that no cluster describes does not let the operator in.

use crate::validate::{Caller, ValidConnection};

const AUTHORITIES: &str =
    "name the authorities of the server's certificate in spec.connection.tls; tls: {} stands for the public ones";
/// Words of the TLS library, and the remedy; the first row that fits speaks. Whatever else is said is about the caller's own credentials.
const SERVERS: [(&str, &str); 5] = [
    ("certificate: UnknownIssuer", AUTHORITIES),
    ("certificate: BadSignature", AUTHORITIES),
    ("not valid for name", "call the server in spec.connection.tls.serverName as its certificate does"),
    ("expired", "renew the server's certificate"),
    ("corrupt message", "correct spec.connection.hostPort, or leave tls and credentials out: no TLS is spoken there"),
];

/// What went wrong, and what would help; no full stop.
#[must_use]
pub fn refusal(connection: &ValidConnection, why: &str) -> String {
    let of_server = SERVERS.iter().find(|(words, _)| why.contains(words)).map(|(_, help)| (*help).to_owned());
    let help = of_server.unwrap_or_else(|| match &connection.caller {
        Caller::Anybody => {
            "name credentials in spec.connection.mutualTLSSecretRef or spec.connection.apiKeySecretRef".to_owned()
        }
        caller => format!("let the server take {caller}, or put one there that it takes"),
    });
    format!("{why} ({help})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::worker::KeyRef;
    use rstest::rstest;

    #[rstest]
    #[case("invalid peer certificate: UnknownIssuer", "(name the authorities of the server's certificate")]
    #[case(
        "received fatal alert: CertificateRequired",
        "(let the server take the API key in Secret keys, key k, or put"
    )]
    #[case("Temporal denies the operator X: no", "(let the server take the API key in Secret keys, key k, or put")]
    fn who_must_do_what(#[case] why: &str, #[case] help: &str) {
        let caller = Caller::Key(KeyRef { name: "keys".to_owned(), key: "k".to_owned() });
        let connection = ValidConnection { address: "h:1".to_owned(), tls: None, caller };
        let said = refusal(&connection, why);
        assert!(said.starts_with(why) && said.contains(help), "{said}");
        let anybody = ValidConnection { caller: Caller::Anybody, ..connection };
        assert!(refusal(&anybody, "received fatal alert: x").contains("(name credentials in"));
    }
}
