//! A `TemporalWorker` as it can be carried out.

mod rollout;

pub use rollout::{GatePolicy, GateRule, RolloutPolicy, StepPolicy, WorkflowRule, read as rollout};
