//! What the server fills in or rewrites on the way in.
//!
//! Faithful: the defaults of Deployments, Jobs, pods, containers, probes, Services and the like that
//! come back to whoever compares what it sent with what it reads; `stringData`; cluster addresses,
//! kept from then on; a Job's generated selector and labels (checked against a real 1.34). Left out: node ports, canonical
//! quantities (`1000m` stays), and most of the zero values that Go would drop.

use k8s_openapi::ByteString;
use serde_json::{Value, json};

use super::{
    kinds::Kind,
    schema,
    store::Store,
    write::{drop_nulls, remove_fields},
};

/// Brings an object into the form it is kept in. Who writes the object owns what this fills in.
pub fn default(kind: &Kind, object: &mut Value) {
    if let Some(schema) = &kind.schema {
        drop_nulls(&mut object["metadata"]);
        schema::normalise(object, schema);
        return;
    }
    drop_nulls(object);
    match kind.kind.as_str() {
        "Deployment" => default_deployment(&mut object["spec"]),
        "ReplicaSet" => {
            fill(&mut object["spec"], &json!({"replicas": 1}));
            default_pod_spec(&mut object["spec"]["template"]["spec"]);
        }
        "Job" => default_job(&mut object["spec"]),
        "Pod" => default_pod_spec(&mut object["spec"]),
        "Service" => default_service(&mut object["spec"]),
        "Secret" => default_secret(object),
        "Namespace" => {
            let label = json!({"kubernetes.io/metadata.name": object["metadata"]["name"]});
            fill(&mut object["metadata"]["labels"], &label);
        }
        "PersistentVolumeClaim" => fill(&mut object["spec"], &json!({"volumeMode": "Filesystem"})),
        _ => {}
    }
    drop_nulls(object);
    drop_empty(object, &["data", "binaryData"]);
    drop_empty(&mut object["metadata"], &["labels", "annotations", "finalizers", "ownerReferences"]);
}

/// Fields that are empty are absent: Go leaves them out.
fn drop_empty(object: &mut Value, names: &[&str]) {
    let Some(fields) = object.as_object_mut() else { return };
    fields.retain(|name, value| {
        let empty = match value {
            Value::Object(fields) => fields.is_empty(),
            Value::Array(items) => items.is_empty(),
            Value::String(text) => text.is_empty(),
            _ => false,
        };
        !(empty && names.contains(&name.as_str()))
    });
}

impl Store {
    /// Adds what the server decides, which nobody owns.
    pub fn assign(&mut self, kind: &Kind, object: &mut Value, before: Option<&Value>) {
        if kind.is_custom() {
            return;
        }
        if kind.has_status {
            fill(&mut object["status"], &initial_status(kind));
        }
        match kind.kind.as_str() {
            "Job" => assign_job_labels(object),
            "Service" => self.assign_address(&mut object["spec"], before),
            "Namespace" if before.is_none() => fill(&mut object["spec"], &json!({"finalizers": ["kubernetes"]})),
            _ => {}
        }
    }

    fn assign_address(&mut self, spec: &mut Value, before: Option<&Value>) {
        if spec["type"] == "ExternalName" {
            return;
        }
        fill(spec, &json!({"ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv4"]}));
        if spec["clusterIP"].as_str().unwrap_or_default().is_empty() {
            let kept = before.map(|before| before["spec"]["clusterIP"].clone());
            let kept = kept.filter(|address| !address.is_null());
            spec["clusterIP"] = kept.unwrap_or_else(|| self.allocate_address("10.96").into());
        }
        spec["clusterIPs"] = json!([spec["clusterIP"]]);
    }

    /// An address in a /16 that nobody got before.
    pub fn allocate_address(&mut self, network: &str) -> String {
        let number = self.allocate();
        format!("{network}.{}.{}", number / 250, number % 250 + 1)
    }
}

/// Sets the fields that are absent.
fn fill(object: &mut Value, defaults: &Value) {
    if object.is_null() {
        *object = json!({});
    }
    let Some(fields) = object.as_object_mut() else { return };
    for (name, value) in defaults.as_object().into_iter().flatten() {
        fields.entry(name.clone()).or_insert_with(|| value.clone());
    }
}

fn items(list: &mut Value) -> impl Iterator<Item = &mut Value> {
    list.as_array_mut().into_iter().flatten()
}

fn default_deployment(spec: &mut Value) {
    fill(
        spec,
        &json!({
            "replicas": 1,
            "revisionHistoryLimit": 10,
            "progressDeadlineSeconds": 600,
            "strategy": {"type": "RollingUpdate"},
        }),
    );
    fill(&mut spec["strategy"], &json!({"type": "RollingUpdate"}));
    if spec["strategy"]["type"] == "RollingUpdate" {
        fill(&mut spec["strategy"]["rollingUpdate"], &json!({"maxSurge": "25%", "maxUnavailable": "25%"}));
    }
    default_pod_spec(&mut spec["template"]["spec"]);
}

