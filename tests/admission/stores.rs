//! TLS, users, connection parameters and schema Jobs.

use super::{Case, default_sql, default_store, refused, taken};
use serde_json::{Value, json};

fn tls(change: Value) -> Value {
    let mut tls = json!({"enabled": true, "enableHostVerification": true});
    super::merge(&mut tls, &change);
    default_store(json!({"tls": tls}))
}

fn attribute(key: &str, value: &str) -> Value {
    default_sql(json!({"connectAttributes": {key: value}}))
}

fn job_container(change: Value) -> Value {
    let mut container = json!({"name": "proxy", "image": "proxy:1"});
    super::merge(&mut container, &change);
    json!({"jobInitContainers": [container]})
}

/// Every case.
pub fn cases() -> Vec<Case> {
    let mut all = accepted();
    all.extend(refused_tls());
    all.extend(refused_users_and_attributes());
    all.extend(refused_jobs());
    all
}

fn accepted() -> Vec<Case> {
    vec![
        taken("TLS without files", tls(json!({}))),
        taken(
            "TLS with every field",
            tls(json!({
                "caFileRef": {"name": "db-tls"}, "certFileRef": {"name": "db-tls", "key": "tls.crt"},
                "keyFileRef": {"name": "db-tls", "key": "tls.key"}, "serverName": "postgres",
            })),
        ),
        taken("another user for migrations", default_store(json!({"migration": {"user": "owner"}}))),
        taken(
            "connection parameters",
            default_sql(json!({"connectAttributes": {
                "application_name": "a {{ b }} 'c' \"d\" \\ $ % ü", "options": "-c statement_timeout=5s", "my.setting": "x",
                "sslmode": "require",
            }})),
        ),
        taken(
            "Cloud SQL through a sidecar",
            json!({
                "jobInitContainers": [{
                    "name": "cloud-sql-proxy", "image": "gcr.io/cloud-sql-connectors/cloud-sql-proxy:2",
                    "restartPolicy": "Always", "args": ["--port=5432", "project:region:instance"],
                    "securityContext": {"runAsNonRoot": true},
                }],
                "persistence": {"defaultStore": {"sql": {
                    "connectAddr": "127.0.0.1:5432", "gcpServiceAccount": "temporal@p.iam.gserviceaccount.com",
                }}},
            }),
        ),
        taken(
            "where schema Jobs run",
            json!({"jobScheduling": {
                "nodeSelector": {"pool": "batch"}, "priorityClassName": "low",
                "tolerations": [{"key": "batch", "operator": "Exists", "effect": "NoSchedule"}],
                "affinity": {"podAntiAffinity": {}},
            }}),
        ),
        taken("what the database grants", default_sql(json!({"maxServerConnections": 500}))),
    ]
}

fn refused_tls() -> Vec<Case> {
    let files = json!({"name": "db-tls"});
    vec![
        refused(
            "TLS without a word",
            default_store(json!({"tls": {"enableHostVerification": true}})),
            "tls.enabled: Required value",
        ),
        refused(
            "a certificate without a key",
            tls(json!({"certFileRef": files})),
            "tls.keyFileRef: required with certFileRef",
        ),
        refused(
            "a key without a certificate",
            tls(json!({"keyFileRef": files})),
            "tls.certFileRef: required with keyFileRef",
        ),
        refused(
            "a server name that nobody would check",
            tls(json!({"serverName": "db.example.com"})),
            "tls.serverName: must be the host of sql.connectAddr",
        ),
        refused("a file of no Secret", tls(json!({"caFileRef": {"key": "ca.pem"}})), "caFileRef.name: Required value"),
        refused("an impossible Secret", tls(json!({"caFileRef": {"name": "A/b"}})), "caFileRef.name"),
        refused("an impossible key", tls(json!({"caFileRef": {"name": "a", "key": "b/c"}})), "caFileRef.key"),
        refused(
            "a store name that no volume can have",
            default_store(json!({"name": "my_store", "tls": {"enabled": true}})),
            "name: with tls at most 49 letters, digits and -",
        ),
        refused(
            "TLS in two places",
            default_store(json!({"tls": {"enabled": true}, "sql": {"connectAttributes": {"sslmode": "verify-ca"}}})),
            "sql.connectAttributes: sslmode, sslrootcert, sslcert, sslkey and sslinline would override tls",
        ),
    ]
}

fn refused_users_and_attributes() -> Vec<Case> {
    vec![
        refused(
            "a migration user with a slash",
            default_store(json!({"migration": {"user": "a/b"}})),
            "migration.user: only letters, digits and . _ ~ - are taken",
        ),
        refused(
            "a migration without a user",
            default_store(json!({"migration": {"passwordSecretRef": {"name": "a"}}})),
            "migration.user: Required value",
        ),
        refused(
            "store names that differ in case",
            json!({"persistence": {"defaultStore": {"name": "a-b"}, "visibilityStore": {"name": "A_B"}}}),
            "visibilityStore.name: must differ from the default store's name in more than case, - and _",
        ),
        refused(
            "a password in the manifest",
            attribute("password", "x"),
            "sql.connectAttributes: address, database, user and password have fields of their own",
        ),
        refused("another host", attribute("host", "x"), "sql.connectAttributes: address, database, user and password"),
        refused("a parameter with a space", attribute("a b", "x"), "sql.connectAttributes: a key is the name"),
        refused("a parameter without a name", attribute("", "x"), "sql.connectAttributes: a key is the name"),
        refused("a value with a space at its end", attribute("a", "x "), "may not begin or end with a space"),
        refused("a value with a line break", attribute("a", "x\ny"), "nor hold control characters"),
        refused("an empty value", attribute("a", ""), "a value may neither be empty"),
        refused(
            "two Google service accounts",
            json!({"persistence": {
                "defaultStore": {"sql": {"gcpServiceAccount": "a@b.c"}},
                "visibilityStore": {"sql": {"gcpServiceAccount": "d@b.c"}},
            }}),
            "visibilityStore.sql.gcpServiceAccount: must be the default store's",
        ),
        refused("no Google service account", default_sql(json!({"gcpServiceAccount": "abc"})), "gcpServiceAccount"),
        refused(
            "a database that grants nothing",
            default_sql(json!({"maxServerConnections": 0})),
            "should be greater than or equal to 1",
        ),
    ]
}

fn refused_jobs() -> Vec<Case> {
    vec![
        refused("a container without a name", job_container(json!({"name": null})), "name: Required value"),
        refused("a container without an image", job_container(json!({"image": null})), "image: Required value"),
        refused(
            "a container with the name of a step",
            job_container(json!({"name": "setup-schema"})),
            "spec.jobInitContainers: create-database, check-owner, setup-schema, put-template, create-index and schema-script-runner are the Job's own containers",
        ),
        refused(
            "two containers of one name",
            json!({"jobInitContainers": [{"name": "a", "image": "b"}, {"name": "a", "image": "c"}]}),
            "Duplicate value",
        ),
        refused("an impossible container name", job_container(json!({"name": "A"})), "jobInitContainers[0].name"),
        refused(
            "a priority without a name",
            json!({"jobScheduling": {"priorityClassName": ""}}),
            "should be at least 1 chars long",
        ),
    ]
}
