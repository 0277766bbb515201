//! The model: a cluster, its users, the operator's passes.

mod kube;

use fastrand::Rng;
use k8s_openapi::api::batch::v1::{Job, JobCondition, JobStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::{SimPod, SimRole};
use semver::Version;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use temporal_operator::api::services::Role;
use temporal_operator::api::status::Phase;
use temporal_operator::api::{TemporalCluster, TemporalClusterStatus, annotations, labels};
use temporal_operator::build::{Object, ObjectKey, names};
use temporal_operator::plan::split::Apart;
use temporal_operator::plan::{self, Child, Membership, Observed, Rings, TemporalView};
use temporal_operator::validate::{self, ValidCluster};

/// How much goes wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Faults {
    None,
    Many,
}

const SHARDS: u32 = 64;

pub struct Simulation {
    rng: Rng,
    now: u32,
    resource: TemporalCluster,
    roles: BTreeMap<String, SimRole>,
    jobs: BTreeMap<String, (Job, u32)>,
    others: BTreeMap<ObjectKey, Child>,
    /// Server versions whose schema each store has had.
    schemas: BTreeMap<String, Version>,
    /// Versions before whose upgrade the user's Job has succeeded.
    passed: BTreeSet<Version>,
    next_ip: u32,
    careless: bool,
    apart: Apart,
}

impl Simulation {
    pub fn new(seed: u64) -> Self {
        let store = |database: &str| json!({"sql": {"pluginName": "postgres12", "user": "t", "databaseName": database, "connectAddr": "db:5432"}});
        let resource = serde_json::from_value(json!({
            "apiVersion": "temporal.io/v1beta1", "kind": "TemporalCluster",
            "metadata": {"name": "c", "namespace": "ns", "uid": "u", "generation": 1},
            "spec": {"version": "1.30.8", "numHistoryShards": SHARDS, "rollout": {"stepTimeout": "1m"},
                "services": {"frontend": {"replicas": 2}, "history": {"replicas": 3}, "matching": {"replicas": 2}},
                "persistence": {"defaultStore": store("a"), "visibilityStore": store("b")}},
        }));
        Self {
            rng: Rng::with_seed(seed),
            now: 1000,
            resource: resource.unwrap(),
            roles: BTreeMap::new(),
            jobs: BTreeMap::new(),
            others: BTreeMap::new(),
            schemas: BTreeMap::new(),
            passed: BTreeSet::new(),
            next_ip: 0,
            careless: false,
            apart: Apart::default(),
        }
    }

    pub fn second(&self) -> u32 {
        self.now - 1000
    }

    pub fn apply_all_at_once(&mut self) {
        self.careless = true;
    }

    /// A second: users, faults, the operator, Kubernetes; then what must hold.
    pub fn step(&mut self, faults: Faults) -> Result<(), String> {
        self.now += 1;
        if faults == Faults::Many {
            self.user();
            self.harm();
        }
        if self.careless && self.second() == 200 {
            self.restart("at once");
        }
        if faults == Faults::None || self.rng.u8(0..3) > 0 {
            self.operator(faults)?;
        }
        for role in self.roles.values_mut() {
            role.step(self.now, &mut self.rng, &mut self.next_ip);
        }
        self.run_jobs();
        self.check()
    }

    /// The manifest changes in the middle of whatever is under way.
    fn user(&mut self) {
        let spec = &mut self.resource.spec;
        match self.rng.u16(0..600) {
            0..=3 => self.restart(&format!("good {}", self.now)),
            4..=5 => self.restart(&format!("bad {}", self.now)),
            13 => self.restart(&format!("deaf {}", self.now)),
            6 => spec.version = Some("1.31.2".into()),
            7 => spec.version = Some("1.32.0".into()),
            8 => set(&mut spec.rollout, json!({"stepTimeout": "1m", "onFailure": "Pause"})),
            9 => set(&mut spec.rollout, json!({"stepTimeout": "30s"})),
            10 => set(&mut spec.rollout, json!({"stepTimeout": "1m", "paused": true})),
            11..=12 => {
                let pods = self.rng.i32(1..5);
                spec.services.as_mut().unwrap().history.as_mut().unwrap().replicas = Some(pods);
            }
            14..=15 => set(&mut spec.rollout, gated("good")),
            16 => set(&mut spec.rollout, gated("bad")),
            _ => return,
        }
        self.resource.metadata.generation = self.resource.metadata.generation.map(|g| g + 1);
    }

    pub fn scale_matching(&mut self, pods: i32) {
        self.resource.spec.services.as_mut().unwrap().matching.as_mut().unwrap().replicas = Some(pods);
    }

