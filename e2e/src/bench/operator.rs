//! The operator goes, so that its work can be done by hand, and comes back.

use anyhow::Result;

use super::PATIENCE;
use crate::demo::{Kube, OPERATOR, OPERATOR_NAMESPACE};

/// Waits until it is gone.
pub(super) fn stop(kube: &Kube) -> Result<()> {
    scale(kube, 0)?;
    kubectl(kube, &["wait", "--for=delete", "pods", "--all", PATIENCE])
}

/// Waits until it is ready.
pub(super) fn start(kube: &Kube) -> Result<()> {
    scale(kube, 1)?;
    kubectl(kube, &["rollout", "status", "deployment", OPERATOR, PATIENCE])
}

fn scale(kube: &Kube, replicas: usize) -> Result<()> {
    kubectl(kube, &["scale", "deployment", OPERATOR, &format!("--replicas={replicas}")])
}

fn kubectl(kube: &Kube, args: &[&str]) -> Result<()> {
    kube.kubectl().args(["-n", OPERATOR_NAMESPACE]).args(args).run()
}
