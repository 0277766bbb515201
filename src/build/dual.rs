//! Dynamic config of a cluster with two visibility stores.
//!
//! Both are written by whoever knows two: a pod with the config of one store ignores the keys. They therefore stay until
//! no pod knows two any more, whatever order the blocks in the manifest are changed in.

use super::config::set_default;
use crate::api::SYSTEM_NAMESPACE;
use crate::validate::dynamic_config::{READ_SECOND, WRITE_BOTH, WRITING_MODE};
use serde_json::{Map, Value, json};

/// Adds what the user has not set.
pub(super) fn add(values: &mut Map<String, Value>) {
    set_default(values, WRITING_MODE, &json!({"value": WRITE_BOTH}));
    // Temporal's own workflows are few and nobody's; listed from the second store they tell whether it answers
    set_default(values, READ_SECOND, &json!({"value": true, "constraints": {"namespace": SYSTEM_NAMESPACE}}));
}
