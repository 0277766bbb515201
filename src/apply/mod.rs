//! Step 4: makes the live objects what the plan wants. With `report`, the only writer.
//!
//! An object is sent by server-side apply, and only when it differs: when what is wanted is not what was last sent, or
//! when the live object changed since and no longer holds what is wanted.

use crate::api::{annotations, labels};
use crate::build::{Kind, Object, ObjectKey};
use crate::error::{Class, is_terminating, words};
use crate::plan::{Changes, Delivery, Handover};
use crate::watches::{Live, Mark, Place, place};
use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams};
use kube::{Api, Client, Resource, ResourceExt};
use memory::Memory;
use serde_json::{Value, json};

mod contains;
mod memory;

/// Writing failed.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The API server refused.
    #[error("cannot {verb} {key}: {}", words(source))]
    Kube {
        /// What was tried.
        verb: &'static str,
        /// On what.
        key: ObjectKey,
        /// The answer.
        source: Box<kube::Error>,
    },
    /// A pod that is to be replaced cannot be deleted.
    #[error("cannot delete the pod {pod}: {}", words(source))]
    Pod {
        /// Its name.
        pod: String,
        /// The answer.
        source: Box<kube::Error>,
    },
    /// An object of that name exists and is not ours.
    #[error(
        "{key} exists and does not belong to this resource; delete or rename it, or give the resource another name"
    )]
    Foreign {
        /// The object.
        key: ObjectKey,
    },
    /// An object cannot be written as JSON.
    #[error("cannot write {key} as JSON: {source}")]
    Json {
        /// The object.
        key: ObjectKey,
        /// Why.
        source: serde_json::Error,
    },
}

impl ApplyError {
    /// Whether nothing can be made in the namespace any more.
    #[must_use]
    pub fn is_terminating(&self) -> bool {
        matches!(self, Self::Kube { source, .. } | Self::Pod { source, .. } if is_terminating(source))
    }

    /// Its class.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Kube { source, .. } | Self::Pod { source, .. } => Class::of(source),
            Self::Foreign { .. } => Class::User,
            Self::Json { .. } => Class::Bug,
        }
    }
}

/// What one application did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Objects sent.
    pub sent: u32,
    /// Objects found as wanted.
    pub skipped: u32,
    /// Objects deleted.
    pub deleted: u32,
}

/// Pods that are told of a change at the same time.
const AT_ONCE: usize = 8;

/// Field manager of numbers of pods that nobody gives.
const SCALER: &str = "temporal-operator-scale";

impl Applied {
    /// Nothing had to be written.
    #[must_use]
    pub fn nothing(self) -> bool {
        self.sent == 0 && self.deleted == 0
    }
}

/// The resource that objects are written for; they are in its namespace.
pub struct Owner {
    uid: String,
    place: Place,
}

impl Owner {
    /// This resource.
    #[must_use]
    pub fn of<K: Resource>(resource: &K) -> Self {
        Self { uid: resource.uid().unwrap_or_default(), place: place(resource) }
    }

    fn namespace(&self) -> &str {
        &self.place.0
    }
}

/// Applies plans of one kind of resource, and remembers what it has seen to be right.
pub struct Applier {
    client: Client,
    memory: Memory,
}

