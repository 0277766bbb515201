//! What pods are given to come to a Temporal that no cluster describes: the variables that SDKs read, and the files that these
//! name. Values of Secrets are given by reference alone.

use super::{ConfigRef, Surroundings};
use crate::api::worker::{CA_KEY, CA_VOLUME, CERTIFICATE_KEY, KeyRef, PRIVATE_KEY, TLS_VOLUME};
use crate::build::server::{from_secret, literal};
use crate::validate::{Authorities, Caller, SecretKey, ValidConnection};
use k8s_openapi::api::core::v1::{ConfigMapVolumeSource, EnvVar, KeyToPath, SecretVolumeSource, Volume, VolumeMount};

/// Where the client certificate is; the official worker controller's.
const TLS_DIRECTORY: &str = "/etc/temporal/tls";
/// Where the authorities are that have a place of their own.
const CA_DIRECTORY: &str = "/etc/temporal/ca";

/// The variables beside address and namespace.
pub(super) fn environment(connection: &ValidConnection, around: &Surroundings<'_>) -> Vec<EnvVar> {
    let Some(tls) = &connection.tls else { return Vec::new() };
    let mut all = vec![literal("TEMPORAL_TLS", "true")];
    all.extend(tls.server_name.as_ref().map(|name| literal("TEMPORAL_TLS_SERVER_NAME", name)));
    let ca = match tls.authorities {
        Authorities::Public => None,
        Authorities::WithClient => around.client_has_ca.then_some(TLS_DIRECTORY),
        Authorities::Secret(_) | Authorities::ConfigMap(_) => Some(CA_DIRECTORY),
    };
    all.extend(ca.map(|place| literal("TEMPORAL_TLS_SERVER_CA_CERT_PATH", &format!("{place}/{CA_KEY}"))));
    match &connection.caller {
        Caller::Anybody => {}
        Caller::Certificate(_) => {
            all.push(literal("TEMPORAL_TLS_CLIENT_CERT_PATH", &format!("{TLS_DIRECTORY}/{CERTIFICATE_KEY}")));
            all.push(literal("TEMPORAL_TLS_CLIENT_KEY_PATH", &format!("{TLS_DIRECTORY}/{PRIVATE_KEY}")));
        }
        Caller::Key(KeyRef { name, key }) => {
            all.push(from_secret("TEMPORAL_API_KEY", &SecretKey { secret: name.clone(), key: key.clone() }));
        }
    }
    all
}

/// The volumes with the files that the variables name.
pub(super) fn volumes(connection: &ValidConnection) -> Vec<Volume> {
    let named = |name: &str| Volume { name: name.to_owned(), ..Volume::default() };
    let secret = |name: &str, items: Option<Vec<KeyToPath>>| SecretVolumeSource {
        secret_name: Some(name.to_owned()),
        items,
        ..SecretVolumeSource::default()
    };
    let only = |key: &str| Some(vec![KeyToPath { key: key.to_owned(), path: CA_KEY.to_owned(), mode: None }]);
    let mut all = Vec::new();
    if let Caller::Certificate(name) = &connection.caller {
        all.push(Volume { secret: Some(secret(name, None)), ..named(TLS_VOLUME) });
    }
    match connection.tls.as_ref().map(|tls| &tls.authorities) {
        None | Some(Authorities::Public | Authorities::WithClient) => {}
        Some(Authorities::Secret(KeyRef { name, key })) => {
            all.push(Volume { secret: Some(secret(name, only(key))), ..named(CA_VOLUME) });
        }
        Some(Authorities::ConfigMap(KeyRef { name, key })) => {
            let source =
                ConfigMapVolumeSource { name: name.clone(), items: only(key), ..ConfigMapVolumeSource::default() };
            all.push(Volume { config_map: Some(source), ..named(CA_VOLUME) });
        }
    }
    all
}

/// Where they are mounted in each container.
pub(super) fn mounts(connection: &ValidConnection) -> Vec<VolumeMount> {
    let mount = |volume: Volume| VolumeMount {
        mount_path: if volume.name == TLS_VOLUME { TLS_DIRECTORY } else { CA_DIRECTORY }.to_owned(),
        name: volume.name,
        read_only: Some(true),
        ..VolumeMount::default()
    };
    volumes(connection).into_iter().map(mount).collect()
}

/// The Secrets and ConfigMaps that a connection refers to: a change of one restarts the pods.
pub fn connection_references(connection: &ValidConnection) -> impl Iterator<Item = ConfigRef> {
    let key = match &connection.caller {
        Caller::Key(place) => Some(ConfigRef::Secret(place.name.clone())),
        Caller::Anybody | Caller::Certificate(_) => None,
    };
    volumes(connection).iter().flat_map(super::references::of_volume).collect::<Vec<_>>().into_iter().chain(key)
}
