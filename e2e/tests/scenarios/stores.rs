//! Stores that ask for more than a password: TLS, certificates, an owner who is not the server.

use std::time::Instant;

use serde_json::{Value, json};
use temporal_operator::api::conditions::READY;

use super::bed::full;
use super::cluster::{Cluster, Scene, VERSION, hasty, manifest, with_databases};
use super::postgres::{Authority, Pair};
use super::wait::{PATIENCE, since, until};

/// The default store's user shows a certificate and a password, the visibility store's a certificate only.
const RULES: &str = "hostssl all by_password all scram-sha-256 clientcert=verify-full
hostssl all by_certificate all cert
host all all all reject";

/// The TLS block of a store whose files are in one Secret.
fn tls(secret: &str) -> Value {
    let file = json!({"name": secret});
    json!({
        "enabled": true, "enableHostVerification": true, "serverName": "postgres",
        "caFileRef": file, "certFileRef": file, "keyFileRef": file,
    })
}

fn files(scene: &Scene, secret: &str, ca: &str, pair: &Pair) {
    scene.secret(secret, &[("ca.pem", ca), ("client.pem", &pair.certificate), ("client.key", &pair.key)]);
}

/// Waits until the status sentence has these words; the sentence.
async fn says(cluster: &Cluster, words: &str) -> String {
    until(&format!("the status says {words:?}"), PATIENCE, async || {
        let status = cluster.get().await?.status.unwrap_or_default();
        let message = status.message.unwrap_or_default();
        if message.contains(words) { Ok(message) } else { Err(message) }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn stores_by_tls_with_each_plugin() {
    let scene = Scene::bare("store-tls").await;
    let (authority, stranger) = (Authority::new("databases"), Authority::new("a stranger"));
    scene.postgres_with_tls(&authority, RULES).await;
    scene.sql("postgres", "CREATE ROLE by_password LOGIN CREATEDB PASSWORD 'secret'");
    scene.sql("postgres", "CREATE ROLE by_certificate LOGIN CREATEDB");
    scene.secret("store", &[("password", "secret")]);
    let password = authority.certificate("by_password", &[]);
    files(&scene, "tls-default", &stranger.pem, &password);
    files(&scene, "tls-visibility", &authority.pem, &authority.certificate("by_certificate", &[]));

    // the users make their databases themselves
    let mut spec = hasty(with_databases(VERSION, "secured"));
    let stores = &mut spec["persistence"];
    stores["defaultStore"]["sql"]["user"] = json!("by_password");
    stores["defaultStore"]["passwordSecretRef"] = json!({"name": "store"});
    stores["defaultStore"]["tls"] = tls("tls-default");
    let visibility = stores["visibilityStore"].as_object_mut().unwrap();
    visibility.remove("passwordSecretRef");
    visibility.insert("tls".to_owned(), tls("tls-visibility"));
    visibility["sql"]["user"] = json!("by_certificate");
    visibility["sql"]["pluginName"] = json!("postgres12_pgx");

    let cluster = scene.cluster("main");
    let began = Instant::now();
    cluster.apply(&spec).await;
    let said = says(&cluster, "certificate signed by unknown authority").await;
    let told = since(began);

    let began = Instant::now();
    files(&scene, "tls-default", &authority.pem, &password);
    cluster.settled().await;
    let ready = since(began);
    let workflow = cluster.workflow("first").await;
    encrypted(&scene);

    // the plugins change places; the short form has each of them once
    let mut exchanged = String::new();
    if full() {
        let began = Instant::now();
        let plugin = |name: &str| json!({"sql": {"pluginName": name}});
        let stores = json!({"defaultStore": plugin("postgres12_pgx"), "visibilityStore": plugin("postgres12")});
        cluster.patch(json!({"persistence": stores})).await;
        cluster.settled().await;
        exchanged = format!("plugins exchanged in {}; ", since(began));
        cluster.workflow("second").await;
        encrypted(&scene);
    }

    // a running cluster: the first role stops, the others serve on
    let began = Instant::now();
    files(&scene, "tls-default", &stranger.pem, &password);
    let live = says(&cluster, "no usable database connection found").await;
    let live_told = since(began);
    let (reason, _) = cluster.condition(READY, "True").await;
    cluster.workflow("meanwhile").await;
    files(&scene, "tls-default", &authority.pem, &password);
    cluster.settled().await;
    scene
        .close(&format!(
            "wrong CA told after {told}: {said:?}; ready {ready} after the correction, workflow {workflow:.2} s; \
             {exchanged}wrong CA of a running cluster told after {live_told} ({reason}): {live:?}"
        ))
        .await;
}

/// Every connection from outside is encrypted, each user having shown its certificate.
fn encrypted(scene: &Scene) {
    let query = "SELECT DISTINCT usename, ssl, client_dn FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                 WHERE usename LIKE 'by_%' ORDER BY 1";
    let seen = scene.sql("postgres", query);
    assert_eq!(seen.trim(), "by_certificate|t|/CN=by_certificate\nby_password|t|/CN=by_password");
}

/// Printable, without a space: what a password may be.
const UGLY: &str = r#"a'b"c\d$e$(POD_IP)%41{{"x"}}#f:g@h/i?j&k=l+m,n;o<p>|q^r`~!"#;
/// What a connection parameter may be.
const NAME: &str = r#"it's {{ "x" }} \ $HOME $(POD_IP) %41 #&=+"#;

/// docs/persistence.md, "A separate user for migrations".
fn grants(schema: &str) -> String {
    [
        "ALTER DEFAULT PRIVILEGES FOR ROLE owner IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO server;",
        "ALTER DEFAULT PRIVILEGES FOR ROLE owner IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO server;",
        schema,
    ]
    .concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn another_user_owns_the_schema() {
    let scene = Scene::bare("store-users").await;
    scene.postgres_with_tls(&Authority::new("databases"), "host all all all scram-sha-256").await;
    for role in ["owner", "server"] {
        scene.sql("postgres", &format!("CREATE ROLE {role} LOGIN PASSWORD $q${UGLY}$q$"));
    }
    for database in ["temporal", "temporal_visibility"] {
        if database != "temporal" {
            scene.sql("postgres", &format!("CREATE DATABASE {database}"));
        }
        scene.sql("postgres", &format!("ALTER DATABASE {database} OWNER TO owner"));
    }
    // prepared for one store only
    scene.sql("temporal_visibility", &grants(""));
    scene.secret("users", &[("owner", UGLY), ("server", UGLY)]);

    let mut spec = manifest(VERSION);
    for store in ["defaultStore", "visibilityStore"] {
        let store = &mut spec["persistence"][store];
        store["skipCreate"] = json!(true);
        store["sql"]["user"] = json!("server");
        store["sql"]["connectAttributes"] = json!({"application_name": NAME});
        store["passwordSecretRef"] = json!({"name": "users", "key": "server"});
        store["migration"] = json!({"user": "owner", "passwordSecretRef": {"name": "users", "key": "owner"}});
    }
    spec["persistence"]["visibilityStore"]["sql"]["pluginName"] = json!("postgres12_pgx");
    spec["jobInitContainers"] = json!([sidecar()]);
    spec["jobScheduling"] =
        json!({"nodeSelector": {"kubernetes.io/os": "linux"}, "tolerations": [{"operator": "Exists"}]});

    let cluster = scene.cluster("main");
    let began = Instant::now();
    cluster.apply(&spec).await;
    let said = says(&cluster, "permission denied for table schema_version").await;
    let told = since(began);
    let began = Instant::now();
    let existing = "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO server;\
                    GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO server;";
    scene.sql("temporal", &grants(existing));
    cluster.settled().await;
    let ready = since(began);
    let workflow = cluster.workflow("hello").await;
    cluster.lists("hello").await;

    let owners = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'";
    for database in ["temporal", "temporal_visibility"] {
        assert_eq!(scene.sql(database, owners).trim(), "owner", "tables of {database}");
    }
    let names = "SELECT DISTINCT application_name FROM pg_stat_activity WHERE usename = 'server'";
    assert_eq!(scene.sql("postgres", names).trim(), NAME);
    let log = scene.postgres_log();
    assert!(log.contains(&format!("user=owner database=temporal application_name={NAME}")), "the tool's parameters");
    scene
        .close(&format!(
            "without the grants told after {told}: {said:?}; ready {ready} after them, workflow {workflow:.2} s; schema Jobs \
             ended beside a sidecar"
        ))
        .await;
}

/// Runs until it is stopped, and then fails: the Job must not care.
fn sidecar() -> Value {
    json!({
        "name": "proxy", "image": "postgres:15", "imagePullPolicy": "IfNotPresent", "restartPolicy": "Always",
        "command": ["bash", "-c", "trap 'exit 3' TERM; while :; do sleep 0.2; done"],
        "securityContext": {
            "allowPrivilegeEscalation": false, "runAsUser": 999, "capabilities": {"drop": ["ALL"]},
        },
    })
}
