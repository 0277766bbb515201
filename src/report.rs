//! Step 5: tells the user, by status and by events; only when there is something new to tell.

use crate::api::conditions::{self, Conditioned, READY, STALLED, VISIBILITY_READY};
use crate::api::labels::MANAGED_BY_VALUE;
use crate::plan::resident::News;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{Patch, PatchParams};
use kube::core::object::HasStatus;
use kube::runtime::events::{Event, EventType, Recorder};
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use std::fmt::Debug;

/// Reporting failed.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The API server did not answer or refused.
    #[error("cannot write the status: {0}")]
    Kube(#[from] kube::Error),
    /// The status cannot be written as JSON.
    #[error("cannot write the status as JSON: {0}")]
    Status(#[from] serde_json::Error),
}

/// Writes the status if it differs from `old`. True when it was written.
///
/// # Errors
/// When the API server refuses. A failed event is logged and forgotten.
pub async fn report<K>(
    client: &Client,
    recorder: &Recorder,
    object: &K,
    old: &K::Status,
    new: &K::Status,
) -> Result<bool, ReportError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + HasStatus + Clone + Debug + DeserializeOwned,
    K::Status: Conditioned + PartialEq + Serialize,
{
    if old == new {
        return Ok(false);
    }
    let api: Api<K> = Api::namespaced(client.clone(), &object.namespace().unwrap_or_default());
    let body = json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        "status": serde_json::to_value(new)?,
    });
    let params = PatchParams::apply(MANAGED_BY_VALUE).force();
    api.patch_status(&object.name_any(), &params, &Patch::Apply(&body)).await?;
    if let Some(event) = news(old.conditions(), new.conditions())
        // a namespace that is being deleted takes no events
        && event.reason != "NamespaceTerminating"
        && let Err(error) = recorder.publish(&event, &object.object_ref(&())).await
    {
        tracing::warn!(%error, "cannot publish an event");
    }
    Ok(true)
}

/// Tells something that is no change of a condition. A failed event is logged and forgotten.
pub async fn publish<K: Resource<DynamicType = ()>>(recorder: &Recorder, object: &K, news: &News) {
    publish_with(recorder, object, news, None).await;
}

/// The same of one of its pods; the same news of another pod is then an event of its own.
pub async fn publish_of_pod<K: Resource<DynamicType = ()>>(recorder: &Recorder, object: &K, news: &News, pod: &str) {
    let pod = ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("Pod".to_owned()),
        namespace: object.namespace(),
        name: Some(pod.to_owned()),
        ..ObjectReference::default()
    };
    publish_with(recorder, object, news, Some(pod)).await;
}

async fn publish_with<K: Resource<DynamicType = ()>>(
    recorder: &Recorder,
    object: &K,
    news: &News,
    secondary: Option<ObjectReference>,
) {
    let event = Event { secondary, ..event(news.reason, &news.note, news.warns) };
    if let Err(error) = recorder.publish(&event, &object.object_ref(&())).await {
        tracing::warn!(%error, "cannot publish an event");
    }
}

/// The event that the step from the old conditions to the new ones is worth: the resource turned ready or stopped being
/// so, or something new stands in its way.
fn news(old: &[Condition], new: &[Condition]) -> Option<Event> {
    let turned = |type_: &str| {
        let after = conditions::get(new, type_)?;
        let before = conditions::get(old, type_);
        let same = before.is_some_and(|b| b.status == after.status && b.reason == after.reason);
        (!same).then_some(after)
    };
    let (condition, warns) = match (turned(STALLED), turned(READY)) {
        (Some(stalled), _) if stalled.status == "True" => (stalled, true),
        (_, Some(ready)) => (ready, is_trouble(&ready.reason)),
        _ => (turned(VISIBILITY_READY).filter(|c| is_trouble(&c.reason))?, true),
    };
    Some(event(&condition.reason, &condition.message, warns))
}

fn event(reason: &str, note: &str, warns: bool) -> Event {
    Event {
        type_: if warns { EventType::Warning } else { EventType::Normal },
        reason: reason.to_owned(),
        note: Some(conditions::shorten(note, 1000)),
        action: "Reconcile".to_owned(),
        secondary: None,
    }
}

/// Reasons that need somebody's eyes.
fn is_trouble(reason: &str) -> bool {
    [
        "SecretMissing",
        "SchemaFailed",
        "SchemaHeldUp",
        "RoleNotReady",
        "TooFewShards",
        "UiNotReady",
        "TemporalUnreachable",
        "RingSplit",
        "ShardCountDiffers",
        "DatabaseTaken",
        "VisibilityUnavailable",
        "ApplyFailed",
        "OperatorFailed",
        "TemporalRefused",
        "CredentialsInvalid",
        "CredentialsRefused",
    ]
    .contains(&reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::conditions::{Truth, set};
    use k8s_openapi::jiff::Timestamp;

    fn with(reason: &str, truth: Truth) -> Vec<Condition> {
        let mut all = Vec::new();
        set(&mut all, READY, truth, (reason, "text"), None, Timestamp::UNIX_EPOCH);
        all
    }

    #[test]
    fn only_news_is_told() {
        let pending = with("SchemaPending", Truth::False);
        assert!(news(&pending, &pending).is_none());
        let event = news(&pending, &with("ClusterReady", Truth::True)).unwrap();
        assert!(matches!(event.type_, EventType::Normal));
        let event = news(&pending, &with("SchemaFailed", Truth::False)).unwrap();
        assert!(matches!(event.type_, EventType::Warning));
    }
}
