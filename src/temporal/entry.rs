//! How the operator comes into a Temporal that no cluster describes: over TLS or not, and as whom.

use std::fmt;
use std::hash::{Hash, Hasher};

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};
use tonic::{Request, Status};

/// What credentials are made of, as Secrets and ConfigMaps have it.
#[derive(Clone, Default)]
pub struct Credentials {
    /// Whether the connection is encrypted.
    pub tls: bool,
    /// The name in the server's certificate, if it is not the host's.
    pub server_name: Option<String>,
    /// Who may have signed it, PEM; none: the public authorities.
    pub authorities: Option<Vec<u8>>,
    /// Certificate and key of the client, PEM.
    pub client: Option<(Vec<u8>, Vec<u8>)>,
    /// The API key.
    pub api_key: Option<Vec<u8>>,
}

/// Which part of credentials cannot be used, and why.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Flaw {
    /// The authorities of the server's certificate.
    #[error("{0}")]
    Authorities(String),
    /// The client's certificate and key.
    #[error("{0}")]
    Client(String),
    /// The API key.
    #[error("{0}")]
    ApiKey(&'static str),
}

/// Credentials that can be used. Its parts are shown to nobody.
#[derive(Clone)]
pub struct Entry {
    /// Whose they are.
    caller: String,
    /// Of when they are: the same ones after a change have another.
    version: String,
    tls: Option<ClientTlsConfig>,
    server_name: Option<String>,
    pass: Pass,
}

/// What each call brings along.
#[derive(Clone, Default)]
pub(super) struct Pass {
    key: Option<MetadataValue<Ascii>>,
    namespace: Option<MetadataValue<Ascii>>,
}

impl Entry {
    /// The way into a namespace. `caller` tells these credentials from those of others, `version` from older ones.
    ///
    /// # Errors
    /// When they cannot be used.
    pub fn new((caller, version): (String, String), namespace: &str, credentials: &Credentials) -> Result<Self, Flaw> {
        let key = credentials.api_key.as_deref().map(bearer).transpose()?;
        let tls = credentials.tls.then(|| tls(credentials)).transpose()?;
        let pass = Pass { key, namespace: namespace.parse().ok() };
        Ok(Self { caller, version, tls, server_name: credentials.server_name.clone(), pass })
    }

    /// Whose credentials they are, whatever becomes of them.
    pub fn caller(&self) -> &str {
        &self.caller
    }

    fn id(&self) -> (&str, &str) {
        (&self.caller, &self.version)
    }

    /// Where it leads to, seen from here.
    pub(super) fn endpoint(&self, authority: &str) -> Result<Endpoint, tonic::transport::Error> {
        let Some(tls) = &self.tls else { return Endpoint::from_shared(format!("http://{authority}")) };
        let endpoint = Endpoint::from_shared(format!("https://{authority}"))?.tls_config(tls.clone())?;
        // who is called by a name of his own is addressed by it as well, as other clients do
        let origin = self.server_name.as_ref().and_then(|name| format!("https://{name}").parse().ok());
        Ok(match origin {
            Some(origin) => endpoint.origin(origin),
            None => endpoint,
        })
    }

    pub(super) fn pass(&self) -> Pass {
        self.pass.clone()
    }
}

/// The public authorities count only where none are named.
fn tls(credentials: &Credentials) -> Result<ClientTlsConfig, Flaw> {
    let mut tls = ClientTlsConfig::new();
    if let Some(name) = &credentials.server_name {
        tls = tls.domain_name(name);
    }
    tls = match &credentials.authorities {
        Some(pem) => {
            certificates(pem).map_err(Flaw::Authorities)?;
            tls.ca_certificate(Certificate::from_pem(pem))
        }
        None => tls.with_native_roots(),
    };
    let usable = |tls: &ClientTlsConfig| Endpoint::from_static("https://h").tls_config(tls.clone());
    usable(&tls).map_err(|error| Flaw::Authorities(innermost(&error)))?;
    let Some((certificate, key)) = &credentials.client else { return Ok(tls) };
    certificates(certificate).map_err(|why| Flaw::Client(format!("tls.crt: {why}")))?;
    PrivateKeyDer::from_pem_slice(key).map_err(|_| Flaw::Client("tls.key: it has no private key in PEM".to_owned()))?;
    let tls = tls.identity(Identity::from_pem(certificate, key));
    usable(&tls).map_err(|error| Flaw::Client(innermost(&error)))?;
    Ok(tls)
}

fn certificates(pem: &[u8]) -> Result<(), String> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(()),
        _ => Err("it has no certificate in PEM".to_owned()),
    }
}

/// Pods are given the key as it is, so it is taken as it is.
fn bearer(key: &[u8]) -> Result<MetadataValue<Ascii>, Flaw> {
    let text = std::str::from_utf8(key).map_err(|_| Flaw::ApiKey("it is no text"))?;
    if text.is_empty() {
        return Err(Flaw::ApiKey("it is empty"));
    }
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(Flaw::ApiKey("it has a line break or a space in it, as echo adds one to its end"));
    }
    let mut value: MetadataValue<Ascii> =
        format!("Bearer {text}").parse().map_err(|_| Flaw::ApiKey("it has letters that no header can have"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

impl Interceptor for Pass {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let headers = request.metadata_mut();
        for (name, value) in [("authorization", &self.key), ("temporal-namespace", &self.namespace)] {
            if let Some(value) = value {
                headers.insert(name, value.clone());
            }
        }
        Ok(request)
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Entry").field(&self.id()).finish()
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.id().cmp(&other.id())
    }
}

impl Hash for Entry {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id().hash(state);
    }
}