impl Applier {
    /// An applier that has seen nothing yet.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client, memory: Memory::default() }
    }

    /// Carries a plan out: objects in their order, then what is to go.
    ///
    /// # Errors
    /// At the first object that is refused; what came before stays.
    pub async fn apply(&self, owner: &Owner, changes: &Changes, live: &Live) -> Result<Applied, ApplyError> {
        let mut done = Applied::default();
        for handover in &changes.handovers {
            self.hand_over(owner, handover, live).await?;
        }
        for object in &changes.objects {
            if self.ensure(owner, object, live).await? {
                done.sent += 1;
            } else {
                done.skipped += 1;
            }
        }
        for key in &changes.prune {
            self.delete(owner, key, live).await?;
            done.deleted += 1;
        }
        if let Some(delivery) = &changes.delivery {
            self.deliver(owner.namespace(), delivery).await;
        }
        if let Some(split) = &changes.replacement {
            self.replace(owner.namespace(), &split.pod).await?;
        }
        Ok(done)
    }

    /// Drops what is remembered of the objects of a resource that no longer exists.
    pub fn forget(&self, owner: &Place) {
        self.memory.forget(owner);
    }

    fn api(&self, namespace: &str, kind: Kind) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), namespace, &kind.api_resource())
    }

    /// True when the object was sent.
    async fn ensure(&self, owner: &Owner, object: &Object, live: &Live) -> Result<bool, ApplyError> {
        let key = object.key();
        let json = |source| ApplyError::Json { key: key.clone(), source };
        let fingerprint = object.fingerprint().map_err(json)?;
        let found = live.find(&key);
        if found.is_some_and(|f| self.memory.is_right(&owner.place, &key, fingerprint, &f.mark)) {
            return Ok(false);
        }
        let sealed = object.sealed().map_err(json)?;
        if let Some(found) = found {
            let same = found.applied_hash.as_ref() == Some(&sealed.hash);
            if same && self.holds(owner.namespace(), &key, &sealed.body).await? {
                self.memory.note(&owner.place, &key, fingerprint, found.mark);
                return Ok(false);
            }
        } else {
            self.refuse_foreign(owner, &key).await?;
        }
        let mark = self.send(owner.namespace(), &key, &sealed.body).await?;
        self.memory.note(&owner.place, &key, fingerprint, mark);
        Ok(true)
    }

    /// Whether the live object has everything that is wanted. It is looked up: the watches do not keep that much.
    async fn holds(&self, namespace: &str, key: &ObjectKey, wanted: &Value) -> Result<bool, ApplyError> {
        let found = self.api(namespace, key.kind).get_opt(&key.name).await.map_err(failed("get", key))?;
        let body = found.and_then(|o| serde_json::to_value(o).ok());
        Ok(body.is_some_and(|b| contains::contains(&b, wanted)))
    }

    /// An object that we do not know is ours may be somebody else's.
    async fn refuse_foreign(&self, owner: &Owner, key: &ObjectKey) -> Result<(), ApplyError> {
        let api = self.api(owner.namespace(), key.kind);
        let found = api.get_metadata_opt(&key.name).await.map_err(failed("get", key))?;
        match found {
            Some(object) if !object.owner_references().iter().any(|o| o.uid == owner.uid) => {
                Err(ApplyError::Foreign { key: key.clone() })
            }
            _ => Ok(()),
        }
    }

    async fn send(&self, namespace: &str, key: &ObjectKey, body: &Value) -> Result<Mark, ApplyError> {
        let params = PatchParams::apply(labels::MANAGED_BY_VALUE).force();
        let sent = self.api(namespace, key.kind).patch(&key.name, &params, &Patch::Apply(body)).await;
        let sent = sent.map_err(failed("apply", key))?;
        tracing::info!(%namespace, kind = ?key.kind, name = key.name, "applied");
        let mark = Mark::of(&sent.metadata);
        Ok(if key.kind == Kind::HorizontalPodAutoscaler { mark.with_spec(&sent.data["spec"]) } else { mark })
    }

    /// Makes another field manager an owner of the number of pods, so that it stays when the operator gives it up. A number
    /// that was changed meanwhile is a conflict; then all is looked at again.
    async fn hand_over(&self, owner: &Owner, handover: &Handover, live: &Live) -> Result<(), ApplyError> {
        let key = &handover.key;
        let kind = key.kind.api_resource();
        let uid = live.find(key).and_then(|f| f.uid.clone());
        let body = json!({
            "apiVersion": kind.api_version, "kind": kind.kind,
            "metadata": {"name": key.name, "uid": uid},
            "spec": {"replicas": handover.replicas},
        });
        let api = self.api(owner.namespace(), key.kind);
        let sent = api.patch(&key.name, &PatchParams::apply(SCALER), &Patch::Apply(&body)).await;
        sent.map(drop).map_err(failed("hand over the number of pods of", key))
    }

    /// Has the kubelets look at the ConfigMaps of pods now. What fails is not tried again: they look within a minute anyway.
    async fn deliver(&self, namespace: &str, delivery: &Delivery) {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let patch = json!({"metadata": {"annotations": {annotations::DYNAMIC_CONFIG: delivery.hash}}});
        let params = PatchParams { field_manager: Some(labels::MANAGED_BY_VALUE.to_owned()), ..PatchParams::default() };
        let tell = async |pod: String| match api.patch_metadata(&pod, &params, &Patch::Merge(&patch)).await {
            Err(kube::Error::Api(status)) if status.is_not_found() => {}
            Err(error) => {
                let error = words(&error);
                tracing::warn!(%namespace, pod, error, "this pod reads its dynamic config later");
            }
            Ok(_) => {}
        };
        stream::iter(delivery.pods.clone()).for_each_concurrent(AT_ONCE, tell).await;
    }

    /// Deletes a pod, for its ReplicaSet to make another. Not evicts: no budget knows that it does more harm than good.
    async fn replace(&self, namespace: &str, pod: &str) -> Result<(), ApplyError> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        match api.delete(pod, &DeleteParams::default()).await {
            Ok(_) => tracing::info!(%namespace, pod, "replaced"),
            Err(kube::Error::Api(status)) if status.is_not_found() => {}
            Err(source) => return Err(ApplyError::Pod { pod: pod.to_owned(), source: Box::new(source) }),
        }
        Ok(())
    }

    /// Deletes exactly the object that was seen: one made anew under the same name stays.
    async fn delete(&self, owner: &Owner, key: &ObjectKey, live: &Live) -> Result<(), ApplyError> {
        let params = DeleteParams {
            preconditions: Some(kube::api::Preconditions {
                uid: live.find(key).and_then(|f| f.uid.clone()),
                ..kube::api::Preconditions::default()
            }),
            ..DeleteParams::background()
        };
        self.memory.drop_object(&owner.place, key);
        let namespace = owner.namespace();
        match self.api(namespace, key.kind).delete(&key.name, &params).await {
            Ok(_) => tracing::info!(%namespace, kind = ?key.kind, name = key.name, "pruned"),
            Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => {}
            Err(error) => return Err(failed("delete", key)(error)),
        }
        Ok(())
    }
}

fn failed(verb: &'static str, key: &ObjectKey) -> impl FnOnce(kube::Error) -> ApplyError {
    let key = key.clone();
    move |source| ApplyError::Kube { verb, key, source: Box::new(source) }
}
