//! What a user of Temporal does with a cluster: the official Python SDK and the official command line tool.

use std::collections::BTreeSet;

use e2e::command::Cmd;
use serde_json::Value;
use temporal_operator::api::services::Role;
use temporal_operator::temporal::{ClusterView, GrpcTemporal, Reach, Target, Temporal as _};

use super::bed::{Bed, limited, output};
use super::cluster::Cluster;
use super::wait::{PATIENCE, until};

/// The Temporal namespace that scenarios use. Short: one scenario limits the length of names.
pub const NAMESPACE: &str = "e2e";

impl Cluster {
    /// Registers the Temporal namespace, if it is missing.
    pub async fn register_namespace(&self) {
        until("the Temporal namespace is registered", PATIENCE, async || {
            if self.temporal(&["operator", "namespace", "describe"]).await.is_ok() {
                return Ok(());
            }
            self.temporal(&["operator", "namespace", "create", "--retention", "24h"]).await.map(drop)
        })
        .await;
    }

    /// Runs a workflow with an activity to its end; the seconds that it took.
    pub async fn workflow(&self, id: &str) -> f64 {
        self.register_namespace().await;
        let bed = Bed::get();
        let python = limited(150, &bed.python).arg(bed.layout.repo.join("e2e/workflow/hello.py"));
        let said = output(python.args([&self.frontend().await, NAMESPACE, id]));
        let said = said.unwrap_or_else(|error| panic!("workflow {id} on {self} failed: {error}"));
        let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
        let value: Value = serde_json::from_str(last).unwrap_or_else(|_| panic!("workflow {id} printed {said:?}"));
        assert_eq!(value["result"], "Hello, Temporal!", "result of workflow {id} on {self}");
        // not from the mouth of the client alone
        let status = self.workflow_status(id).await;
        assert_eq!(status.as_deref(), Some("WORKFLOW_EXECUTION_STATUS_COMPLETED"), "workflow {id} on {self}");
        value["seconds"].as_f64().unwrap()
    }

    /// The status of a workflow as the server tells it; none when the server does not know it.
    pub async fn workflow_status(&self, id: &str) -> Option<String> {
        let text = self.temporal(&["workflow", "describe", "--workflow-id", id, "-o", "json"]).await;
        match text {
            Ok(text) => {
                let value: Value = serde_json::from_str(&text).expect("temporal prints JSON");
                value["workflowExecutionInfo"]["status"].as_str().map(str::to_owned)
            }
            Err(error) if error.contains("not found") => None,
            Err(error) => panic!("cannot describe workflow {id} on {self}: {error}"),
        }
    }

    /// The ids of all workflows that the visibility store lists.
    pub async fn workflows(&self) -> Result<BTreeSet<String>, String> {
        let text = self.temporal(&["workflow", "list", "-o", "json"]).await?;
        let all: Vec<Value> = serde_json::from_str(&text).map_err(|e| format!("{e}: {text}"))?;
        Ok(all.iter().filter_map(|w| w["execution"]["workflowId"].as_str().map(str::to_owned)).collect())
    }

    /// Waits until a workflow is listed.
    pub async fn lists(&self, id: &str) {
        until(&format!("workflow {id} is listed on {self}"), PATIENCE, async || {
            let all = self.workflows().await?;
            if all.contains(id) { Ok(()) } else { Err(format!("{all:?}")) }
        })
        .await;
    }

    /// Temporal's command line tool on this cluster.
    pub async fn temporal(&self, args: &[&str]) -> Result<String, String> {
        self.temporal_in(NAMESPACE, args).await
    }

    /// The same for one Temporal namespace.
    pub async fn temporal_in(&self, namespace: &str, args: &[&str]) -> Result<String, String> {
        let program = Bed::get().python.with_file_name("temporal");
        let tool: Cmd = limited(30, &program).args(args);
        output(tool.args(["--namespace", namespace, "--address", &self.frontend().await]))
    }

    /// Temporal's own view of itself, asked past the operator.
    pub async fn view(&self) -> Result<ClusterView, String> {
        let temporal = GrpcTemporal::new(Reach::PortForward(self.client.clone()));
        let target = Target::frontend(&self.namespace, &self.name, 7233);
        temporal.describe_cluster(&target).await.map_err(|error| error.to_string())
    }

    /// Waits until the ring of a role has exactly the addresses of the role's pods, so many.
    pub async fn ring_is_pods(&self, role: Role, count: usize) {
        until(&format!("the ring of {role} on {self} is its {count} pods"), PATIENCE, async || {
            let ring: BTreeSet<String> = self.view().await?.members(role).map(|m| m.ip().to_string()).collect();
            let pods: BTreeSet<String> = self.pods(role.name()).await.into_iter().map(|p| p.ip).collect();
            let same = ring == pods && ring.len() == count;
            if same { Ok(()) } else { Err(format!("ring {ring:?}, pods {pods:?}")) }
        })
        .await;
    }
}
