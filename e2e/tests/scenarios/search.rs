//! An OpenSearch, and an nginx before it that wants TLS and a password.

use e2e::image::Image;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams};
use serde_json::{Value, json};

use super::bed::{Bed, limited, output};
use super::cluster::{Scene, is_ready, restarts};
use super::postgres::Authority;
use super::wait::{PATIENCE, until};

/// The Deployment and the Service.
const NAME: &str = "search";
/// The user that nginx knows.
pub const USER: &str = "temporal";
/// Its password, with what a shell or YAML might take for its own; a colon would end it in nginx's file.
pub const PASSWORD: &str = "s{{e}} \"c'r$et";
/// While this file exists OpenSearch does not start; its data stay.
const SWITCH: &str = "/data/away";

/// Sends what comes in.
const SEND: &str = "\
import sys, urllib.request as http
kind = {'content-type': 'application/json'}
request = http.Request(sys.argv[2], data=sys.stdin.buffer.read() or None, method=sys.argv[1], headers=kind)
print(http.urlopen(request, timeout=50).read().decode())";

const NGINX: &str = "\
daemon off;
pid /tmp/nginx.pid;
error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path /tmp/body;
  proxy_temp_path /tmp/proxy;
  fastcgi_temp_path /tmp/fastcgi;
  uwsgi_temp_path /tmp/uwsgi;
  scgi_temp_path /tmp/scgi;
  client_max_body_size 100m;
  server {
    listen 9243 ssl;
    ssl_certificate /tls/tls.crt;
    ssl_certificate_key /tls/tls.key;
    auth_basic search;
    auth_basic_user_file /tls/users;
    location / { proxy_pass http://127.0.0.1:9200; }
  }
}
";

impl Scene {
    /// Puts OpenSearch here: `http://search:9200` for everybody, `https://search:9243` with user and password. Ready when
    /// it answers.
    pub async fn opensearch(&self, authority: &Authority) {
        Bed::get().images("opensearch");
        let server = authority.certificate(NAME, &[NAME]);
        let users = format!("{USER}:{{PLAIN}}{PASSWORD}\n");
        let files = [
            ("tls.crt", server.certificate.as_str()),
            ("tls.key", &server.key),
            ("users", &users),
            ("nginx.conf", NGINX),
        ];
        self.secret("search-proxy", &files);
        let file = std::env::temp_dir().join(format!("{}-search.json", self.namespace));
        std::fs::write(&file, objects().to_string()).unwrap();
        let applied = Bed::get().kubectl(&self.namespace, &["apply", "-f", &file.display().to_string()]);
        std::fs::remove_file(&file).unwrap();
        applied.unwrap();
        self.opensearch_ready().await;
        // how full the disk of the testbed is, is not what is tested
        let never = json!({"persistent": {"cluster.routing.allocation.disk.threshold_enabled": false}});
        self.send_to_search("PUT", "/_cluster/settings", &never);
    }

    /// Waits until OpenSearch answers.
    pub async fn opensearch_ready(&self) -> Pod {
        until("OpenSearch is ready", PATIENCE, async || {
            let pod = self.opensearch_pod().await?;
            if is_ready(&pod) { Ok(pod) } else { Err(format!("{:?}", pod.status)) }
        })
        .await
    }

    async fn opensearch_pod(&self) -> Result<Pod, String> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let all = pods.list(&ListParams::default().labels("app=search")).await.map_err(|e| e.to_string())?;
        all.items.into_iter().next().ok_or_else(|| "no pod".to_owned())
    }

    /// Ends OpenSearch and keeps it from starting, until [`Self::opensearch_back`].
    pub async fn opensearch_away(&self) {
        let before = restarts(&self.opensearch_pod().await.unwrap());
        let end = format!("touch {SWITCH}; kill 1");
        self.in_opensearch(&end).unwrap();
        until("OpenSearch has ended", PATIENCE, async || {
            let pod = self.opensearch_pod().await?;
            if restarts(&pod) > before { Ok(()) } else { Err(format!("{:?}", pod.status)) }
        })
        .await;
    }

    /// Lets OpenSearch start again, with its data.
    pub fn opensearch_back(&self) {
        self.in_opensearch(&format!("rm {SWITCH}")).unwrap();
    }

    /// The answer of OpenSearch to a GET.
    pub fn search(&self, path: &str) -> Value {
        self.ask_search("GET", path, "")
    }

    /// Makes an index whose field `ExecutionTime` has a type that is not Temporal's.
    pub fn spoilt_index(&self, name: &str) {
        let fields = json!({"ExecutionTime": {"type": "keyword"}});
        self.send_to_search("PUT", &format!("/{name}"), &json!({"mappings": {"properties": fields}}));
    }

    /// The answer of OpenSearch to a PUT or POST.
    pub fn send_to_search(&self, method: &str, path: &str, body: &Value) -> Value {
        self.ask_search(method, path, &body.to_string())
    }

    /// Asks from the host. kubectl would add its timeout to the query and not say that it sends JSON, neither of which
    /// OpenSearch takes.
    fn ask_search(&self, method: &str, path: &str, body: &str) -> Value {
        let bed = Bed::get();
        let ip = bed.kubectl(&self.namespace, &["get", "service", NAME, "-o", "jsonpath={.spec.clusterIP}"]).unwrap();
        let url = format!("http://{}:9200{path}", ip.trim());
        let send = limited(60, &bed.python).args(["-c", SEND, method, &url]).input(body.to_owned());
        let text = output(send).unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{method} {path}: {error}: {text}"))
    }

    fn in_opensearch(&self, command: &str) -> Result<String, String> {
        let args = ["exec", "deployment/search", "-c", "opensearch", "--", "sh", "-c", command];
        Bed::get().kubectl(&self.namespace, &args)
    }
}

fn objects() -> Value {
    let image = Image::OpenSearch.reference();
    let security = json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}});
    let start = format!("while [ -e {SWITCH} ]; do sleep 0.2; done; exec docker-entrypoint.sh");
    let probe = json!({"httpGet": {"path": "/_cluster/health", "port": 9200}, "periodSeconds": 1, "timeoutSeconds": 3});
    let opensearch = json!({
        "name": "opensearch", "image": image, "imagePullPolicy": "IfNotPresent", "securityContext": security,
        "command": ["sh", "-c", start], "env": [{"name": "HEAP", "value": "384m"}], "readinessProbe": probe,
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    });
    let proxy = json!({
        "name": "proxy", "image": image, "imagePullPolicy": "IfNotPresent", "securityContext": security,
        "command": ["/usr/sbin/nginx", "-e", "stderr", "-c", "/tls/nginx.conf"],
        "volumeMounts": [{"name": "tls", "mountPath": "/tls", "readOnly": true}],
    });
    let pod = json!({
        "securityContext": {"runAsNonRoot": true, "runAsUser": 1000, "runAsGroup": 1000, "fsGroup": 1000,
            "seccompProfile": {"type": "RuntimeDefault"}},
        "terminationGracePeriodSeconds": 2,
        "volumes": [
            {"name": "data", "emptyDir": {}},
            {"name": "tls", "secret": {"secretName": "search-proxy", "defaultMode": 0o440}},
        ],
        "containers": [opensearch, proxy],
    });
    let labels = json!({"app": NAME});
    json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": NAME}, "spec": {
            "strategy": {"type": "Recreate"}, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        }},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": NAME}, "spec": {
            // the proxy answers while OpenSearch is away
            "publishNotReadyAddresses": true, "selector": labels,
            "ports": [{"name": "http", "port": 9200}, {"name": "https", "port": 9243}],
        }},
    ]})
}
