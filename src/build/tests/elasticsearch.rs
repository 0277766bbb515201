//! A visibility store on Elasticsearch.

use super::*;

fn searched(change: impl FnOnce(&mut Value)) -> ValidCluster {
    valid(|m| {
        let store = &mut m["spec"]["persistence"]["visibilityStore"];
        *store = json!({
            "elasticsearch": {"url": "https://search.example.com:9200", "username": "t"},
            "passwordSecretRef": {"name": "s", "key": "search"},
        });
        change(store);
    })
}

fn schema_pod(cluster: &ValidCluster) -> Value {
    let name = job::name(cluster, &cluster.visibility_store, &SecretVersions::new(), 1);
    body(cluster, Kind::Job, &name)["spec"]["template"]["spec"].clone()
}

fn steps(pod: &Value) -> Vec<Value> {
    ["initContainers", "containers"].iter().flat_map(|list| pod[*list].as_array().unwrap().clone()).collect()
}

fn env(container: &Value, name: &str) -> Value {
    let all = container["env"].as_array().unwrap();
    all.iter().find(|e| e["name"] == name).cloned().unwrap_or_default()
}

#[test]
fn the_template_comes_before_the_index_that_takes_its_fields_from_it() {
    let pod = schema_pod(&searched(|_| {}));
    let steps = steps(&pod);
    let told: Vec<_> = steps.iter().map(|s| (s["name"].as_str().unwrap(), s["args"].clone())).collect();
    let index = "temporal_visibility_v1";
    assert_eq!(
        told,
        [
            ("put-template", json!(["update-schema"])),
            ("create-index", json!(["create-index", "--index", index])),
            ("schema-script-runner", json!(["update-schema", "--index", index])),
        ]
    );
    assert!(told.iter().all(|(name, _)| crate::api::jobs::STEPS.contains(name)));
    for step in &steps {
        assert_eq!(step["command"], json!(["temporal-elasticsearch-tool"]));
        assert_eq!(env(step, "ES_SERVER")["value"], "https://search.example.com:9200");
        assert_eq!(env(step, "ES_USER")["value"], "t");
        assert_eq!(env(step, "ES_PWD")["valueFrom"]["secretKeyRef"], json!({"name": "s", "key": "search"}));
        assert!(env(step, "ES_TLS").is_null(), "the scheme alone: authorities of the image");
    }
}

#[test]
fn an_index_that_exists_is_not_made_and_the_migration_user_changes_it() {
    let cluster = searched(|store| {
        store["skipCreate"] = json!(true);
        store["migration"] = json!({"user": "owner", "passwordSecretRef": {"name": "o"}});
        store["tls"] = json!({
            "enabled": true, "enableHostVerification": false, "serverName": "search", "caFileRef": {"name": "t"},
            "certFileRef": {"name": "t"}, "keyFileRef": {"name": "t"},
        });
    });
    let pod = schema_pod(&cluster);
    let steps = steps(&pod);
    let names: Vec<_> = steps.iter().map(|s| s["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["put-template", "schema-script-runner"]);
    for step in &steps {
        assert_eq!(env(step, "ES_USER")["value"], "owner");
        assert_eq!(env(step, "ES_PWD")["valueFrom"]["secretKeyRef"]["name"], "o");
        assert_eq!(env(step, "ES_TLS")["value"], "true");
        assert_eq!(env(step, "ES_TLS_CA_FILE")["value"], "/etc/tls/datastores/ca/visibility/ca.pem");
        assert_eq!(env(step, "ES_TLS_KEY_FILE")["value"], "/etc/tls/datastores/key/visibility/client.key");
        assert_eq!(env(step, "ES_TLS_DISABLE_HOST_VERIFICATION")["value"], "true");
        assert_eq!(env(step, "ES_TLS_SERVER_NAME")["value"], "search");
        assert_eq!(step["volumeMounts"].as_array().unwrap().len(), 3);
    }
    let tree = plain(&cluster)["persistence"]["datastores"]["visibility"]["elasticsearch"].clone();
    assert_eq!(tree["username"], "t", "the servers stay the ordinary user");
    assert_eq!(tree["tls"]["serverName"], "search");
}

#[test]
fn the_server_reads_every_setting() {
    let cluster = searched(|store| {
        store["elasticsearch"]["version"] = json!("v8");
        store["elasticsearch"]["indices"] = json!({"visibility": "temporal_visibility_v1_dev"});
        store["elasticsearch"]["logLevel"] = json!("none");
        store["elasticsearch"]["closeIdleConnectionsInterval"] = json!("30s");
        store["elasticsearch"]["enableHealthcheck"] = json!(true);
    });
    let text = ServerConfig::render(&cluster).text;
    assert!(text.contains("password: {{ env \"TEMPORAL_VISIBILITY_DATASTORE_PASSWORD\" | quote }}"), "{text}");
    let mut tree = plain(&cluster)["persistence"]["datastores"]["visibility"].clone();
    tree["elasticsearch"].as_object_mut().unwrap().remove("password");
    let wanted = json!({"elasticsearch": {
        "version": "v8", "url": {"scheme": "https", "host": "search.example.com:9200"}, "username": "t",
        "indices": {"visibility": "temporal_visibility_v1_dev"}, "logLevel": "none",
        "closeIdleConnectionsInterval": "30s", "enableHealthcheck": true,
    }});
    assert_eq!(tree, wanted);
}

#[test]
fn only_sql_stores_count_as_connections() {
    let cluster = searched(|_| {});
    assert!(cluster.warnings.is_empty(), "{:?}", cluster.warnings);
}
