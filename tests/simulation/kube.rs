//! A model of Deployments and pods: new pods as far as the surge allows, old ones go as new ones are available.

use fastrand::Rng;
use k8s_openapi::api::apps::v1::{Deployment, DeploymentStatus, ReplicaSet, ReplicaSetSpec};
use k8s_openapi::api::core::v1::{Pod, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use k8s_openapi::jiff::Timestamp;
use serde_json::json;
use temporal_operator::api::{annotations, labels};

/// How long a pod that ends is still there.
const LEAVES: u32 = 8;

/// A pod.
#[derive(Clone, Debug)]
pub struct SimPod {
    pub ip: u32,
    pub template: String,
    pub version: String,
    /// It never gets ready.
    broken: bool,
    /// It gets ready, and never joins its ring.
    deaf: bool,
    /// It is in a ring of its own.
    pub alone: bool,
    made_at: u32,
    /// Since when it is ready.
    ready_at: Option<u32>,
    starts_at: u32,
    pub leaving_since: Option<u32>,
    pub in_ring: bool,
}

impl SimPod {
    /// Its address, which is its name as well.
    pub fn name(&self) -> String {
        format!("10.0.{}.{}", self.ip / 256, self.ip % 256)
    }

    fn made(template: &str, version: &str, now: u32, rng: &mut Rng, next_ip: &mut u32) -> Self {
        *next_ip += 1;
        Self {
            ip: *next_ip,
            template: template.to_owned(),
            version: version.to_owned(),
            broken: false,
            deaf: false,
            alone: false,
            made_at: now,
            ready_at: None,
            starts_at: now + rng.u32(1..8),
            leaving_since: None,
            in_ring: false,
        }
    }

    pub fn is_ready(&self) -> bool {
        self.ready_at.is_some() && self.leaving_since.is_none()
    }
}

/// A Deployment with its pods.
pub struct SimRole {
    pub object: Deployment,
    observed: i64,
    pub pods: Vec<SimPod>,
    pub revisions: Vec<ReplicaSet>,
}

impl SimRole {
    pub fn new(object: Deployment) -> Self {
        let mut role = Self { object, observed: 0, pods: Vec::new(), revisions: Vec::new() };
        role.object.metadata.generation = Some(1);
        role.note_revision();
        role
    }

    pub fn name(&self) -> &str {
        self.object.metadata.labels.as_ref().unwrap()[labels::COMPONENT].as_str()
    }

    pub fn template(&self) -> String {
        self.object.metadata.annotations.as_ref().unwrap()[annotations::TEMPLATE_HASH].clone()
    }

    pub fn version(&self) -> String {
        template_label(&self.object.spec.as_ref().unwrap().template, labels::VERSION)
    }

    /// A server-side apply; whether it changes something.
    pub fn apply(&mut self, object: Deployment) -> bool {
        let generation = self.object.metadata.generation;
        let kept = object.spec.as_ref().unwrap().replicas.or(self.object.spec.as_ref().unwrap().replicas);
        let mut object = object;
        object.spec.as_mut().unwrap().replicas = kept;
        object.metadata.generation = generation;
        if object == self.object {
            return false;
        }
        object.metadata.generation = generation.map(|g| g + 1);
        self.object = object;
        self.note_revision();
        true
    }

    fn note_revision(&mut self) {
        let mut template = self.object.spec.as_ref().unwrap().template.clone();
        template.metadata.as_mut().unwrap().labels.as_mut().unwrap().insert("pod-template-hash".into(), "x".into());
        let hash = self.template();
        self.revisions.retain(|r| r.metadata.annotations.as_ref().unwrap()[annotations::TEMPLATE_HASH] != hash);
        self.revisions.push(ReplicaSet {
            metadata: self.object.metadata.clone(),
            spec: Some(ReplicaSetSpec { template: Some(template), ..ReplicaSetSpec::default() }),
            ..ReplicaSet::default()
        });
        // Kubernetes keeps some
        let surplus = self.revisions.len().saturating_sub(4);
        self.revisions.drain(..surplus);
    }

    pub fn wanted(&self) -> usize {
        usize::try_from(self.object.spec.as_ref().unwrap().replicas.unwrap_or(1)).unwrap()
    }

    /// Kubernetes' part of a second.
    pub fn step(&mut self, now: u32, rng: &mut Rng, next_ip: &mut u32) {
        self.observed = self.object.metadata.generation.unwrap();
        self.pods.retain(|p| p.leaving_since.is_none_or(|since| now - since < LEAVES));
        for pod in &mut self.pods {
            if pod.leaving_since.is_none() && pod.ready_at.is_none() && !pod.broken && now >= pod.starts_at {
                pod.ready_at = Some(now);
            }
            // rings follow with a delay
            let should = pod.is_ready() && !pod.deaf && !pod.alone;
            if pod.in_ring != should && rng.u8(0..3) == 0 {
                pod.in_ring = should;
            }
        }
        if self.object.spec.as_ref().unwrap().paused != Some(true) {
            self.grow(now, rng, next_ip);
            self.shrink(now);
        } else if self.is_saturated(now) {
            // all that a paused Deployment still does (`scale` in its controller's sync.go)
            let template = self.template();
            for pod in self.pods.iter_mut().filter(|p| p.template != template) {
                pod.leaving_since.get_or_insert(now);
            }
        }
    }

    /// A pod is deleted, and its ReplicaSet makes another, paused or not.
    pub fn replace(&mut self, name: &str, now: u32, rng: &mut Rng, next_ip: &mut u32) {
        let Some(victim) = self.pods.iter_mut().find(|p| p.name() == name && p.leaving_since.is_none()) else { return };
        victim.leaving_since = Some(now);
        let made = SimPod::made(&victim.template, &victim.version, now, rng, next_ip);
        let successor = SimPod { broken: victim.broken, deaf: victim.deaf, ..made };
        self.pods.push(successor);
    }

    /// As many new pods are available as there should be pods.
    fn is_saturated(&self, now: u32) -> bool {
        let template = self.template();
        let new = |p: &&SimPod| p.template == template && self.is_available(p, now);
        self.living().filter(new).count() == self.wanted()
    }

    /// Ready for `minReadySeconds`.
    fn is_available(&self, pod: &SimPod, now: u32) -> bool {
        let settles = self.object.spec.as_ref().unwrap().min_ready_seconds.unwrap_or(0);
        pod.is_ready() && now - pod.ready_at.unwrap() >= u32::try_from(settles).unwrap()
    }

    fn grow(&mut self, now: u32, rng: &mut Rng, next_ip: &mut u32) {
        let (template, version) = (self.template(), self.version());
        let limit = self.wanted() + self.surge();
        let is = |word| restarted_as(&self.object.spec.as_ref().unwrap().template, word);
        let (broken, deaf) = (is("bad"), is("deaf"));
        while self.living().count() < limit && self.living().filter(|p| p.template == template).count() < self.wanted()
        {
            self.pods.push(SimPod { broken, deaf, ..SimPod::made(&template, &version, now, rng, next_ip) });
        }
    }

    /// Old pods go: first those that are not ready, then as many as the new ones allow.
    fn shrink(&mut self, now: u32) {
        let template = self.template();
        let least = self.wanted() - self.unavailable();
        loop {
            let spare = self.living().filter(|p| self.is_available(p, now)).count() > least;
            let surplus = self.living().count() > self.wanted();
            let all_new = self.living().all(|p| p.template == template);
            let goes = |p: &SimPod| p.leaving_since.is_none() && (p.template != template || (surplus && all_new));
            let victim = self.pods.iter().position(|p| goes(p) && !p.is_ready());
            let victim = victim.or_else(|| self.pods.iter().position(goes).filter(|_| spare));
            match victim {
                Some(at) => self.pods[at].leaving_since = Some(now),
                None => return,
            }
        }
    }

    pub fn living(&self) -> impl Iterator<Item = &SimPod> {
        self.pods.iter().filter(|p| p.leaving_since.is_none())
    }

    /// Pods of two templates live side by side.
    pub fn is_in_motion(&self) -> bool {
        let template = self.template();
        self.living().any(|p| p.template != template)
    }

    fn surge(&self) -> usize {
        self.amount(|r| r.max_surge.clone())
    }

    fn unavailable(&self) -> usize {
        self.amount(|r| r.max_unavailable.clone())
    }

    fn amount(
        &self,
        of: impl Fn(&k8s_openapi::api::apps::v1::RollingUpdateDeployment) -> Option<IntOrString>,
    ) -> usize {
        let strategy = self.object.spec.as_ref().unwrap().strategy.as_ref().unwrap();
        match of(strategy.rolling_update.as_ref().unwrap()).unwrap() {
            IntOrString::Int(n) => usize::try_from(n).unwrap(),
            IntOrString::String(_) => self.wanted(),
        }
    }

    /// As the watch keeps it.
    pub fn seen(&self) -> Deployment {
        let count = |n: usize| Some(i32::try_from(n).unwrap());
        let template = self.template();
        let mut seen = self.object.clone();
        let spec = seen.spec.as_mut().unwrap();
        spec.replicas = count(self.wanted());
        spec.template.spec = None;
        seen.status = Some(DeploymentStatus {
            observed_generation: Some(self.observed),
            replicas: count(self.living().count()),
            updated_replicas: count(self.living().filter(|p| p.template == template).count()),
            ready_replicas: count(self.living().filter(|p| p.is_ready()).count()),
            ..DeploymentStatus::default()
        });
        seen
    }

    /// Its pods as the API server lists them.
    pub fn seen_pods(&self) -> impl Iterator<Item = Pod> {
        self.pods.iter().map(|p| {
            let ip = p.name();
            let labels = json!({(labels::COMPONENT): self.name()});
            let mut pod: Pod = serde_json::from_value(json!({"metadata": {"name": ip, "labels": labels}, "status": {
                "phase": "Running", "podIP": ip,
                "conditions": [{"type": "Ready", "status": if p.is_ready() { "True" } else { "False" }}],
            }}))
            .unwrap();
            let at = |second: u32| Time(Timestamp::from_second(second.into()).unwrap());
            pod.metadata.creation_timestamp = Some(at(p.made_at));
            pod.metadata.deletion_timestamp = p.leaving_since.map(at);
            pod
        })
    }
}

fn template_label(template: &PodTemplateSpec, label: &str) -> String {
    template.metadata.as_ref().unwrap().labels.as_ref().unwrap()[label].clone()
}

/// A template whose restart annotation has this word: its pods misbehave.
fn restarted_as(template: &PodTemplateSpec, word: &str) -> bool {
    let notes = template.metadata.as_ref().unwrap().annotations.as_ref();
    notes.and_then(|n| n.get(annotations::RESTARTED_AT)).is_some_and(|v| v.contains(word))
}
