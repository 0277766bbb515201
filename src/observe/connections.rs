//! The credentials for Temporals that no cluster describes: read from Secrets and ConfigMaps, kept for a while, shown to nobody.

use super::{ObserveError, lock, spread};
use crate::api::reference::ClusterRef;
use crate::api::worker::{CA_KEY, CERTIFICATE_KEY, KeyRef, PRIVATE_KEY};
use crate::temporal::{Credentials, Entry, Flaw, Target};
use crate::validate::{Authorities, Caller, ValidConnection};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Api, Client, ResourceExt};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

/// Credentials are read again after this time, and somewhat later, each in its own time.
const FRESH: Duration = Duration::from_secs(30);
/// While something is missing or wrong, somebody may be about to put it right.
const UNUSABLE: Duration = Duration::from_secs(4);
/// Those that nobody has asked for so long are forgotten.
const FORGOTTEN: Duration = Duration::from_secs(600);

/// How to come to a Temporal.
#[derive(Clone, Debug)]
pub struct Connected {
    /// Whom to ask.
    pub target: Target,
    /// The Secret of the client certificate has the authorities of the server's as well.
    pub client_has_ca: bool,
}

/// Why one cannot come there, in a sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// Something is not there.
    #[error("{0}")]
    Missing(String),
    /// Something is there and is not what it should be.
    #[error("{0}")]
    Wrong(String),
}

/// Kubernetes namespace, namespace in Temporal, and what the manifest says.
type Key = (String, String, ValidConnection);

/// All that are in use.
pub struct Connections {
    client: Client,
    kept: Mutex<HashMap<Key, Kept>>,
}

struct Kept {
    read: Instant,
    used: Instant,
    found: Result<Connected, Unusable>,
}

/// What ends the reading of credentials.
enum Stop {
    Unusable(Unusable),
    Observe(ObserveError),
}

impl Connections {
    /// None yet.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client, kept: Mutex::default() }
    }

    /// How to come to a namespace in Temporal with what is in the Kubernetes namespace `own`.
    ///
    /// # Errors
    /// When the API server does not tell.
    pub async fn of(
        &self,
        own: &str,
        namespace: &str,
        connection: &ValidConnection,
    ) -> Result<Result<Connected, Unusable>, ObserveError> {
        let key = (own.to_owned(), namespace.to_owned(), connection.clone());
        let now = Instant::now();
        if let Some(kept) = lock(&self.kept).get_mut(&key) {
            kept.used = now;
            let fresh = if kept.found.is_ok() { FRESH + spread(&key, FRESH) } else { UNUSABLE };
            if kept.read.elapsed() < fresh {
                return Ok(kept.found.clone());
            }
        }
        let found = match self.read(&key).await {
            Ok(connected) => Ok(connected),
            Err(Stop::Unusable(why)) => Err(why),
            Err(Stop::Observe(error)) => return Err(error),
        };
        let mut all = lock(&self.kept);
        all.retain(|_, kept| kept.used.elapsed() < FORGOTTEN);
        all.insert(key, Kept { read: Instant::now(), used: now, found: found.clone() });
        Ok(found)
    }

    /// Temporal did not take these: they are read anew when they are wanted next.
    pub fn doubt(&self, own: &str, namespace: &str, connection: &ValidConnection) {
        lock(&self.kept).remove(&(own.to_owned(), namespace.to_owned(), connection.clone()));
    }

    async fn read(&self, key: &Key) -> Result<Connected, Stop> {
        let (own, namespace, connection) = key;
        let mut reader = Reader { client: &self.client, own, versions: Vec::new() };
        let mut credentials = Credentials { tls: connection.tls.is_some(), ..Credentials::default() };
        let mut client_ca = None;
        match &connection.caller {
            Caller::Anybody => {}
            Caller::Certificate(name) => {
                let mut secret = reader.secret(name).await?;
                credentials.client = Some((secret.take(CERTIFICATE_KEY)?, secret.take(PRIVATE_KEY)?));
                client_ca = secret.take(CA_KEY).ok();
            }
            Caller::Key(KeyRef { name, key }) => credentials.api_key = Some(reader.secret(name).await?.take(key)?),
        }
        let client_has_ca = client_ca.is_some();
        if let Some(tls) = &connection.tls {
            credentials.server_name.clone_from(&tls.server_name);
            credentials.authorities = match &tls.authorities {
                Authorities::Public => None,
                Authorities::WithClient => client_ca,
                Authorities::Secret(KeyRef { name, key }) => Some(reader.secret(name).await?.take(key)?),
                Authorities::ConfigMap(KeyRef { name, key }) => Some(reader.config_map(name).await?.take(key)?),
            };
        }
        let id = (format!("{own}/{namespace} {connection:?}"), reader.versions.join(" "));
        let entry = Entry::new(id, namespace, &credentials).map_err(|flaw| wrong(own, connection, &flaw))?;
        let target = Target::outside(ClusterRef::outside(&connection.address), Arc::new(entry));
        Ok(Connected { target, client_has_ca })
    }
}

