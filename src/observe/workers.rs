//! What a worker has in Kubernetes, what work waits for it, and how long Temporal has been silent about it.

use super::versions::Versions;
use super::{LoadKey, Loads, ObserveError, lock, spread};
use crate::api::labels;
use crate::api::worker::{GateInput, VersionState};
use crate::build::worker::{ConfigRef, ConfigVersions, connection_references, references};
use crate::plan::rollout::is_complete;
use crate::plan::worker::{InTemporal, KnownQueue, KnownVersion, Revision, Routing, Seen, Silence, WhyNot, refusal};
use crate::temporal::{Target, TemporalError};
use crate::validate::{ValidWorker, WorkerHome};
use crate::watches::{Live, Place, Stores};
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::{Api, Client, ResourceExt};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

/// Versions of Secrets and ConfigMaps are read again after this time, and somewhat later, each worker in its own time.
const CONFIGS_FRESH: Duration = Duration::from_secs(30);
/// While one is missing, somebody may be about to make it.
const CONFIGS_MISSING: Duration = Duration::from_secs(4);
/// Work is not asked about more often, whatever else a worker is looked at for; the plan says when the next time is due.
const LOADS_FRESH: Duration = Duration::from_secs(9);

/// Reads, and remembers what is dear to read.
pub struct WorkerObserver {
    client: Client,
    stores: Stores,
    loads: Arc<Loads>,
    configs: Versions<Place, ConfigRef>,
    /// Since when Temporal has been silent about a worker.
    silences: Mutex<HashMap<Place, Instant>>,
}

impl WorkerObserver {
    /// An observer on these watches.
    #[must_use]
    pub fn new(client: Client, stores: Stores, loads: Arc<Loads>) -> Self {
        Self { client, stores, loads, configs: Versions::default(), silences: Mutex::default() }
    }

    /// The live objects of the worker with this uid.
    #[must_use]
    pub fn live(&self, namespace: &str, uid: &str) -> Live {
        Live::of(&self.stores, namespace, uid)
    }

    /// What it has in Kubernetes.
    ///
    /// # Errors
    /// When the versions of Secrets and ConfigMaps cannot be read.
    pub async fn look(&self, uid: &str, valid: &ValidWorker) -> Result<Seen, ObserveError> {
        self.stores.ready().await;
        let live = self.live(&valid.own, uid);
        let revisions = newest(self.stores.revisions_of(&valid.own, uid).iter().map(AsRef::as_ref));
        let at_rest = live.deployments.iter().all(|d| is_complete(d));
        let pods = if at_rest { Vec::new() } else { self.stores.worker_pods(&valid.own, &valid.name) };
        let mut wanted = references(&valid.template);
        wanted.extend(valid.home.connection().into_iter().flat_map(connection_references));
        wanted.extend(revisions.values().flat_map(|revision| references(&revision.template)));
        let by_build = live.deployments.iter().map(|deployment| {
            let build_id = deployment.labels().get(labels::BUILD_ID).cloned().unwrap_or_default();
            (build_id, deployment.as_ref().clone())
        });
        Ok(Seen {
            deployments: by_build.collect(),
            children: live.children().into_iter().map(|child| child.key).collect(),
            configs: self.configs(&(valid.own.clone(), valid.name.clone()), wanted).await?,
            revisions,
            pods,
            ..Seen::default()
        })
    }

    /// What waits for each version that has pods, or that new work goes to or is to go to, if work decides on their number.
    ///
    /// # Errors
    /// When Temporal does not answer and nothing that it said before still counts; of workers without versions only, which are
    /// not asked about anything else.
    pub async fn work(
        &self,
        target: &Target,
        valid: &ValidWorker,
        newest: &str,
        seen: &Seen,
        known: InTemporal,
    ) -> Result<InTemporal, TemporalError> {
        if valid.scaling.is_none() {
            return Ok(known);
        }
        if !valid.versioned {
            let load = self.loads.look(&key(target, valid, ""), ready(seen, ""), LOADS_FRESH).await?;
            let version = KnownVersion { load, ..KnownVersion::default() };
            let versions = BTreeMap::from([(String::new(), version)]);
            return Ok(InTemporal::Known(Box::new(Routing { versions, ..Routing::default() })));
        }
        let InTemporal::Known(mut routing) = known else { return Ok(known) };
        for (build_id, version) in &mut routing.versions {
            let wanted = seen.deployments.get(build_id).and_then(|d| d.spec.as_ref()?.replicas);
            let works = matches!(version.state, VersionState::Current | VersionState::Ramping | VersionState::Draining);
            if wanted.is_some_and(|pods| pods > 0 || works || build_id == newest) {
                // one that is not told is not known: nothing is taken away from it
                let load = self.loads.look(&key(target, valid, build_id), ready(seen, build_id), LOADS_FRESH).await;
                version.load = load.unwrap_or_default();
            }
        }
        Ok(InTemporal::Known(routing))
    }

