//! Two visibility stores.

use super::*;

fn two() -> ValidCluster {
    valid(|m| {
        let mut second = m["spec"]["persistence"]["visibilityStore"].clone();
        second["sql"]["databaseName"] = json!("next");
        second["passwordSecretRef"] = json!({"name": "next"});
        second["tls"] = json!({"enabled": true, "caFileRef": {"name": "ca"}});
        m["spec"]["persistence"]["secondaryVisibilityStore"] = second;
        m["metadata"]["name"] = json!("a-name-of-thirty-six-characters-here");
    })
}

#[test]
fn the_server_gets_a_third_store_with_password_and_files_of_its_own() {
    let cluster = two();
    let config: Value =
        serde_yaml::from_str(&ServerConfig::render(&cluster).text.replace("{{", "'").replace("}}", "'")).unwrap();
    let persistence = &config["persistence"];
    assert_eq!(
        (&persistence["visibilityStore"], &persistence["secondaryVisibilityStore"]),
        (&json!("visibility"), &json!("secondaryVisibility"))
    );
    let second = &persistence["datastores"]["secondaryVisibility"]["sql"];
    assert_eq!((&second["databaseName"], &second["maxConns"]), (&json!("next"), &json!(10)));
    assert!(
        second["password"].as_str().unwrap().contains("TEMPORAL_SECONDARYVISIBILITY_DATASTORE_PASSWORD"),
        "{second}"
    );
    let pod =
        body(&cluster, Kind::Deployment, "a-name-of-thirty-six-characters-here-history")["spec"]["template"]["spec"]
            .clone();
    let names = |list: &Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|v| v["name"].as_str().unwrap().to_owned()).collect()
    };
    assert!(names(&pod["volumes"]).contains(&"secondaryvisibility-tls-ca-file".to_owned()));
    assert!(
        names(&pod["containers"][0]["env"]).contains(&"TEMPORAL_SECONDARYVISIBILITY_DATASTORE_PASSWORD".to_owned())
    );
}

#[test]
fn its_schema_is_a_visibility_schema_and_the_jobs_name_a_label() {
    let cluster = two();
    let store = cluster.secondary_visibility_store.as_ref().unwrap();
    let name = job::name(&cluster, store, &SecretVersions::new(), 1);
    assert!(name.len() <= 63, "{name}");
    let job = body(&cluster, Kind::Job, &name);
    assert_eq!(job["metadata"]["labels"]["temporal.io/store"], "secondary");
    let update = &job["spec"]["template"]["spec"]["containers"][0]["args"];
    assert_eq!(*update, json!(["update-schema", "--schema-name", "postgresql/v12/visibility"]));
}

#[test]
fn both_are_written_and_the_second_is_asked_with_temporals_own_workflows() {
    let values = |cluster: &ValidCluster| {
        let name = child_name(cluster, "dynamicconfig");
        let text = body(cluster, Kind::ConfigMap, &name)["data"]["dynamic_config.yaml"].as_str().unwrap().to_owned();
        serde_yaml::from_str::<Value>(&text).unwrap()
    };
    let two = values(&two());
    assert_eq!(two["system.secondaryVisibilityWritingMode"], json!([{"value": "dual"}]));
    let read = json!([{"value": true, "constraints": {"namespace": "temporal-system"}}]);
    assert_eq!(two["system.enableReadFromSecondaryVisibility"], read);
    let one = values(&valid(|_| ()));
    assert!(one.get("system.secondaryVisibilityWritingMode").is_none(), "{one}");
}
