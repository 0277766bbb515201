//! kubectl on one cluster, and never on another.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::command::Cmd;
use crate::host::is_there;
use crate::layout::Layout;

/// A cluster as kubectl reaches it.
#[derive(Debug, Clone)]
pub struct Kube {
    program: PathBuf,
    kubeconfig: Option<PathBuf>,
    context: String,
}

impl Kube {
    /// The testbed's cluster.
    pub fn testbed(layout: &Layout) -> Self {
        Self { program: layout.kubernetes("kubectl"), kubeconfig: Some(layout.kubeconfig()), context: "testbed".into() }
    }

    /// A context of the user's kubeconfig.
    pub fn context(layout: &Layout, context: &str) -> Self {
        let program = if is_there("kubectl") { "kubectl".into() } else { layout.kubernetes("kubectl") };
        Self { program, kubeconfig: None, context: context.to_owned() }
    }

    /// kubectl. The context is always named.
    pub fn kubectl(&self) -> Cmd {
        let mut cmd = Cmd::new(&self.program);
        if let Some(file) = &self.kubeconfig {
            cmd = cmd.env("KUBECONFIG", file);
        }
        cmd.arg("--context").arg(&self.context)
    }

    /// The command line that a person types for the same cluster.
    pub fn command(&self) -> String {
        if self.kubeconfig.is_some() { "kubectl".into() } else { format!("kubectl --context {}", self.context) }
    }

    /// An object.
    pub fn get(&self, namespace: &str, kind: &str, name: &str) -> Result<Value> {
        let text = self.kubectl().args(["-n", namespace, "get", kind, name, "-o", "json"]).output()?;
        serde_json::from_str(&text).with_context(|| format!("kubectl's answer on {kind} {name} is no JSON"))
    }

    /// The address of a Service.
    pub fn service_ip(&self, namespace: &str, name: &str) -> Result<String> {
        let service = self.get(namespace, "service", name)?;
        let ip = service["spec"]["clusterIP"].as_str().with_context(|| format!("service {name} has no address"))?;
        Ok(ip.to_owned())
    }
}