    /// Temporal's answer, with since when there has been none.
    pub fn heard(
        &self,
        (place, home): (&Place, &WorkerHome),
        answer: Result<InTemporal, TemporalError>,
        now: Timestamp,
    ) -> (InTemporal, Option<Silence>) {
        let mut silences = lock(&self.silences);
        let error = match answer {
            Ok(known) => {
                silences.remove(place);
                return (known, None);
            }
            Err(error) => error,
        };
        let silent = silences.entry(place.clone()).or_insert_with(Instant::now).elapsed();
        let since = now - SignedDuration::try_from(silent).unwrap_or_default();
        let (why, why_not) = match home.connection() {
            Some(connection) if error.is_about_credentials() => {
                (refusal(connection, &error.to_string()), WhyNot::Credentials)
            }
            _ if error.is_transient() => (error.to_string(), WhyNot::Silent),
            _ => (error.to_string(), WhyNot::Refused),
        };
        let silence = Silence { why, why_not, since };
        (InTemporal::Unknown, Some(silence))
    }

    /// The argument of a gate's workflow, which is read for each run and not kept.
    ///
    /// # Errors
    /// When it is not there, or is no JSON.
    pub async fn argument(&self, namespace: &str, from: &GateInput) -> Result<Value, ObserveError> {
        let (config_map, secret) = (from.config_map_key_ref.as_ref(), from.secret_key_ref.as_ref());
        let (what, key, text) = match (config_map, secret) {
            (Some(of), _) => {
                let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), namespace);
                let found = api.get_opt(&of.name).await?.and_then(|c| c.data?.remove(&of.key));
                ("ConfigMap", of, found.map(String::into_bytes))
            }
            (None, Some(of)) => {
                let api: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
                ("Secret", of, api.get_opt(&of.name).await?.and_then(|s| Some(s.data?.remove(&of.key)?.0)))
            }
            (None, None) => return Ok(Value::Null),
        };
        let place = format!("{what} {}, key {}", key.name, key.key);
        let text = text.ok_or_else(|| ObserveError::GateInput(format!("there is no {place}; make it")))?;
        // a parser's words would show what is in a Secret
        serde_json::from_slice(&text).map_err(|_| ObserveError::GateInput(format!("{place} is no JSON; correct it")))
    }

    /// Drops what is remembered of a worker that is gone.
    pub fn forget(&self, place: &Place) {
        self.configs.forget(place);
        lock(&self.silences).remove(place);
    }

    async fn configs(&self, place: &Place, wanted: BTreeSet<ConfigRef>) -> Result<ConfigVersions, ObserveError> {
        if wanted.is_empty() {
            return Ok(ConfigVersions::new());
        }
        let fresh = |whole: bool| if whole { CONFIGS_FRESH + spread(place, CONFIGS_FRESH) } else { CONFIGS_MISSING };
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), &place.0);
        let config_maps: Api<ConfigMap> = Api::namespaced(self.client.clone(), &place.0);
        let read = |config: ConfigRef| {
            let (secrets, config_maps) = (secrets.clone(), config_maps.clone());
            async move {
                Ok(match config {
                    ConfigRef::Secret(name) => {
                        secrets.get_metadata_opt(&name).await?.and_then(|s| s.resource_version())
                    }
                    ConfigRef::ConfigMap(name) => {
                        config_maps.get_metadata_opt(&name).await?.and_then(|c| c.resource_version())
                    }
                })
            }
        };
        self.configs.of(place, wanted, fresh, read).await
    }
}

fn key(target: &Target, valid: &ValidWorker, build_id: &str) -> LoadKey {
    let queue = |(name, type_): &(String, _)| KnownQueue { name: name.clone(), type_: *type_, pollers: None };
    LoadKey {
        cluster: target.clone(),
        namespace: valid.home.namespace().to_owned(),
        deployment: valid.versioned.then(|| valid.deployment_name.clone()),
        build_id: build_id.to_owned(),
        queues: valid.task_queues.iter().map(queue).collect(),
    }
}

fn ready(seen: &Seen, build_id: &str) -> i32 {
    let deployment = seen.deployments.get(build_id);
    deployment.and_then(|d| d.status.as_ref()?.ready_replicas).unwrap_or(0)
}

/// The newest template of each version: a given build id may have had several.
fn newest<'a>(all: impl Iterator<Item = &'a ControllerRevision>) -> BTreeMap<String, Revision> {
    let mut newest: BTreeMap<String, Revision> = BTreeMap::new();
    for revision in all {
        let Some(build_id) = revision.labels().get(labels::BUILD_ID) else { continue };
        let Some(Value::Object(template)) = revision.data.as_ref().map(|data| &data.0) else { continue };
        if newest.get(build_id).is_none_or(|known| known.number < revision.revision) {
            let kept = Revision { number: revision.revision, template: template.clone() };
            newest.insert(build_id.clone(), kept);
        }
    }
    newest
}
