//! The stub behind TLS, with and without a certificate or key of the caller's.

use super::super::entry::{Credentials, Entry, Flaw};
use super::*;
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rstest::rstest;
use tonic::transport::{Certificate, Identity, ServerTlsConfig};

const SERVER: &str = "temporal.test";

/// An authority and what it signs, PEM.
struct Authority {
    certificate: Vec<u8>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let (mut params, key) = (CertificateParams::default(), KeyPair::generate().unwrap());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap().pem().into_bytes();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    fn sign(&self, name: &str) -> (Vec<u8>, Vec<u8>) {
        let (mut params, key) = (CertificateParams::new([name.to_owned()]).unwrap(), KeyPair::generate().unwrap());
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem().into_bytes(), key.serialize_pem().into_bytes())
    }

    /// TLS of a server that demands a certificate of its clients, or does not.
    fn server(&self, demands: bool) -> ServerTlsConfig {
        let (certificate, key) = self.sign(SERVER);
        let tls = ServerTlsConfig::new().identity(Identity::from_pem(certificate, key));
        if demands { tls.client_ca_root(Certificate::from_pem(&self.certificate)) } else { tls }
    }

    fn credentials(&self) -> Credentials {
        Credentials {
            tls: true,
            server_name: Some(SERVER.to_owned()),
            authorities: Some(self.certificate.clone()),
            ..Credentials::default()
        }
    }
}

fn entry(credentials: &Credentials) -> Result<Entry, Flaw> {
    Entry::new(("ns/orders".to_owned(), "1".to_owned()), "orders", credentials)
}

fn outside(port: u16, credentials: &Credentials) -> Target {
    let cluster = ClusterRef::outside(&format!("127.0.0.1:{port}"));
    Target::outside(cluster, Arc::new(entry(credentials).unwrap()))
}

async fn asked(target: &Target) -> Result<(), TemporalError> {
    let which = WorkerRef { namespace: "orders".to_owned(), deployment: "ns/web".to_owned() };
    speaker().describe_worker(target, &which).await.map(drop)
}

#[tokio::test]
async fn a_client_certificate_is_shown_and_one_of_strangers_is_not_taken() {
    let (authority, strangers) = (Authority::new(), Authority::new());
    let port = Stub::default().serve_tls(authority.server(true)).await;
    let with = |client| Credentials { client, ..authority.credentials() };
    asked(&outside(port, &with(Some(authority.sign("orders"))))).await.unwrap();
    for client in [None, Some(strangers.sign("orders"))] {
        let error = asked(&outside(port, &with(client))).await.unwrap_err();
        assert!(matches!(&error, TemporalError::Untrusted { .. }), "{error}");
        assert!(error.to_string().contains("received fatal alert"), "{error}");
    }
}

#[tokio::test]
async fn a_server_is_known_by_its_authority_and_its_name() {
    // of the same name, as one that was made anew
    let (authority, strangers) = (Authority::new(), Authority::new());
    let port = Stub::default().serve_tls(authority.server(false)).await;
    asked(&outside(port, &authority.credentials())).await.unwrap();
    let other_name = Credentials { server_name: Some("other.test".to_owned()), ..authority.credentials() };
    let public = Credentials { authorities: None, ..authority.credentials() };
    for (credentials, words) in
        [(strangers.credentials(), "BadSignature"), (public, "UnknownIssuer"), (other_name, "not valid for name")]
    {
        let error = asked(&outside(port, &credentials)).await.unwrap_err();
        assert!(matches!(&error, TemporalError::Untrusted { .. }), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_told_from_one_that_is_away() {
    let plain = Stub::default().serve().await;
    let error = asked(&outside(plain.port, &Authority::new().credentials())).await.unwrap_err();
    assert!(error.to_string().contains("corrupt message"), "{error}");
    assert!(matches!(error, TemporalError::Untrusted { .. }));
    asked(&outside(plain.port, &Credentials::default())).await.unwrap();
}

#[tokio::test]
async fn an_api_key_and_the_namespace_go_with_each_call() {
    let authority = Authority::new();
    let stub = Stub { key: Some("secret"), ..Stub::default() };
    let port = stub.serve_tls(authority.server(false)).await;
    let with = |key: &str| Credentials { api_key: Some(key.into()), ..authority.credentials() };
    asked(&outside(port, &with("secret"))).await.unwrap();
    let error = asked(&outside(port, &with("old"))).await.unwrap_err();
    assert!(matches!(error, TemporalError::Denied { .. }) && error.is_about_credentials(), "{error}");
}

#[rstest]
#[case::line_break(b"key\n", "it has a line break")]
#[case::nothing(b"", "it is empty")]
#[case::no_text(b"\xff", "it is no text")]
fn a_key_that_pods_could_not_use_either(#[case] key: &[u8], #[case] why: &str) {
    let flaw = entry(&Credentials { tls: true, api_key: Some(key.to_owned()), ..Credentials::default() }).unwrap_err();
    assert!(matches!(&flaw, Flaw::ApiKey(_)) && flaw.to_string().contains(why), "{flaw}");
}

#[test]
fn certificates_that_are_none() {
    let (authority, other) = (Authority::new(), Authority::new());
    let none = Credentials { authorities: Some(b"hello".to_vec()), ..authority.credentials() };
    assert!(matches!(entry(&none), Err(Flaw::Authorities(_))));
    let ((certificate, key), (_, foreign)) = (authority.sign("a"), other.sign("b"));
    for (certificate, key) in [(certificate.clone(), foreign), (certificate, b"x".to_vec()), (b"x".to_vec(), key)] {
        let credentials = Credentials { client: Some((certificate, key)), ..authority.credentials() };
        assert!(matches!(entry(&credentials), Err(Flaw::Client(_))));
    }
}

#[test]
fn nothing_secret_is_shown() {
    let credentials = Credentials { api_key: Some(b"secret".to_vec()), ..Authority::new().credentials() };
    let shown = format!("{:?}", outside(1, &credentials));
    assert!(shown.contains("ns/orders") && !shown.contains("secret"), "{shown}");
}
