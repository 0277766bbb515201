//! A model of a task queue, the pods that work it off, and those who say how many pods there are to be.

pub mod load;
pub mod scalers;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use load::{Load, Task};

/// Most pods, for everybody.
pub const MOST_PODS: i32 = 40;
/// Tasks that a pod works on at a time.
pub const SLOTS: u64 = 4;
/// Seconds until a pod polls: at least, and at most.
const START: (f64, f64) = (5.0, 20.0);
/// Seconds over which Temporal averages rates.
const RATE_WINDOW: usize = 30;
/// Seconds between two heartbeats of a pod.
const HEARTBEAT: u32 = 60;

/// Who decides on the number of pods.
pub trait Scaler {
    /// The number at this second; none: as it is.
    fn decide(&mut self, world: &mut World) -> Option<i32>;
}

struct Pod {
    ready_at: f64,
    used: u64,
    /// It takes no more tasks and goes when it has done those it has.
    leaving: bool,
    gone: bool,
    /// Slots in use as its last heartbeat told them.
    told: Option<u64>,
}

impl Pod {
    fn polls(&self, now: f64) -> bool {
        !self.leaving && !self.gone && self.ready_at <= now
    }
}

/// What there was in one second.
#[derive(Clone, Copy, Default)]
pub struct Second {
    pub backlog: u64,
    pub age: f64,
    pub added: u64,
    pub dispatched: u64,
    pub ready: i32,
    pub used: u64,
}

/// How it went.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
    pub most: f64,
    pub pod_minutes: f64,
    pub changes: f64,
}

impl Outcome {
    /// The mean of some.
    pub fn mean(all: &[Self]) -> Self {
        let of = |figure: fn(&Self) -> f64| all.iter().map(figure).sum::<f64>() / all.len().max(1) as f64;
        Self {
            p50: of(|out| out.p50),
            p95: of(|out| out.p95),
            p99: of(|out| out.p99),
            most: of(|out| out.most),
            pod_minutes: of(|out| out.pod_minutes),
            changes: of(|out| out.changes),
        }
    }
}

pub struct World {
    random: fastrand::Rng,
    second: u32,
    wanted: i32,
    pods: Vec<Pod>,
    queue: VecDeque<Task>,
    /// When tasks are done, in microseconds, and whose they are.
    running: BinaryHeap<Reverse<(u64, usize)>>,
    seconds: Vec<Second>,
    next: usize,
    waits: Vec<f64>,
    pod_seconds: u64,
    changes: u32,
}

impl World {
    pub fn run(load: &Load, scaler: &mut dyn Scaler, pods: i32, seed: u64) -> Outcome {
        let mut world = Self {
            random: fastrand::Rng::with_seed(seed),
            second: 0,
            wanted: pods,
            pods: Vec::new(),
            queue: VecDeque::new(),
            running: BinaryHeap::new(),
            seconds: Vec::new(),
            next: 0,
            waits: Vec::new(),
            pod_seconds: 0,
            changes: 0,
        };
        world.make(pods, true);
        let tasks = load.tasks(seed);
        let mut at = 0;
        while world.second < load.seconds || world.waits.len() < tasks.len() {
            // what is never done has waited until here
            if world.second > load.seconds + 3600 {
                let now = f64::from(world.second);
                let left: Vec<f64> = world.queue.drain(..).map(|task| now - task.at).collect();
                world.waits.extend(left);
                break;
            }
            at += world.work(&tasks[at..]);
            if let Some(wanted) = scaler.decide(&mut world) {
                world.scale(wanted);
            }
            // the tail of the work is waited for, not paid for
            if world.second < load.seconds {
                world.pod_seconds += world.pods.iter().filter(|pod| !pod.gone).count() as u64;
            }
            world.second += 1;
        }
        world.outcome()
    }

    /// One second of work; how many tasks came.
    fn work(&mut self, tasks: &[Task]) -> usize {
        let (start, end) = (f64::from(self.second), f64::from(self.second + 1));
        let mut now = Second::default();
        let mut came = 0;
        now.dispatched += self.dispatch(start);
        loop {
            let done = self.running.peek().map(|Reverse((at, _))| *at as f64 / 1e6).filter(|at| *at < end);
            let comes = tasks.get(came).map(|task| task.at).filter(|at| *at < end);
            match (done, comes) {
                (None, None) => break,
                (Some(done), comes) if comes.is_none_or(|comes| done <= comes) => {
                    let Some(Reverse((_, pod))) = self.running.pop() else { break };
                    let pod = &mut self.pods[pod];
                    pod.used -= 1;
                    pod.gone = pod.leaving && pod.used == 0;
                    now.dispatched += self.dispatch(done);
                }
                (_, Some(comes)) => {
                    self.queue.push_back(tasks[came]);
                    came += 1;
                    now.added += 1;
                    now.dispatched += self.dispatch(comes);
                }
                (Some(_), None) => break,
            }
        }
        for pod in self.pods.iter_mut().filter(|pod| pod.polls(end)) {
            let awake = (end - pod.ready_at) as u32;
            if pod.told.is_none() || awake.is_multiple_of(HEARTBEAT) {
                pod.told = Some(pod.used);
            }
        }
        let ready = self.pods.iter().filter(|pod| pod.polls(end));
        (now.ready, now.used) = ready.fold((0, 0), |(pods, used), pod| (pods + 1, used + pod.used));
        now.backlog = self.queue.len() as u64;
        now.age = self.queue.front().map_or(0.0, |task| end - task.at);
        self.seconds.push(now);
        came
    }

