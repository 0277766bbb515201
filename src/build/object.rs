//! A desired object of any kind, and the order in which kinds are applied.

use super::monitor::ServiceMonitor;
use crate::api::annotations;
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::Ingress;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::ApiResource;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::hash::{DefaultHasher, Hasher};
use std::io::Write;

/// The kinds the operator makes, in the order they are applied: what pods need comes before pods, and what only
/// leads to them after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Kind {
    ServiceAccount,
    ConfigMap,
    Service,
    PodDisruptionBudget,
    Job,
    ControllerRevision,
    Deployment,
    HorizontalPodAutoscaler,
    Ingress,
    ServiceMonitor,
}

impl Kind {
    /// Every kind, in the order of application.
    pub const ALL: [Self; 10] = [
        Self::ServiceAccount,
        Self::ConfigMap,
        Self::Service,
        Self::PodDisruptionBudget,
        Self::Job,
        Self::ControllerRevision,
        Self::Deployment,
        Self::HorizontalPodAutoscaler,
        Self::Ingress,
        Self::ServiceMonitor,
    ];

    /// How the API server knows it.
    #[must_use]
    pub fn api_resource(self) -> ApiResource {
        match self {
            Self::ServiceAccount => ApiResource::erase::<ServiceAccount>(&()),
            Self::ConfigMap => ApiResource::erase::<ConfigMap>(&()),
            Self::Service => ApiResource::erase::<Service>(&()),
            Self::PodDisruptionBudget => ApiResource::erase::<PodDisruptionBudget>(&()),
            Self::Job => ApiResource::erase::<Job>(&()),
            Self::ControllerRevision => ApiResource::erase::<ControllerRevision>(&()),
            Self::Deployment => ApiResource::erase::<Deployment>(&()),
            Self::HorizontalPodAutoscaler => ApiResource::erase::<HorizontalPodAutoscaler>(&()),
            Self::Ingress => ApiResource::erase::<Ingress>(&()),
            Self::ServiceMonitor => ApiResource::erase::<ServiceMonitor>(&()),
        }
    }
}

/// Kind and name of an object in the cluster's namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
}

impl std::fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {}", self.kind, self.name)
    }
}

/// A desired object.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
#[allow(missing_docs)]
pub enum Object {
    ServiceAccount(Box<ServiceAccount>),
    ConfigMap(Box<ConfigMap>),
    Service(Box<Service>),
    PodDisruptionBudget(Box<PodDisruptionBudget>),
    Job(Box<Job>),
    ControllerRevision(Box<ControllerRevision>),
    Deployment(Box<Deployment>),
    HorizontalPodAutoscaler(Box<HorizontalPodAutoscaler>),
    Ingress(Box<Ingress>),
    ServiceMonitor(Box<ServiceMonitor>),
}

impl Object {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::ServiceAccount(_) => Kind::ServiceAccount,
            Self::ConfigMap(_) => Kind::ConfigMap,
            Self::Service(_) => Kind::Service,
            Self::PodDisruptionBudget(_) => Kind::PodDisruptionBudget,
            Self::Job(_) => Kind::Job,
            Self::ControllerRevision(_) => Kind::ControllerRevision,
            Self::Deployment(_) => Kind::Deployment,
            Self::HorizontalPodAutoscaler(_) => Kind::HorizontalPodAutoscaler,
            Self::Ingress(_) => Kind::Ingress,
            Self::ServiceMonitor(_) => Kind::ServiceMonitor,
        }
    }

    /// Its metadata.
    #[must_use]
    pub fn metadata(&self) -> &ObjectMeta {
        match self {
            Self::ServiceAccount(o) => &o.metadata,
            Self::ConfigMap(o) => &o.metadata,
            Self::Service(o) => &o.metadata,
            Self::PodDisruptionBudget(o) => &o.metadata,
            Self::Job(o) => &o.metadata,
            Self::ControllerRevision(o) => &o.metadata,
            Self::Deployment(o) => &o.metadata,
            Self::HorizontalPodAutoscaler(o) => &o.metadata,
            Self::Ingress(o) => &o.metadata,
            Self::ServiceMonitor(o) => &o.metadata,
        }
    }

    /// Its key.
    #[must_use]
    pub fn key(&self) -> ObjectKey {
        ObjectKey { kind: self.kind(), name: self.metadata().name.clone().unwrap_or_default() }
    }

    /// The body to apply, with the hash of itself as an annotation.
    ///
    /// # Errors
    /// When a field cannot be written as JSON, which is a bug.
    pub fn sealed(&self) -> serde_json::Result<Sealed> {
        let mut body = serde_json::to_value(self)?;
        let hash = hash_of(&body.to_string());
        body["metadata"]["annotations"][annotations::APPLIED_HASH] = Value::from(hash.clone());
        Ok(Sealed { key: self.key(), hash, body })
    }

    /// The same for the same object, and cheaper than its hash. It is for this process only.
    ///
    /// # Errors
    /// When a field cannot be written as JSON, which is a bug.
    pub fn fingerprint(&self) -> serde_json::Result<u64> {
        let mut digest = Digesting(DefaultHasher::new());
        serde_json::to_writer(&mut digest, self)?;
        Ok(digest.0.finish())
    }
}

/// Takes in what is written.
struct Digesting(DefaultHasher);

impl Write for Digesting {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.0.write(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// An object as it is sent.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// Kind and name.
    pub key: ObjectKey,
    /// Hash of the body without itself.
    pub hash: String,
    /// apiVersion, kind and all.
    pub body: Value,
}

/// The first 10 hexadecimal digits of the SHA-256 of a text: 40 bits, enough to tell the configs of one cluster apart
/// and short enough for names.
#[must_use]
pub fn hash_of(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(5).map(|b| format!("{b:02x}")).collect()
}