    pub fn restart(&mut self, value: &str) {
        let notes = self.resource.metadata.annotations.get_or_insert_default();
        notes.insert(annotations::RESTARTED_AT.to_owned(), value.to_owned());
    }

    pub fn want_something_good(&mut self) {
        self.restart("good at last");
        self.upgrade_behind("good");
        if self.rng.bool() {
            set(&mut self.resource.spec.rollout, json!({"stepTimeout": "1m"}));
        }
    }

    /// An upgrade, with a Job before it that ends so.
    pub fn upgrade_behind(&mut self, end: &str) {
        self.resource.spec.version = Some("1.32.0".into());
        set(&mut self.resource.spec.rollout, gated(end));
        self.resource.metadata.generation = self.resource.metadata.generation.map(|g| g + 1);
    }

    /// Pods die without warning.
    fn harm(&mut self) {
        for role in self.roles.values_mut() {
            if self.rng.u8(0..150) == 0 && !role.pods.is_empty() {
                let victim = self.rng.usize(0..role.pods.len());
                role.pods.remove(victim);
            }
        }
        if self.rng.u8(0..150) == 0 {
            let role = ["frontend", "history", "matching"][self.rng.usize(0..3)];
            self.part(role);
        }
    }

    /// A ready pod of a role is in a ring of its own from now on.
    pub fn part(&mut self, role: &str) {
        let pods = self.roles.get_mut(&format!("c-{role}")).into_iter().flat_map(|r| &mut r.pods);
        if let Some(pod) = pods.into_iter().find(|p| p.is_ready()) {
            (pod.alone, pod.in_ring) = (true, false);
        }
    }

    /// A pass, which may end between two writes, or without its status.
    fn operator(&mut self, faults: Faults) -> Result<(), String> {
        let Ok(valid) = validate::cluster(&self.resource) else { return Ok(()) };
        let old = self.resource.status.clone().unwrap_or_default();
        let seen = self.observe(faults);
        let now = Timestamp::from_second(self.now.into()).unwrap();
        let planned = |at| plan::cluster(&valid, self.resource.metadata.generation, &old, &seen, at).unwrap();
        let plan = planned(now);
        if plan.lasts && plan.status == old {
            let later = planned(now + SignedDuration::from_hours(10_000));
            if (&later.changes.objects, &later.changes.prune, &later.status)
                != (&plan.changes.objects, &plan.changes.prune, &plan.status)
            {
                return Err("a plan that was to last is another one later".to_owned());
            }
        }
        self.check_gate(&valid, &old, &plan.changes.objects)?;
        let cut = if faults == Faults::Many && self.rng.u8(0..10) == 0 {
            self.rng.usize(0..plan.changes.objects.len() + 2)
        } else {
            usize::MAX
        };
        let mut objects = plan.changes.objects;
        if self.careless && self.second() >= 200 {
            objects =
                temporal_operator::build::everything(&valid, &temporal_operator::build::SecretVersions::new()).unwrap();
        }
        let count = objects.len();
        let before: Vec<String> = self.in_motion();
        for object in objects.into_iter().take(cut) {
            self.apply(object);
        }
        if cut < count {
            return Ok(());
        }
        for key in plan.changes.prune {
            self.jobs.remove(&key.name);
            self.others.remove(&key);
            if let Some(role) =
                key.name.strip_prefix("c-").filter(|_| key.kind == temporal_operator::build::Kind::Deployment)
            {
                return Err(format!("the {role} role was deleted; in motion: {before:?}"));
            }
        }
        if let Some(split) = plan.changes.replacement {
            for role in self.roles.values_mut() {
                role.replace(&split.pod, self.now, &mut self.rng, &mut self.next_ip);
            }
            self.apart = std::mem::take(&mut self.apart).after_replacing(now);
        }
        if cut > count {
            self.resource.status = Some(plan.status);
        }
        Ok(())
    }

    /// An upgrade goes no farther than it has come until the Job before it has succeeded.
    fn check_gate(&self, valid: &ValidCluster, old: &TemporalClusterStatus, objects: &[Object]) -> Result<(), String> {
        let from = old.version.as_deref().and_then(|v| Version::parse(v).ok());
        let upgrades = from.is_some_and(|from| from < valid.target);
        if valid.rollout.before_upgrade.is_none() || !upgrades || self.passed.contains(&valid.target) {
            return Ok(());
        }
        let known = self.roles.values().map(|r| r.version().parse().unwrap()).chain(self.schemas.values().cloned());
        let newest: Version = known.max().unwrap_or_else(|| valid.target.clone());
        let version = |object: &Object| match object {
            Object::Deployment(d) => d.metadata.labels.as_ref()?.get(labels::VERSION)?.parse::<Version>().ok(),
            Object::Job(job) => job.metadata.annotations.as_ref()?.get(annotations::SCHEMA_TARGET)?.parse().ok(),
            _ => None,
        };
        match objects.iter().find(|o| version(o).is_some_and(|v| v > newest)) {
            Some(object) => Err(format!("{} of {:?} before the gate", object.key().name, version(object))),
            None => Ok(()),
        }
    }