    fn dispatch(&mut self, now: f64) -> u64 {
        let mut dispatched = 0;
        while let Some(task) = self.queue.front().copied() {
            let many = self.pods.len();
            let free = (0..many)
                .map(|i| (self.next + i) % many)
                .find(|i| self.pods[*i].polls(now) && self.pods[*i].used < SLOTS);
            let Some(pod) = free else { break };
            self.next = pod + 1;
            self.queue.pop_front();
            self.pods[pod].used += 1;
            self.running.push(Reverse((((now + task.takes) * 1e6) as u64, pod)));
            self.waits.push(now - task.at);
            dispatched += 1;
        }
        dispatched
    }

    fn scale(&mut self, wanted: i32) {
        if wanted == self.wanted {
            return;
        }
        self.changes += 1;
        self.wanted = wanted;
        let present = self.pods.iter().filter(|pod| !pod.gone && !pod.leaving).count() as i32;
        self.make((wanted - present).max(0), false);
        // Kubernetes takes those first that are not ready or became it last
        for _ in 0..(present - wanted).max(0) {
            let staying = self.pods.iter_mut().filter(|pod| !pod.gone && !pod.leaving);
            if let Some(pod) = staying.max_by(|a, b| a.ready_at.total_cmp(&b.ready_at)) {
                pod.leaving = true;
                pod.gone = pod.used == 0;
            }
        }
    }

    fn make(&mut self, pods: i32, at_once: bool) {
        for _ in 0..pods {
            let start = START.0 + self.random.f64() * (START.1 - START.0);
            let ready_at = if at_once { 0.0 } else { (f64::from(self.second) + start).ceil() };
            // places of pods that are gone are taken again, so that there are not ever more to look through
            let pod = Pod { ready_at, used: 0, leaving: false, gone: false, told: None };
            match self.pods.iter_mut().find(|pod| pod.gone) {
                Some(place) => *place = pod,
                None => self.pods.push(pod),
            }
        }
    }

    fn outcome(&mut self) -> Outcome {
        self.waits.sort_by(f64::total_cmp);
        let waits = &self.waits;
        let part = |share: f64| {
            let last = waits.len().saturating_sub(1);
            waits.get((last as f64 * share).round() as usize).copied().unwrap_or(0.0)
        };
        Outcome {
            p50: part(0.5),
            p95: part(0.95),
            p99: part(0.99),
            most: part(1.0),
            pod_minutes: self.pod_seconds as f64 / 60.0,
            changes: self.changes.into(),
        }
    }

    /// Seconds since the beginning.
    pub fn now(&self) -> u32 {
        self.second
    }

    /// Pods there should be.
    pub fn wanted(&self) -> i32 {
        self.wanted
    }

    /// What there was so many seconds ago.
    pub fn ago(&self, seconds: usize) -> Second {
        let index = self.seconds.len().saturating_sub(seconds + 1);
        self.seconds.get(index).copied().unwrap_or_default()
    }

    /// A mean over the seconds from `ago` on back.
    pub fn mean(&self, ago: usize, over: usize, of: impl Fn(&Second) -> f64) -> f64 {
        let end = self.seconds.len().saturating_sub(ago);
        let window = &self.seconds[end.saturating_sub(over)..end];
        window.iter().map(of).sum::<f64>() / (window.len().max(1)) as f64
    }

    /// Tasks that came and were dispatched, a second, as Temporal tells them.
    pub fn rates(&self, ago: usize) -> (f64, f64) {
        let mean = |of: fn(&Second) -> u64| self.mean(ago, RATE_WINDOW, |second| of(second) as f64);
        (mean(|second| second.added), mean(|second| second.dispatched))
    }

    /// Slots in use and pods, as the heartbeats tell them.
    pub fn told(&self) -> (u64, u64) {
        let told = self.pods.iter().filter(|pod| !pod.gone && !pod.leaving).filter_map(|pod| pod.told);
        told.fold((0, 0), |(used, pods), told| (used + told, pods + 1))
    }

    pub fn random(&mut self, below: usize) -> usize {
        self.random.usize(0..below)
    }
}
