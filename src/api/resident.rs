//! What the kinds have in common whose resources live on a cluster: namespaces, schedules.

use super::conditions::Conditioned;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The finalizer of a resource whose deletion is also one in Temporal.
pub const FINALIZER: &str = "temporal.io/deletion";
/// The Go operator's, which is taken away as ours is.
pub const FINALIZER_OF_GO: &str = "deletion.finalizers.temporal.io";

/// Whether a finalizer is one of these.
#[must_use]
pub fn is_finalizer(name: &str) -> bool {
    name == FINALIZER || name == FINALIZER_OF_GO
}

/// The phase of such a resource, a word for `kubectl get`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Phase {
    /// It waits for its cluster, or for Temporal.
    Pending,
    /// Temporal has it as wanted, and it can be used.
    Ready,
    /// Nothing is done until somebody acts.
    Failed,
    /// It is being deleted.
    Deleting,
}

/// A status as all of these kinds have it.
pub trait Told: Conditioned {
    /// Sets what is said of all.
    fn tell(&mut self, generation: Option<i64>, phase: Phase, message: String, conditions: Vec<Condition>);
    /// The one sentence.
    fn message(&self) -> Option<&str>;
}