    fn apply(&mut self, object: Object) {
        let (key, hash) = (object.key(), object.sealed().unwrap().hash);
        let config_hash = object.metadata().labels.as_ref().and_then(|l| l.get(labels::CONFIG_HASH).cloned());
        self.others.insert(key.clone(), Child { key: key.clone(), config_hash, applied_hash: Some(hash) });
        match object {
            Object::Deployment(new) => match self.roles.get_mut(&key.name) {
                Some(role) => drop(role.apply(*new)),
                None => drop(self.roles.insert(key.name, SimRole::new(*new))),
            },
            Object::Job(job) => {
                let ends = self.now + self.rng.u32(2..10);
                self.jobs.entry(key.name).or_insert((*job, ends));
            }
            _ => {}
        }
    }

    fn run_jobs(&mut self) {
        let at = Time(Timestamp::from_second(self.now.into()).unwrap());
        for (job, _) in self.jobs.values_mut().filter(|(j, ends)| j.status.is_none() && *ends <= self.now) {
            let gate = job.metadata.labels.as_ref().unwrap()[labels::COMPONENT] == names::BEFORE_UPGRADE;
            let fails = if gate { is_bad(job) } else { self.rng.u8(0..4) == 0 };
            let type_ = if fails { "Failed" } else { "Complete" };
            job.status = Some(JobStatus {
                conditions: Some(vec![JobCondition {
                    type_: type_.into(),
                    status: "True".into(),
                    last_transition_time: Some(at.clone()),
                    ..JobCondition::default()
                }]),
                ..JobStatus::default()
            });
            if gate && !fails {
                let notes =
                    job.spec.as_ref().unwrap().template.metadata.as_ref().unwrap().annotations.as_ref().unwrap();
                self.passed.insert(notes[annotations::TARGET_VERSION].parse().unwrap());
            } else if !fails {
                let store = job.metadata.labels.as_ref().unwrap()[labels::STORE].clone();
                let target = &job.metadata.annotations.as_ref().unwrap()[annotations::SCHEMA_TARGET];
                let target: Version = target.parse().unwrap();
                let has = self.schemas.entry(store).or_insert_with(|| target.clone());
                *has = target.max(has.clone());
            }
        }
    }

    fn observe(&mut self, faults: Faults) -> Observed {
        let silent = faults == Faults::Many && self.rng.u8(0..20) == 0;
        let frontends: Vec<SimPod> =
            self.roles.get("c-frontend").into_iter().flat_map(|r| r.living().cloned()).collect();
        let frontend = self.rng.choice(frontends.iter().filter(|p| p.is_ready()).collect::<Vec<_>>());
        let now = Timestamp::from_second(self.now.into()).unwrap();
        let mut seen = Observed {
            cluster: "c".to_owned(),
            children: self.others.values().cloned().collect(),
            deployments: self.roles.values().map(|r| Arc::new(r.seen())).collect(),
            jobs: self.jobs.values().map(|(j, _)| Arc::new(j.clone())).collect(),
            pods: self.roles.values().flat_map(|r| r.seen_pods().map(Arc::new).collect::<Vec<_>>()).collect(),
            revisions: self.roles.values().flat_map(|r| r.revisions.clone()).collect(),
            temporal: match () {
                () if frontend.is_none() => TemporalView::NotAsked,
                () if silent => {
                    TemporalView::Silent { why: "silence".into(), since: Timestamp::UNIX_EPOCH, rings: None }
                }
                () if frontend.is_some_and(|f| f.alone) => TemporalView::Silent {
                    why: "Not enough hosts".into(),
                    since: Timestamp::UNIX_EPOCH,
                    rings: frontend.map(alone),
                },
                () => TemporalView::Seen(self.membership()),
            },
            ..Observed::default()
        };
        self.apart = std::mem::take(&mut self.apart).after(&seen, now);
        seen.apart = self.apart.clone();
        seen
    }

