//! TLS to the stores: files in the pods, settings of the server and of the schema tool.

use super::server::literal;
use crate::validate::{SecretKey, ValidStore, ValidTls};
use k8s_openapi::api::core::v1::{EnvVar, KeyToPath, SecretVolumeSource, Volume, VolumeMount};
use serde_json::{Value, json};

/// Where the files are; the Go operator's.
const DIRECTORY: &str = "/etc/tls/datastores";
/// The pods run as user and group 1000 with that `fsGroup`: files belong to root and group 1000, `r--r-----`. lib/pq takes
/// a key that belongs to root with at most `rw-r-----` (`ssl_permissions.go`).
const MODE: i32 = 0o440;

/// A file of a store.
struct File<'a> {
    /// `ca`, `cert` or `key`.
    what: &'static str,
    /// Its name in the pod.
    name: &'static str,
    secret: &'a SecretKey,
}

impl File<'_> {
    fn directory(&self, store: &ValidStore) -> String {
        format!("{DIRECTORY}/{}/{}", self.what, store.name)
    }

    fn path(&self, store: &ValidStore) -> String {
        format!("{}/{}", self.directory(store), self.name)
    }

    fn volume_name(&self, store: &ValidStore) -> String {
        format!("{}-tls-{}-file", store.name.to_ascii_lowercase(), self.what)
    }
}

fn files(tls: &ValidTls) -> impl Iterator<Item = File<'_>> {
    let all = [("ca", "ca.pem", &tls.ca), ("cert", "client.pem", &tls.cert), ("key", "client.key", &tls.key)];
    all.into_iter().filter_map(|(what, name, secret)| Some(File { what, name, secret: secret.as_ref()? }))
}

fn files_of(store: &ValidStore) -> impl Iterator<Item = File<'_>> {
    store.tls.iter().flat_map(files)
}

/// The volumes with a store's files. Only the named key is in each.
pub(super) fn volumes(store: &ValidStore) -> impl Iterator<Item = Volume> {
    files_of(store).map(|file| Volume {
        name: file.volume_name(store),
        secret: Some(SecretVolumeSource {
            secret_name: Some(file.secret.secret.clone()),
            default_mode: Some(MODE),
            items: Some(vec![KeyToPath { key: file.secret.key.clone(), path: file.name.to_owned(), mode: None }]),
            ..SecretVolumeSource::default()
        }),
        ..Volume::default()
    })
}

/// Where they are mounted.
pub(super) fn mounts(store: &ValidStore) -> impl Iterator<Item = VolumeMount> {
    files_of(store).map(|file| VolumeMount {
        name: file.volume_name(store),
        mount_path: file.directory(store),
        read_only: Some(true),
        ..VolumeMount::default()
    })
}

/// The server's `tls` block (server 1.30–1.32, `common/auth/tls.go`).
pub(super) fn config(store: &ValidStore) -> Option<Value> {
    let tls = store.tls.as_ref()?;
    let mut tree = json!({"enabled": true, "enableHostVerification": tls.verify_host});
    for file in files(tls) {
        tree[format!("{}File", file.what)] = json!(file.path(store));
    }
    if let Some(name) = &tls.server_name {
        tree["serverName"] = json!(name);
    }
    Some(tree)
}

/// The same for a schema tool, whose variables have that prefix (server 1.30–1.32, `tools/sql/main.go`: `SQL`;
/// `tools/elasticsearch/main.go`: `ES`).
pub(super) fn environment(store: &ValidStore, prefix: &str) -> Vec<EnvVar> {
    let Some(tls) = &store.tls else { return Vec::new() };
    let variable = |name: &str, value: &str| literal(&format!("{prefix}_TLS{name}"), value);
    let mut all = vec![variable("", "true")];
    if !tls.verify_host {
        all.push(variable("_DISABLE_HOST_VERIFICATION", "true"));
    }
    all.extend(
        files(tls).map(|file| variable(&format!("_{}_FILE", file.what.to_ascii_uppercase()), &file.path(store))),
    );
    all.extend(tls.server_name.as_ref().map(|name| variable("_SERVER_NAME", name)));
    all
}
