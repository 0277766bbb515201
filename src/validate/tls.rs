//! Rules and defaults of a store's `tls` and `migration`.

use super::Problems;
use super::datastore::{SecretKey, ValidMigration, ValidTls};
use crate::api::persistence::DatastoreSpec;
use crate::api::reference::SecretKeyReference;

/// Connection parameters that would override `tls` (server 1.30–1.32, `postgresql/session/session.go`).
const OVERRIDING: [&str; 5] = ["sslmode", "sslrootcert", "sslcert", "sslkey", "sslinline"];

/// Reads `tls`; `None` when it is off. `sql_host` is the one of `connectAddr`;
/// Elasticsearch has none, since its client takes any server name.
pub(super) fn read(
    path: &str,
    spec: &DatastoreSpec,
    sql_host: Option<&str>,
    problems: &mut Problems,
) -> Option<ValidTls> {
    let tls = spec.tls.as_ref()?;
    problems.require(
        tls.cert_file_ref.is_none() || tls.key_file_ref.is_some(),
        &format!("{path}.tls.keyFileRef"),
        "required with certFileRef; name the Secret that holds the key of the certificate",
    );
    problems.require(
        tls.key_file_ref.is_none() || tls.cert_file_ref.is_some(),
        &format!("{path}.tls.certFileRef"),
        "required with keyFileRef; name the Secret that holds the certificate of the key",
    );
    if !tls.enabled {
        return None;
    }
    problems.require(
        tls.server_name.as_deref().is_none_or(|name| sql_host.is_none_or(|host| name == host)),
        &format!("{path}.tls.serverName"),
        "must be the host of sql.connectAddr, since PostgreSQL's drivers check that name and take no other; put the name into connectAddr, or remove it",
    );
    problems.require(
        spec.name.as_deref().is_none_or(|name| name.len() <= 49 && !name.contains('_')),
        &format!("{path}.name"),
        "with tls at most 49 letters, digits and -, since volumes are named after it; choose another name",
    );
    let attributes = spec.sql.as_ref().and_then(|s| s.connect_attributes.as_ref());
    problems.require(
        !attributes.is_some_and(|a| OVERRIDING.iter().any(|k| a.contains_key(*k))),
        &format!("{path}.sql.connectAttributes"),
        "sslmode, sslrootcert, sslcert, sslkey and sslinline would override tls; remove them",
    );
    let mut file = |field: &str, reference: &Option<SecretKeyReference>, key: &str| {
        reference.as_ref().map(|r| secret_key(&format!("{path}.tls.{field}"), r, key, problems))
    };
    Some(ValidTls {
        verify_host: tls.enable_host_verification.unwrap_or(true),
        server_name: tls.server_name.clone(),
        ca: file("caFileRef", &tls.ca_file_ref, "ca.pem"),
        cert: file("certFileRef", &tls.cert_file_ref, "client.pem"),
        key: file("keyFileRef", &tls.key_file_ref, "client.key"),
    })
}

/// Reads `migration`.
pub(super) fn migration(path: &str, spec: &DatastoreSpec, problems: &mut Problems) -> Option<ValidMigration> {
    let migration = spec.migration.as_ref()?;
    url_safe(&migration.user, &format!("{path}.migration.user"), problems);
    let path = format!("{path}.migration.passwordSecretRef");
    let password = migration.password_secret_ref.as_ref().map(|r| secret_key(&path, r, "password", problems));
    Some(ValidMigration { user: migration.user.clone(), password })
}

/// A reference with its default key. Names that no Secret can have are refused: nobody could ever bring it.
pub(super) fn secret_key(path: &str, reference: &SecretKeyReference, key: &str, problems: &mut Problems) -> SecretKey {
    let alphanumeric = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let name = &reference.name;
    let possible = alphanumeric(name.chars().next())
        && alphanumeric(name.chars().last())
        && name.chars().all(|c| alphanumeric(Some(c)) || "-.".contains(c));
    problems.require(possible, &format!("{path}.name"), "no Secret can have this name; correct it");
    let key = reference.key.as_deref().unwrap_or(key);
    let possible = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
    problems.require(possible, &format!("{path}.key"), "no Secret can have this key; correct it");
    SecretKey { secret: name.clone(), key: key.to_owned() }
}

/// Names have few characters, since the server does not escape them (server 1.30–1.32, `postgresql/session/session.go`:
/// `dsnFmt`).
pub(super) fn url_safe(name: &str, field: &str, problems: &mut Problems) {
    problems.require(
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "._~-".contains(c)),
        field,
        "only letters, digits and . _ ~ - are taken, since the server puts it unescaped into the connection string",
    );
}
