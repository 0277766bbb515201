//! `spec.rollout` and `status.rollout`: how a change goes from role to role.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::jobs::BeforeUpgradeSpec;

/// How changes that restart server pods are rolled out: version, image, config, Secrets, and restarts on demand by the
/// annotation `temporal.io/restartedAt` of the resource.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutSpec {
    /// What happens to a role whose new pods are not proven within `stepTimeout`. `Rollback` (default) gives it the pod
    /// template back that was last proven; `Pause` leaves it as it is. The rollout stops either way. History pods of a
    /// newer minor version are always left: an older one may not read what they wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnFailure>,
    /// Whether to begin nothing new: neither a schema Job nor the next role. What is under way is brought to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
    /// How long a role may take from the first new pod to the proof by Kubernetes and Temporal, a Go duration from `30s`
    /// to `24h`. Default `10m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(validation = ("self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('30s') && duration(self) <= duration('24h')", "spec.rollout.stepTimeout: must be a Go duration from 30s to 24h, for example 10m"))]
    pub step_timeout: Option<String>,
    /// A Job that must succeed before an upgrade begins, such as a backup. It runs once for each newer `spec.version`,
    /// before the first schema Job. Until it has succeeded the pods stay as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before_upgrade: Option<BeforeUpgradeSpec>,
}

/// What happens to a role that is not proven in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnFailure {
    /// It gets back what was last proven.
    #[default]
    Rollback,
    /// It is left as it is.
    Pause,
}

/// How far a rollout is: the few facts that cannot be seen in the cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RolloutStatus {
    /// The server version that is being gone to, when it is not yet the one that all roles run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_version: Option<String>,
    /// The role whose pods are being replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<RolloutStep>,
    /// The step that was not proven in time, until the manifest changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<FailedStep>,
    /// Hash of the pod template that was last proven, by role; the way back leads there.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub proven: BTreeMap<String, String>,
    /// How the Job before the upgrade ended, as long as its target is the wanted version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before_upgrade: Option<BeforeUpgradeStatus>,
}

/// The end of a Job before an upgrade. It stays known when the Job itself is gone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BeforeUpgradeStatus {
    /// The server version of the upgrade.
    pub target_version: String,
    /// Name of the Job.
    pub job: String,
    /// Why it failed, one sentence; absent when it succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// A role in motion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutStep {
    /// The role.
    pub role: String,
    /// Hash of the pod template it is given.
    pub template: String,
    /// Since when.
    pub started_at: Time,
}

/// A step that was not proven in time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FailedStep {
    /// The role.
    pub role: String,
    /// Hash of the pod template that was given up.
    pub template: String,
    /// When.
    pub at: Time,
    /// Whether the role gets back what was last proven.
    pub rolled_back: bool,
    /// What was seen, one sentence.
    pub message: String,
}
