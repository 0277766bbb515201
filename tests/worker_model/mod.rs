//! The world of a worker: its pods, its Worker Deployment, people, and the operator's looks.

mod server;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::jiff::Timestamp;
use serde_json::json;
use server::{OURS, Server};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::Duration;
use temporal_operator::api::TemporalWorkerStatus;
use temporal_operator::api::worker::{OnFailure, QueueType, Strategy};
use temporal_operator::plan::worker::{
    Act, Decided, Fate, InTemporal, KnownQueue, Question, RunState, Seen, Target, decide,
};
use temporal_operator::validate::{GatePolicy, RolloutPolicy, StepPolicy, WorkflowRule};

const START: i64 = 1_750_000_000;
/// Seconds until a pod is ready, and until its workers poll.
const STARTS: (u32, u32) = (4, 3);
/// Seconds between looks.
const LOOKS: u32 = 5;

/// What a planner without care would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// Makes the target current at once.
    Hasty,
    /// Removes every version that is not current.
    Reaper,
    /// Forgets what was set by hand.
    Stubborn,
}

/// The pods of a version.
#[derive(Clone, Debug, Default)]
struct Pods {
    made: u32,
    wanted: i32,
    /// Second from which each is ready.
    each: Vec<u32>,
    /// They never become ready.
    broken: bool,
}

impl Pods {
    fn ready(&self, now: u32) -> i32 {
        if self.broken { 0 } else { self.each.iter().filter(|at| **at <= now).count() as i32 }
    }

    fn polls(&self, now: u32) -> bool {
        !self.broken && self.each.iter().any(|at| at + STARTS.1 <= now)
    }
}

/// What somebody has set by hand, and under which manifest.
#[derive(Clone, Debug, PartialEq)]
struct ByHand {
    routes: (Option<String>, Option<String>, u32),
    manifest: u32,
}

