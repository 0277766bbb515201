//! The kinds the server serves: the built-in ones of the table below, and those registered by a
//! CustomResourceDefinition.
//!
//! Faithful: group, version, plural and scope of each, whether it has a `status` subresource and a
//! generation. Left out: short names, categories, conversion between versions of a custom resource
//! (every served version shows the same object under its own apiVersion).

use std::sync::Arc;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::Value;

/// One kind in one version.
#[derive(Clone, Debug, Default)]
pub struct Kind {
    pub group: String,
    pub version: String,
    pub kind: String,
    pub plural: String,
    pub namespaced: bool,
    pub has_status: bool,
    pub has_generation: bool,
    /// `openAPIV3Schema`, of custom resources only.
    pub schema: Option<Arc<Value>>,
}

impl Kind {
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// `deployments.apps`, as error messages name a resource.
    pub fn qualified_plural(&self) -> String {
        qualified(&self.plural, &self.group)
    }

    /// `Deployment.apps`, as validation errors name a kind.
    pub fn qualified_kind(&self) -> String {
        qualified(&self.kind, &self.group)
    }

    pub fn is_custom(&self) -> bool {
        self.schema.is_some()
    }

    pub fn is(&self, group: &str, kind: &str) -> bool {
        self.group == group && self.kind == kind
    }
}

fn qualified(name: &str, group: &str) -> String {
    if group.is_empty() { name.to_owned() } else { format!("{name}.{group}") }
}

const NAMESPACED: u8 = 1;
const STATUS: u8 = 2;
const GENERATION: u8 = 4;

#[rustfmt::skip]
const BUILT_IN: &[(&str, &str, &str, &str, u8)] = &[
    ("", "v1", "ConfigMap", "configmaps", NAMESPACED),
    ("", "v1", "Event", "events", NAMESPACED),
    ("", "v1", "Namespace", "namespaces", STATUS),
    ("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", NAMESPACED | STATUS),
    ("", "v1", "Pod", "pods", NAMESPACED | STATUS | GENERATION),
    ("", "v1", "Secret", "secrets", NAMESPACED),
    ("", "v1", "Service", "services", NAMESPACED | STATUS),
    ("", "v1", "ServiceAccount", "serviceaccounts", NAMESPACED),
    ("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", STATUS | GENERATION),
    ("apps", "v1", "ControllerRevision", "controllerrevisions", NAMESPACED),
    ("apps", "v1", "Deployment", "deployments", NAMESPACED | STATUS | GENERATION),
    ("apps", "v1", "ReplicaSet", "replicasets", NAMESPACED | STATUS | GENERATION),
    ("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", NAMESPACED | STATUS),
    ("batch", "v1", "Job", "jobs", NAMESPACED | STATUS | GENERATION),
    ("coordination.k8s.io", "v1", "Lease", "leases", NAMESPACED),
    ("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", NAMESPACED | GENERATION),
    ("events.k8s.io", "v1", "Event", "events", NAMESPACED),
    ("networking.k8s.io", "v1", "Ingress", "ingresses", NAMESPACED | STATUS | GENERATION),
    ("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", NAMESPACED | STATUS | GENERATION),
    ("rbac.authorization.k8s.io", "v1", "Role", "roles", NAMESPACED),
    ("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings", NAMESPACED),
];

/// All served kinds.
pub struct Kinds(Vec<Arc<Kind>>);

impl Kinds {
    pub fn built_in() -> Self {
        let kind = |&(group, version, kind, plural, flags): &(&str, &str, &str, &str, u8)| {
            Arc::new(Kind {
                group: group.into(),
                version: version.into(),
                kind: kind.into(),
                plural: plural.into(),
                namespaced: flags & NAMESPACED != 0,
                has_status: flags & STATUS != 0,
                has_generation: flags & GENERATION != 0,
                schema: None,
            })
        };
        Self(BUILT_IN.iter().map(kind).collect())
    }

    /// Serves every version the definition serves; a kind registered before is replaced.
    pub fn register(&mut self, crd: &CustomResourceDefinition) {
        let spec = &crd.spec;
        for version in spec.versions.iter().filter(|version| version.served) {
            let schema = version
                .schema
                .as_ref()
                .and_then(|schema| schema.open_api_v3_schema.as_ref())
                .and_then(|schema| serde_json::to_value(schema).ok())
                .unwrap_or_else(|| serde_json::json!({"type": "object"}));
            let subresources = version.subresources.as_ref();
            let kind = Kind {
                group: spec.group.clone(),
                version: version.name.clone(),
                kind: spec.names.kind.clone(),
                plural: spec.names.plural.clone(),
                namespaced: spec.scope == "Namespaced",
                has_status: subresources.is_some_and(|subresources| subresources.status.is_some()),
                has_generation: true,
                schema: Some(Arc::new(schema)),
            };
            self.0.retain(|known| {
                (&known.group, &known.version, &known.plural) != (&kind.group, &kind.version, &kind.plural)
            });
            self.0.push(Arc::new(kind));
        }
    }

    pub fn find(&self, group: &str, version: &str, plural: &str) -> Option<Arc<Kind>> {
        self.0.iter().find(|kind| kind.group == group && kind.version == version && kind.plural == plural).cloned()
    }

    /// The kind that a test names by group and kind.
    pub fn of_kind(&self, group: &str, kind: &str) -> Option<Arc<Kind>> {
        self.0.iter().find(|known| known.is(group, kind)).cloned()
    }

    pub fn in_group_version<'a>(&'a self, group: &'a str, version: &'a str) -> impl Iterator<Item = &'a Kind> {
        self.0.iter().map(AsRef::as_ref).filter(move |kind| kind.group == group && kind.version == version)
    }
}
