//! A Prometheus that scrapes a cluster's frontend.

use e2e::image::Image;
use serde_json::json;

use super::bed::Bed;
use super::cluster::Cluster;
use super::wait::{PATIENCE, until};

const NAME: &str = "prometheus";

impl Cluster {
    /// Puts a Prometheus beside the cluster, which must have `metrics`; its URL, when it has scraped the frontend.
    pub async fn prometheus(&self) -> String {
        let bed = Bed::get();
        bed.images(NAME);
        let targets: Vec<String> = self.pods("frontend").await.iter().map(|pod| format!("{}:9090", pod.ip)).collect();
        let config = json!({
            "global": {"scrape_interval": "1s"},
            "scrape_configs": [{"job_name": "temporal", "static_configs": [{"targets": targets}]}],
        });
        let file = std::env::temp_dir().join(format!("{}-prometheus.json", self.namespace));
        std::fs::write(&file, objects(&config.to_string()).to_string()).unwrap();
        let applied = bed.kubectl(&self.namespace, &["apply", "-f", &file.display().to_string()]);
        std::fs::remove_file(&file).unwrap();
        applied.unwrap();
        let ask = format!("/api/v1/namespaces/{}/services/{NAME}:9090/proxy/api/v1/query?query=up", self.namespace);
        until("Prometheus has scraped the frontend", PATIENCE, async || {
            let said = bed.kubectl(&self.namespace, &["get", "--raw", &ask])?;
            if said.contains("\"1\"]") { Ok(()) } else { Err(said) }
        })
        .await;
        format!("http://{NAME}.{}:9090", self.namespace)
    }
}

fn objects(config: &str) -> serde_json::Value {
    let container = json!({
        "name": NAME, "image": Image::Prometheus.reference(), "imagePullPolicy": "IfNotPresent",
        "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}},
        "readinessProbe": {"httpGet": {"path": "/-/ready", "port": 9090}, "periodSeconds": 1},
        "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "config", "mountPath": "/etc/prometheus"}],
    });
    let pod = json!({
        "securityContext": {"runAsNonRoot": true, "runAsUser": 65534, "seccompProfile": {"type": "RuntimeDefault"}},
        "terminationGracePeriodSeconds": 2,
        "volumes": [{"name": "config", "configMap": {"name": NAME}}],
        "containers": [container],
    });
    let labels = json!({"app": NAME});
    json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": NAME}, "data": {"prometheus.yml": config}},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": NAME}, "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        }},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": NAME}, "spec": {
            "selector": labels, "ports": [{"name": "http", "port": 9090}],
        }},
    ]})
}
