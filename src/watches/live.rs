//! The live objects of one cluster, as the watches know them.

use super::Stores;
use crate::api::services::Role;
use crate::api::{annotations, labels};
use crate::build::{Kind, ObjectKey};
use crate::plan::Child;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::batch::v1::Job;
use kube::runtime::reflector::Store;
use kube::{Resource, ResourceExt};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is known of a live object without reading it whole.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its `resourceVersion`.
    pub version: String,
    /// Its uid.
    pub uid: Option<String>,
    /// Its hash annotation.
    pub applied_hash: Option<String>,
    /// Its config hash label.
    pub config_hash: Option<String>,
}

/// The live objects that carry our label and are owned by the cluster.
pub struct Live {
    found: BTreeMap<ObjectKey, Found>,
    /// Its Deployments.
    pub deployments: Vec<Arc<Deployment>>,
    /// Its Jobs.
    pub jobs: Vec<Arc<Job>>,
    /// Its autoscalers.
    pub autoscalers: Vec<Arc<HorizontalPodAutoscaler>>,
}

impl Live {
    /// Collects what the owner with this uid has in the namespace.
    #[must_use]
    pub fn of(stores: &Stores, namespace: &str, owner: &str) -> Self {
        let mut live = Self {
            found: BTreeMap::new(),
            deployments: owned(&stores.deployments, namespace, owner),
            jobs: owned(&stores.jobs, namespace, owner),
            autoscalers: owned(&stores.autoscalers, namespace, owner),
        };
        live.note(Kind::ServiceAccount, &owned(&stores.service_accounts, namespace, owner));
        live.note(Kind::ConfigMap, &owned(&stores.config_maps, namespace, owner));
        live.note(Kind::Service, &owned(&stores.services, namespace, owner));
        live.note(Kind::PodDisruptionBudget, &owned(&stores.disruption_budgets, namespace, owner));
        live.note(Kind::Ingress, &owned(&stores.ingresses, namespace, owner));
        live.note(Kind::ServiceMonitor, &owned(&stores.service_monitors, namespace, owner));
        let (deployments, jobs, autoscalers) = (live.deployments.clone(), live.jobs.clone(), live.autoscalers.clone());
        live.note(Kind::Deployment, &deployments);
        live.note(Kind::Job, &jobs);
        live.note(Kind::HorizontalPodAutoscaler, &autoscalers);
        live
    }

    /// Its Deployments of server roles.
    #[must_use]
    pub fn role_deployments(&self) -> Vec<&Deployment> {
        let component = |d: &Deployment| d.labels().get(labels::COMPONENT).cloned().unwrap_or_default();
        let is_role = |d: &Deployment| Role::ALL.iter().any(|role| role.name() == component(d));
        self.deployments.iter().map(AsRef::as_ref).filter(|d| is_role(d)).collect()
    }

    fn note<K: Resource<DynamicType = ()>>(&mut self, kind: Kind, objects: &[Arc<K>]) {
        for object in objects {
            let found = Found {
                version: object.resource_version().unwrap_or_default(),
                uid: object.uid(),
                applied_hash: object.annotations().get(annotations::APPLIED_HASH).cloned(),
                config_hash: object.labels().get(labels::CONFIG_HASH).cloned(),
            };
            self.found.insert(ObjectKey { kind, name: object.name_any() }, found);
        }
    }

    /// The object of that key, if it lives and is not being deleted.
    #[must_use]
    pub fn find(&self, key: &ObjectKey) -> Option<&Found> {
        self.found.get(key)
    }

    /// The whole object, where the watch has it.
    #[must_use]
    pub fn body(&self, key: &ObjectKey) -> Option<Value> {
        let named = |name: &Option<String>| name.as_ref() == Some(&key.name);
        match key.kind {
            Kind::Deployment => self
                .deployments
                .iter()
                .find(|d| named(&d.metadata.name))
                .and_then(|d| serde_json::to_value(d.as_ref()).ok()),
            Kind::Job => {
                self.jobs.iter().find(|j| named(&j.metadata.name)).and_then(|j| serde_json::to_value(j.as_ref()).ok())
            }
            Kind::HorizontalPodAutoscaler => self
                .autoscalers
                .iter()
                .find(|a| named(&a.metadata.name))
                .and_then(|a| serde_json::to_value(a.as_ref()).ok()),
            _ => None,
        }
    }

    /// All of them, for the plan.
    #[must_use]
    pub fn children(&self) -> Vec<Child> {
        let child = |(key, found): (&ObjectKey, &Found)| Child {
            key: key.clone(),
            config_hash: found.config_hash.clone(),
            applied_hash: found.applied_hash.clone(),
        };
        self.found.iter().map(child).collect()
    }
}

/// Objects of the namespace owned by that uid and not being deleted.
fn owned<K>(store: &Store<K>, namespace: &str, owner: &str) -> Vec<Arc<K>>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    let ours = |object: &K| {
        object.namespace().as_deref() == Some(namespace)
            && object.meta().deletion_timestamp.is_none()
            && object.owner_references().iter().any(|o| o.uid == owner)
    };
    store.state().into_iter().filter(|object| ours(object)).collect()
}