fn initial_status(kind: &Kind) -> Value {
    match kind.kind.as_str() {
        "Namespace" => json!({"phase": "Active"}),
        "PersistentVolumeClaim" => json!({"phase": "Pending"}),
        "Pod" => json!({"phase": "Pending", "qosClass": "Burstable"}),
        "PodDisruptionBudget" => {
            json!({"currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0})
        }
        "ReplicaSet" => json!({"replicas": 0}),
        "Service" | "Ingress" => json!({"loadBalancer": {}}),
        "HorizontalPodAutoscaler" => json!({"desiredReplicas": 0}),
        _ => json!({}),
    }
}

fn default_service(spec: &mut Value) {
    fill(spec, &json!({"type": "ClusterIP", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster"}));
    for port in items(&mut spec["ports"]) {
        let target = port["port"].clone();
        fill(port, &json!({"protocol": "TCP", "targetPort": target}));
    }
}

fn default_job(spec: &mut Value) {
    fill(
        spec,
        &json!({
            "parallelism": 1,
            "completions": 1,
            "backoffLimit": 6,
            "completionMode": "NonIndexed",
            "manualSelector": false,
            "podReplacementPolicy": "TerminatingOrFailed",
            "suspend": false,
        }),
    );
    default_pod_spec(&mut spec["template"]["spec"]);
}

fn assign_job_labels(job: &mut Value) {
    let (uid, name) = (job["metadata"]["uid"].clone(), job["metadata"]["name"].clone());
    if job["spec"]["manualSelector"] == true {
        return;
    }
    let labels = json!({
        "controller-uid": uid,
        "job-name": name,
        "batch.kubernetes.io/controller-uid": uid,
        "batch.kubernetes.io/job-name": name,
    });
    let spec = &mut job["spec"];
    fill(&mut spec["template"]["metadata"]["labels"], &labels);
    fill(&mut spec["selector"], &json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}));
    if job["metadata"]["labels"].is_null() {
        job["metadata"]["labels"] = job["spec"]["template"]["metadata"]["labels"].clone();
    }
}

fn default_pod_spec(spec: &mut Value) {
    fill(
        spec,
        &json!({
            "restartPolicy": "Always",
            "dnsPolicy": "ClusterFirst",
            "schedulerName": "default-scheduler",
            "securityContext": {},
            "terminationGracePeriodSeconds": 30,
        }),
    );
    if !spec["serviceAccountName"].is_null() {
        spec["serviceAccount"] = spec["serviceAccountName"].clone();
    }
    drop_empty(
        spec,
        &["priorityClassName", "serviceAccountName", "nodeSelector", "volumes", "tolerations", "initContainers"],
    );
    items(&mut spec["containers"]).for_each(default_container);
    items(&mut spec["initContainers"]).for_each(default_container);
    items(&mut spec["volumes"]).for_each(default_volume);
}

fn default_container(container: &mut Value) {
    let image = container["image"].as_str().unwrap_or_default();
    let tag = image.rsplit('/').next().and_then(|name| name.split_once(':')).map(|(_, tag)| tag);
    let policy = if matches!(tag, None | Some("latest")) { "Always" } else { "IfNotPresent" };
    fill(
        container,
        &json!({
            "imagePullPolicy": policy,
            "resources": {},
            "terminationMessagePath": "/dev/termination-log",
            "terminationMessagePolicy": "File",
        }),
    );
    items(&mut container["ports"]).for_each(|port| fill(port, &json!({"protocol": "TCP"})));
    drop_empty(container, &["args", "command", "env", "envFrom", "ports", "volumeMounts"]);
    for variable in items(&mut container["env"]) {
        drop_empty(variable, &["value"]);
        if !variable["valueFrom"]["fieldRef"].is_null() {
            fill(&mut variable["valueFrom"]["fieldRef"], &json!({"apiVersion": "v1"}));
        }
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        default_probe(&mut container[probe]);
    }
}

fn default_probe(probe: &mut Value) {
    if probe.is_null() {
        return;
    }
    fill(
        probe,
        &json!({
            "timeoutSeconds": 1,
            "periodSeconds": 10,
            "successThreshold": 1,
            "failureThreshold": 3,
        }),
    );
    if !probe["httpGet"].is_null() {
        fill(&mut probe["httpGet"], &json!({"scheme": "HTTP", "path": "/"}));
    }
    if !probe["grpc"].is_null() {
        fill(&mut probe["grpc"], &json!({"service": ""}));
    }
}

fn default_volume(volume: &mut Value) {
    for source in ["configMap", "secret", "projected"] {
        if !volume[source].is_null() {
            fill(&mut volume[source], &json!({"defaultMode": 420}));
        }
    }
}

fn default_secret(secret: &mut Value) {
    fill(secret, &json!({"type": "Opaque"}));
    let plain = secret["stringData"].clone();
    for (name, value) in plain.as_object().into_iter().flatten() {
        let bytes = ByteString(value.as_str().unwrap_or_default().as_bytes().to_vec());
        secret["data"][name] = json!(bytes);
    }
    remove_fields(secret, &["stringData"]);
}