    fn membership(&mut self) -> Membership {
        let ring = |role: Role| {
            let pods = self.roles.get(&format!("c-{role}")).map(|r| r.pods.iter().filter(|p| p.in_ring));
            (role.name().to_owned(), pods.into_iter().flatten().map(|p| format!("{}:1", p.name())).collect())
        };
        let rings: Rings = Role::ALL.into_iter().filter(|r| !r.is_optional()).map(ring).collect();
        let owned_shards = if rings["history"].is_empty() { 0 } else { SHARDS };
        Membership {
            rings,
            shards: SHARDS,
            owned_shards,
            cluster_name: "c".into(),
            visibility_failure: None,
            secondary_failure: None,
        }
    }

    fn in_motion(&self) -> Vec<String> {
        self.roles.iter().filter(|(_, r)| r.is_in_motion()).map(|(name, _)| name.clone()).collect()
    }

    /// What must hold at every moment.
    fn check(&self) -> Result<(), String> {
        let moving = self.in_motion();
        if moving.len() > 1 {
            return Err(format!("two roles in motion: {moving:?}"));
        }
        let versions: BTreeSet<Version> =
            self.roles.values().flat_map(|r| &r.pods).map(|p| p.version.parse().unwrap()).collect();
        let (Some(oldest), Some(newest)) = (versions.first(), versions.last()) else { return Ok(()) };
        if newest.minor > oldest.minor + 1 {
            return Err(format!("servers {oldest} and {newest} side by side"));
        }
        for store in ["default", "visibility"] {
            let schema = self.schemas.get(store).ok_or_else(|| format!("servers without a schema of {store}"))?;
            if newest > schema {
                return Err(format!("a server {newest} on the {store} schema of {schema}"));
            }
            if oldest.minor + 1 < schema.minor {
                return Err(format!("a server {oldest} on the {store} schema of {schema}"));
            }
        }
        Ok(())
    }

    /// A role whose ring has fewer members than it should have, and how many.
    pub fn short_of_members(&self) -> Option<(String, usize)> {
        let members = |r: &SimRole| r.pods.iter().filter(|p| p.in_ring).count();
        self.roles.iter().map(|(name, r)| (name.clone(), members(r))).find(|(name, n)| *n < self.roles[name].wanted())
    }

    /// Addresses of all pods.
    pub fn addresses(&self) -> BTreeSet<String> {
        self.roles.values().flat_map(|r| r.pods.iter().map(SimPod::name)).collect()
    }

    pub fn is_settled(&self) -> bool {
        let status = self.resource.status.clone().unwrap_or_default();
        status.phase == Some(Phase::Ready)
            && status.observed_generation == self.resource.metadata.generation
            && status.version.as_deref() == Some("1.32.0")
            && self
                .roles
                .values()
                .all(|r| r.version() == "1.32.0" && r.living().all(|p| p.is_ready() && p.template == r.template()))
    }

    /// The state in some lines.
    pub fn picture(&self) -> String {
        let status: TemporalClusterStatus = self.resource.status.clone().unwrap_or_default();
        let mut lines = vec![format!(
            "{} wants {:?}: {}",
            self.second(),
            self.resource.spec.version,
            status.message.unwrap_or_default()
        )];
        for (name, role) in &self.roles {
            let pods: Vec<String> = role
                .pods
                .iter()
                .map(|p| {
                    let state = if p.leaving_since.is_some() {
                        "leaving"
                    } else if p.is_ready() {
                        "ready"
                    } else {
                        "starting"
                    };
                    format!("{}@{} {state}{}", &p.template[..4], p.version, if p.in_ring { "" } else { " outside" })
                })
                .collect();
            lines.push(format!("  {name} to {}@{}: {}", &role.template()[..4], role.version(), pods.join(", ")));
        }
        lines.join("\n")
    }
}

/// The rings as a frontend sees them that knows nobody else.
fn alone(frontend: &SimPod) -> Rings {
    let roles = Role::ALL.into_iter().filter(|r| !r.is_optional());
    let mut rings: Rings = roles.map(|role| (role.name().to_owned(), BTreeSet::new())).collect();
    rings.entry("frontend".to_owned()).or_default().insert(format!("{}:1", frontend.name()));
    rings
}

/// `spec.rollout` with a Job before an upgrade, which succeeds or fails as its container is called.
fn gated(end: &str) -> Value {
    let pod = json!({"spec": {"containers": [{"name": end, "image": "backup"}]}});
    json!({"stepTimeout": "1m", "beforeUpgrade": {"spec": {"template": pod}}})
}

fn is_bad(job: &Job) -> bool {
    job.spec.as_ref().unwrap().template.spec.as_ref().unwrap().containers[0].name == "bad"
}

fn set<T: serde::de::DeserializeOwned>(field: &mut Option<T>, value: Value) {
    *field = Some(serde_json::from_value(value).unwrap());
}