/// Reads what is in a Kubernetes namespace, and notes the versions.
struct Reader<'a> {
    client: &'a Client,
    own: &'a str,
    versions: Vec<String>,
}

/// What is in a Secret or ConfigMap.
struct Contents {
    /// Kind, namespace and name.
    what: String,
    data: HashMap<String, Vec<u8>>,
}

impl Reader<'_> {
    async fn secret(&mut self, name: &str) -> Result<Contents, Stop> {
        let found = Api::<Secret>::namespaced(self.client.clone(), self.own).get_opt(name).await?;
        let version = found.as_ref().and_then(ResourceExt::resource_version);
        let data = found.map(|s| s.data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.0)).collect());
        self.contents(format!("Secret {}/{name}", self.own), version, data)
    }

    async fn config_map(&mut self, name: &str) -> Result<Contents, Stop> {
        let found = Api::<ConfigMap>::namespaced(self.client.clone(), self.own).get_opt(name).await?;
        let version = found.as_ref().and_then(ResourceExt::resource_version);
        let text = |(key, value): (String, String)| (key, value.into_bytes());
        let data = found.map(|c| c.data.unwrap_or_default().into_iter().map(text).collect());
        self.contents(format!("ConfigMap {}/{name}", self.own), version, data)
    }

    fn contents(
        &mut self,
        what: String,
        version: Option<String>,
        data: Option<HashMap<String, Vec<u8>>>,
    ) -> Result<Contents, Stop> {
        let missing = || Unusable::Missing(format!("There is no {what}; make it, or correct spec.connection."));
        let data = data.ok_or_else(|| Stop::Unusable(missing()))?;
        self.versions.push(format!("{what}={}", version.unwrap_or_default()));
        Ok(Contents { what, data })
    }
}

impl Contents {
    fn take(&mut self, key: &str) -> Result<Vec<u8>, Stop> {
        let missing =
            || Unusable::Missing(format!("{} has no key {key}; add it, or correct spec.connection.", self.what));
        self.data.remove(key).ok_or_else(|| Stop::Unusable(missing()))
    }
}

fn wrong(own: &str, connection: &ValidConnection, flaw: &Flaw) -> Stop {
    let place = match (flaw, &connection.caller, connection.tls.as_ref().map(|tls| &tls.authorities)) {
        (Flaw::Authorities(_), _, Some(Authorities::Secret(KeyRef { name, key }))) => {
            format!("Key {key} of Secret {own}/{name}")
        }
        (Flaw::Authorities(_), _, Some(Authorities::ConfigMap(KeyRef { name, key }))) => {
            format!("Key {key} of ConfigMap {own}/{name}")
        }
        (Flaw::Authorities(_), _, Some(Authorities::Public)) => "spec.connection.tls".to_owned(),
        (Flaw::Authorities(_), Caller::Certificate(name), _) => format!("Key {CA_KEY} of Secret {own}/{name}"),
        (_, Caller::Certificate(name), _) => format!("Secret {own}/{name}"),
        (_, Caller::Key(KeyRef { name, key }), _) => format!("Key {key} of Secret {own}/{name}"),
        (_, Caller::Anybody, _) => "spec.connection".to_owned(),
    };
    Stop::Unusable(Unusable::Wrong(format!("{place} cannot be used: {flaw}; correct it.")))
}

impl From<kube::Error> for Stop {
    fn from(error: kube::Error) -> Self {
        Self::Observe(error.into())
    }
}
