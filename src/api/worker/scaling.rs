//! How the work that waits in Temporal decides on the number of a version's pods.

use crate::api::schedule::duration;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the work that waits in Temporal decides on the number of pods. It is asked from Temporal itself, for each version apart:
/// tasks that wait and for how long, tasks that come and go a second, slots in use.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("!has(self.min) || self.min <= self.max", "spec.scaling: min must not exceed max; lower one or raise the other"))]
pub struct ScalingSpec {
    /// Fewest pods of the current version; 0 lets it sleep when there is nothing to do. Default 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1000))]
    pub min: Option<i32>,
    /// Most pods of a version.
    #[schemars(range(min = 1, max = 1000))]
    pub max: i32,
    /// Waiting tasks that are borne for each pod. Default: as many as a pod is seen to take on within `maxBacklogAge`, and 10
    /// until that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub backlog_per_pod: Option<i32>,
    /// How long a task may wait before pods are added whatever the number of waiting tasks: a Go duration. Default `10s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "duration")]
    pub max_backlog_age: Option<String>,
    /// Percent of its slots that a pod has in use when the number of pods is right, for SDKs that tell them. Default 75.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub slot_utilization: Option<i32>,
    /// How long fewer pods must have been enough before any go: a Go duration up to `1h`. Default `2m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "duration")]
    pub scale_down_after: Option<String>,
    /// With `min: 0`, how long nothing must have come, waited or run before the last pod goes: a Go duration up to `1h`.
    /// Default `5m`. Where the SDK does not tell its slots, what runs is not seen: longer than the longest task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "duration")]
    pub idle_after: Option<String>,
    /// The task queues that count. Default: all that the version polls; unversioned workers must name them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub task_queues: Option<Vec<TaskQueueSpec>>,
}

/// A task queue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskQueueSpec {
    /// Its name.
    #[schemars(length(min = 1, max = 255))]
    pub name: String,
    /// The kinds of its tasks that count. Default: workflow and activity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 3))]
    pub types: Option<Vec<QueueType>>,
}

/// The kind of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs)]
pub enum QueueType {
    Workflow,
    Activity,
    Nexus,
}
