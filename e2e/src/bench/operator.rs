//! The operator goes, so that its work can be done by hand, and comes back.

use anyhow::Result;

use super::PATIENCE;
use crate::demo::Kube;

const OPERATOR: [&str; 3] = ["-n", "temporal-operator-system", "deployment/temporal-operator"];

/// Waits until it is gone.
pub(super) fn stop(kube: &Kube) -> Result<()> {
    scale(kube, 0, &["wait", "--for=delete", "pods", "--all", PATIENCE])
}

/// Waits until it is ready.
pub(super) fn start(kube: &Kube) -> Result<()> {
    let [.., deployment] = OPERATOR;
    scale(kube, 1, &["rollout", "status", deployment, PATIENCE])
}

fn scale(kube: &Kube, replicas: usize, then: &[&str]) -> Result<()> {
    let [flag, namespace, deployment] = OPERATOR;
    kube.kubectl().args([flag, namespace, "scale", deployment, &format!("--replicas={replicas}")]).run()?;
    kube.kubectl().args([flag, namespace]).args(then).run()
}