pub struct World {
    random: fastrand::Rng,
    now: u32,
    server: Server,
    pods: BTreeMap<String, Pods>,
    policy: RolloutPolicy,
    target: String,
    newest: u32,
    /// Counts the changes of the manifest that matter.
    manifest: u32,
    status: TemporalWorkerStatus,
    by_hand: Option<ByHand>,
    /// The conflict token that the operator knows; none after it was ended.
    token: Option<u64>,
    /// The manifest of the last look that reached its end.
    heard: u32,
    /// The last look that reached its end.
    decided: Decided,
    /// Second of the next look.
    look: u32,
    silent_until: u32,
    /// Runs of gates: when they end, and how.
    runs: BTreeMap<String, Vec<(u32, bool)>>,
    gates_fail: bool,
    /// Versions whose workflow tasks fail.
    failing: BTreeSet<String>,
    /// Seconds in which no workflows can be listed end here.
    unlisted_until: u32,
    pub harm: Option<Harm>,
    log: Vec<String>,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut world = Self {
            random: fastrand::Rng::with_seed(seed),
            now: 0,
            server: Server::default(),
            pods: BTreeMap::new(),
            policy: RolloutPolicy::default(),
            target: "v1".to_owned(),
            newest: 1,
            manifest: 1,
            status: TemporalWorkerStatus::default(),
            by_hand: None,
            heard: 0,
            token: None,
            decided: Decided::default(),
            look: 0,
            silent_until: 0,
            runs: BTreeMap::new(),
            gates_fail: false,
            failing: BTreeSet::new(),
            unlisted_until: 0,
            harm: None,
            log: Vec::new(),
        };
        world.server.revives = seed.is_multiple_of(2);
        world.policy.scale_down_after = Duration::from_secs(60);
        world.policy.delete_after = Duration::from_secs(180);
        world.policy.rollback_window = Duration::from_secs(120);
        world
    }

    pub fn step(&mut self, faults: bool) -> Result<(), String> {
        self.now += 1;
        self.server.now = self.now;
        if faults {
            self.trouble();
        }
        self.run_pods();
        self.server.tick();
        self.check()?;
        if self.now >= self.look {
            self.look = self.now + LOOKS;
            self.reconcile(faults)?;
        }
        Ok(())
    }

    /// The faults stop: everybody wants the same, and what is open ends by and by.
    pub fn calm_down(&mut self) {
        self.silent_until = 0;
        self.gates_fail = false;
        self.unlisted_until = 0;
        self.failing.clear();
        self.runs.clear();
        self.server.manager = String::new();
        self.server.pinned.clear();
        self.pods.values_mut().for_each(|pods| pods.broken = false);
        (self.policy.paused, self.policy.promote) = (false, None);
        if self.policy.strategy == Strategy::Manual {
            self.policy.strategy = Strategy::AllAtOnce;
        }
        self.new_version();
    }

    pub fn is_settled(&self) -> bool {
        let alone = self.server.versions.len() == 1 && self.pods.len() == 1;
        alone && self.server.current.as_ref() == Some(&self.target) && self.server.ramping.is_none()
    }

    pub fn picture(&self) -> String {
        let mut text =
            format!("{} target {} manifest {} {}", self.now, self.target, self.manifest, self.server.picture());
        for (id, pods) in &self.pods {
            let _ = write!(
                text,
                "\n  {id}: {} wanted, {} ready, {:?}",
                pods.wanted,
                pods.ready(self.now),
                self.decided.fates.get(id)
            );
        }
        let said = self.decided.verdict.as_ref().map(|verdict| (verdict.reason, &verdict.message));
        let _ = write!(text, "\n  {said:?}");
        for line in self.log.iter().rev().take(12).rev() {
            let _ = write!(text, "\n    {line}");
        }
        text
    }

    fn note(&mut self, line: &str) {
        self.log.push(format!("{}: {line}", self.now));
    }

    fn new_version(&mut self) {
        self.newest += 1;
        self.target = format!("v{}", self.newest);
        self.changed();
    }

    fn changed(&mut self) {
        self.manifest += 1;
        self.look = self.now;
        self.note(&format!("manifest {} wants {}", self.manifest, self.target));
    }

    fn trouble(&mut self) {
        let ids: Vec<String> = self.pods.keys().cloned().collect();
        let any = self.random.usize(..ids.len().max(1));
        let id = ids.get(any).cloned().unwrap_or_default();
        match self.random.u32(..1000) {
            0..=5 => {
                self.new_version();
                if self.random.u32(..4) == 0 {
                    let (target, now) = (self.target.clone(), self.now);
                    self.pods.entry(target).or_insert(Pods { made: now, broken: true, ..Pods::default() });
                }
            }
            6..=8 if !id.is_empty() => {
                self.target = id;
                self.changed();
            }
            9..=11 => self.another_policy(),
            12..=18 => {
                if let Some(pods) = self.pods.get_mut(&id) {
                    pods.each.clear();
                    self.note(&format!("the pods of {id} die"));
                }
            }
            19..=20 => self.pods.values_mut().for_each(|pods| pods.broken = false),
            21..=24 => self.silent_until = self.now + self.random.u32(1..60),
            25..=29 => self.somebody_acts(&id),
            // by its code, or by hand, whatever state the version has
            30..=60 if self.server.versions.contains_key(&id) => {
                let pods = &self.pods[&id];
                if pods.wanted > 0 && pods.polls(self.now) {
                    let ends = self.now + self.random.u32(10..400);
                    self.server.pinned.push((id, ends));
                }
            }
            61..=62 => self.gates_fail = !self.gates_fail,
            63..=64 => self.unlisted_until = self.now + self.random.u32(1..120),
            65..=67 => {
                self.failing.insert(self.target.clone());
            }
            68..=69 => self.failing.clear(),
            _ => {}
        }
    }

    fn another_policy(&mut self) {
        let step = |percent, seconds| StepPolicy { percent, pause: Duration::from_secs(seconds), gate: None };
        let rule = WorkflowRule {
            type_: "Check".to_owned(),
            task_queue: None,
            input: None,
            input_from: None,
            timeout: Duration::from_secs(30),
            attempts: self.random.u32(1..3),
        };
        let gate = self.random.bool().then_some(GatePolicy { workflow: Some(rule), query: None });
        (self.policy.strategy, self.policy.steps) = match self.random.u32(..5) {
            0 => (Strategy::Manual, Vec::new()),
            1 => (Strategy::AllAtOnce, Vec::new()),
            _ => (Strategy::Progressive, vec![step(5.0, 20), step(50.0, 40)]),
        };
        if let Some(last) = self.policy.steps.last_mut().filter(|_| self.random.bool()) {
            last.gate.clone_from(&gate);
        }
        self.policy.gate = gate;
        self.policy.on_failure = if self.random.bool() { OnFailure::Rollback } else { OnFailure::Pause };
        self.policy.paused = self.random.u32(..6) == 0;
        let ids: Vec<String> = self.server.versions.keys().cloned().collect();
        self.policy.promote = self.random.choice(&ids).cloned().filter(|_| self.random.u32(..5) == 0);
        self.changed();
    }

    /// Somebody moves traffic in Temporal.
    fn somebody_acts(&mut self, id: &str) {
        if !self.server.versions.contains_key(id)
            || !self.pods.get(id).is_some_and(|pods| pods.wanted > 0 && pods.polls(self.now))
        {
            return;
        }
        let act = match self.random.u32(..4) {
            0 => Act::SetCurrent(id.to_owned()),
            1 if self.server.ramping.is_some() => Act::SetRamping(None, 0.0),
            _ => Act::SetRamping(Some(id.to_owned()), self.random.u32(1..90) as f32),
        };
        let before = self.server.routes();
        if self.server.change(&act, "somebody").is_ok() && self.server.routes() != before {
            let hand = ByHand { routes: self.server.routes(), manifest: self.manifest };
            // what is again as the operator last saw it is no change for it; and of what came while it was away together with
            // another manifest it cannot know which came first
            let told = |hand: &ByHand| Some(&hand.routes) != self.known().as_ref() && self.heard == self.manifest;
            self.by_hand = Some(hand).filter(told);
            self.note(&format!("somebody: {act:?}"));
        }
    }

    /// The routes as the operator remembers them.
    fn known(&self) -> Option<(Option<String>, Option<String>, u32)> {
        let routes = self.status.routes.as_ref()?;
        let percent = routes.percent.as_ref().map_or(0.0, |percent| percent.parse::<f32>().unwrap());
        Some((routes.current.clone(), routes.ramping.clone(), percent.round() as u32))
    }

    fn run_pods(&mut self) {
        let now = self.now;
        for (id, pods) in &mut self.pods {
            let wanted = usize::try_from(pods.wanted).unwrap_or(0);
            pods.each.truncate(wanted);
            while pods.each.len() < wanted {
                pods.each.push(now + STARTS.0);
            }
            if pods.polls(now) {
                self.server.poll(id);
            }
        }
    }

    fn deployment(&self, pods: &Pods) -> Deployment {
        let ready = pods.ready(self.now);
        let stuck = pods.broken && self.now > pods.made + 60;
        let conditions = if stuck { json!([{"type": "Progressing", "status": "False"}]) } else { json!([]) };
        serde_json::from_value(json!({
            "metadata": {"generation": 1, "creationTimestamp": at(pods.made).to_string()},
            "spec": {"replicas": pods.wanted, "selector": {}, "template": {}},
            "status": {"observedGeneration": 1, "replicas": pods.each.len(), "updatedReplicas": pods.each.len(),
                "readyReplicas": ready, "conditions": conditions},
        }))
        .unwrap()
    }

    /// One look of the operator, which may be ended at any point.
    fn reconcile(&mut self, faults: bool) -> Result<(), String> {
        let mut seen = self.see();
        self.token = if self.now < self.silent_until { self.token } else { Some(self.server.token) };
        let mut decided = Decided::default();
        for _ in 0..6 {
            let goal = Target { build_id: &self.target, deployment: seen.deployments.get(&self.target) };
            decided = decide(&self.policy, &goal, &seen, &self.status, at(self.now));
            if decided.questions.is_empty() {
                break;
            }
            for question in decided.questions.clone() {
                self.answer(&mut seen, question);
            }
        }
        self.decided = decided.clone();
        self.apply_pods(&decided);
        let mut acts = decided.acts.clone();
        self.do_harm(&mut acts);
        // somebody may be faster
        if faults && self.random.u32(..50) == 0 {
            let id = self.target.clone();
            self.somebody_acts(&id);
        }
        for act in &acts {
            if faults && self.random.u32(..40) == 0 {
                self.token = None;
                return Ok(());
            }
            let fresh = self.token.is_none_or(|token| token == self.server.token);
            if !fresh && matches!(act, Act::SetCurrent(_) | Act::SetRamping(..)) {
                return Ok(());
            }
            self.judge(act)?;
            if !self.act(act) {
                return Ok(());
            }
            if matches!(act, Act::SetCurrent(_) | Act::SetRamping(..)) {
                self.token = Some(self.server.token);
            }
            if faults && self.random.u32(..40) == 0 {
                self.token = None;
                return Ok(());
            }
        }
        self.remember(decided);
        Ok(())
    }

    fn see(&self) -> Seen {
        let mut temporal = if self.now < self.silent_until { InTemporal::Unknown } else { self.server.describe() };
        if let InTemporal::Known(routing) = &mut temporal
            && routing.last_modifier.is_empty()
            && self.token.is_some_and(|token| token != self.server.token)
        {
            routing.last_modifier = "somebody".to_owned();
        }
        let deployments = self.pods.iter().map(|(id, pods)| (id.clone(), self.deployment(pods))).collect();
        Seen { deployments, temporal, ..Seen::default() }
    }

    fn answer(&self, seen: &mut Seen, question: Question) {
        let InTemporal::Known(routing) = &mut seen.temporal else { return };
        match question {
            Question::Pollers(id) => {
                let polls = self.pods.get(&id).is_some_and(|pods| pods.polls(self.now));
                let queue =
                    KnownQueue { name: "q".to_owned(), type_: QueueType::Workflow, pollers: Some(u32::from(polls)) };
                routing.versions.get_mut(&id).unwrap().queues = vec![queue];
            }
            Question::Unversioned(_) => routing.asked.unversioned = Some(false),
            Question::Runs(gate, _) => {
                let state = |(ends, good): &(u32, bool)| match (*ends <= self.now, good) {
                    (false, _) => RunState::Open,
                    (true, true) => RunState::Completed,
                    (true, false) => RunState::Ended("failed".to_owned()),
                };
                let runs = self.runs.get(&gate).map(|runs| runs.iter().map(state).collect());
                routing.asked.runs.insert(gate, runs.unwrap_or_default());
            }
            Question::Query(_) => panic!("no gate has a query"),
            Question::Pinned(id) => {
                let pinned = self.server.pinned.iter().any(|(pinned, _)| *pinned == id);
                routing.asked.pinned.insert(id, (self.now >= self.unlisted_until).then_some(pinned));
            }
            Question::Failing(failing) => {
                let found: Vec<String> = self.failing.get(&failing.build_id).cloned().into_iter().collect();
                let answer = if self.now >= self.unlisted_until { Ok(found) } else { Err("silent".to_owned()) };
                routing.asked.failing.insert(failing.build_id, answer);
            }
        }
    }

    fn do_harm(&mut self, acts: &mut Vec<Act>) {
        match self.harm {
            Some(Harm::Hasty) if self.server.versions.contains_key(&self.target) => {
                *acts = vec![Act::SetCurrent(self.target.clone())];
            }
            Some(Harm::Reaper) => {
                let current = self.server.current.clone();
                self.pods.retain(|id, _| Some(id) == current.as_ref() || *id == self.target);
            }
            Some(Harm::Stubborn) => self.status.routes = None,
            _ => {}
        }
    }

    fn apply_pods(&mut self, decided: &Decided) {
        let now = self.now;
        for (id, fate) in &decided.fates {
            match fate {
                Fate::Goes => drop(self.pods.remove(id)),
                Fate::Rests => {
                    if let Some(pods) = self.pods.get_mut(id) {
                        pods.wanted = 0;
                    }
                }
                // a template that was removed cannot be made again, but for the target's
                Fate::Serves | Fate::Candidate | Fate::Drains => {
                    if *id == self.target || self.pods.contains_key(id) {
                        self.pods.entry(id.clone()).or_insert(Pods { made: now, ..Pods::default() }).wanted = 2;
                    }
                }
            }
        }
    }

    fn act(&mut self, act: &Act) -> bool {
        self.note(&format!("operator: {act:?}"));
        match act {
            Act::RunGate(run) => {
                let ends = self.now + self.random.u32(1..20);
                let good = !self.gates_fail;
                let runs = self.runs.entry(run.gate.clone()).or_default();
                if runs.len() < run.attempt as usize {
                    runs.push((ends, good));
                }
                true
            }
            act => self.server.change(act, OURS).is_ok(),
        }
    }

    fn remember(&mut self, decided: Decided) {
        if self.now >= self.silent_until {
            self.heard = self.manifest;
        }
        self.status.target = Some(self.target.clone());
        (self.status.routes, self.status.ramp) = (decided.routes, decided.ramp);
    }

    /// Whether a write may be made.
    fn judge(&self, act: &Act) -> Result<(), String> {
        let ready = |id: &str| self.pods.get(id).is_some_and(|pods| pods.ready(self.now) > 0 && pods.polls(self.now));
        let id = match act {
            Act::SetCurrent(id) | Act::SetRamping(Some(id), _) => Some(id),
            _ => None,
        };
        if let Some(id) = id.filter(|id| !ready(id)) {
            return Err(format!("{id} gets traffic without pods that are ready and poll"));
        }
        if let Some(id) = id.filter(|id| self.server.ramping.as_ref() == Some(id) && self.failing.contains(*id))
            && !self.is_wanted_now(id)
        {
            return Err(format!("{id} gets more traffic although workflows fail on it"));
        }
        if !self.server.manager.is_empty() {
            return Err(format!("{act:?} where somebody else is the manager"));
        }
        if let (Act::SetRamping(Some(id), percent), Some(ramping)) = (act, &self.server.ramping)
            && id == ramping
            && *percent < self.server.percent
        {
            return Err(format!("the share of {id} falls from {} to {percent}", self.server.percent));
        }
        let moves = matches!(act, Act::SetCurrent(_) | Act::SetRamping(..));
        let hand = self.by_hand.as_ref().filter(|_| moves);
        match hand.filter(|hand| hand.routes == self.server.routes() && hand.manifest == self.manifest) {
            Some(_) if self.status.target.is_some() && !self.is_stray() => {
                Err(format!("{act:?} undoes what was set by hand"))
            }
            _ => Ok(()),
        }
    }

    /// Whether it is to be current without gates and steps.
    fn is_wanted_now(&self, id: &str) -> bool {
        self.policy.promote.as_deref() == Some(id) || self.server.was_current_within(id, self.policy.rollback_window)
    }

    /// What was set by hand is what the manifest wants.
    fn is_stray(&self) -> bool {
        self.server.current.as_ref() == Some(&self.target) && self.server.ramping.is_none()
    }

    /// What must hold at any time.
    fn check(&mut self) -> Result<(), String> {
        for (id, _) in &self.server.pinned {
            let pods = self.pods.get(id);
            if pods.is_none_or(|pods| pods.wanted == 0) {
                return Err(format!("{id} has open workflows and no pods"));
            }
        }
        let routed: BTreeSet<&String> = [&self.server.current, &self.server.ramping].into_iter().flatten().collect();
        for id in routed {
            if self.pods.get(id).is_none_or(|pods| pods.wanted == 0) {
                return Err(format!("{id} has traffic and no pods"));
            }
        }
        for (id, since) in self.server.gone.drain(..) {
            if self.server.pinned.iter().any(|(pinned, _)| *pinned == id) {
                return Err(format!("{id} is removed and has open workflows"));
            }
            if since.is_some_and(|since| self.now < since + 180) {
                return Err(format!("{id} is removed too early"));
            }
        }
        Ok(())
    }
}

pub fn at(second: u32) -> Timestamp {
    Timestamp::from_second(START + i64::from(second)).unwrap()
}
