//! The finalizer of a resource whose deletion is also one in Temporal.

use super::Kind;
use crate::api::resident::{FINALIZER, is_finalizer};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use serde_json::json;

/// Whether the resource is held, by our finalizer or by the Go operator's.
pub(super) fn is_held<K: Kind>(object: &K::Object) -> bool {
    object.finalizers().iter().any(|f| is_finalizer(f))
}

/// Whether ours is there.
pub(super) fn has_own<K: Kind>(object: &K::Object) -> bool {
    object.finalizers().iter().any(|f| f == FINALIZER)
}

/// Puts our finalizer on a resource.
pub(super) async fn hold<K: Kind>(client: &Client, object: &K::Object) -> kube::Result<()> {
    let mut all = object.finalizers().to_vec();
    all.push(FINALIZER.to_owned());
    set::<K>(client, object, &all).await
}

/// Takes ours and the Go operator's away.
pub(super) async fn let_go<K: Kind>(client: &Client, object: &K::Object) -> kube::Result<()> {
    let left: Vec<String> = object.finalizers().iter().filter(|f| !is_finalizer(f)).cloned().collect();
    match set::<K>(client, object, &left).await {
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        other => other,
    }
}

/// Only over what was seen: somebody else's finalizer must not get lost.
async fn set<K: Kind>(client: &Client, object: &K::Object, finalizers: &[String]) -> kube::Result<()> {
    let api: Api<K::Object> = Api::namespaced(client.clone(), &object.namespace().unwrap_or_default());
    let (seen, path) = (object.finalizers(), "/metadata/finalizers");
    let (seen, change) = if seen.is_empty() { (json!(null), "add") } else { (json!(seen), "replace") };
    let patch = json!([
        {"op": "test", "path": path, "value": seen},
        {"op": change, "path": path, "value": finalizers},
    ]);
    let patch = serde_json::from_value(patch).map_err(kube::Error::SerdeError)?;
    api.patch(&object.name_any(), &PatchParams::default(), &Patch::<()>::Json(patch)).await.map(drop)
}
