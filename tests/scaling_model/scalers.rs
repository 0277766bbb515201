//! Those who say how many pods there are to be: the operator's formula, a HorizontalPodAutoscaler on CPU, and KEDA's trigger.

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use std::collections::VecDeque;
use std::time::Duration;
use temporal_operator::api::worker::ScalingSpec;
use temporal_operator::scaling::{Need, Policy, Sample, Slots, decide, due};
use temporal_operator::validate;

use super::{MOST_PODS, SLOTS, Scaler, World};

/// The operator, with the defaults of its API.
pub struct Ours {
    policy: Policy,
    history: Vec<Sample>,
    next: u32,
    /// Whether the SDK tells slots, and what it told when it was last asked.
    tells: bool,
    slots: Option<(u32, Slots)>,
}

impl Ours {
    pub fn new(min: i32, tells: bool) -> Self {
        let spec = ScalingSpec { min: Some(min), max: MOST_PODS, ..ScalingSpec::default() };
        let policy = validate::scaling(&spec).unwrap();
        Self { policy, history: Vec::new(), next: 0, tells, slots: None }
    }

    /// Heartbeats are listed every 30 s.
    fn slots(&mut self, world: &World) -> Option<Slots> {
        if self.tells && self.slots.is_none_or(|(at, _)| world.now() >= at + 30) {
            let (used, workers) = world.told();
            self.slots = (workers > 0).then_some((world.now(), Slots { used, all: workers * SLOTS, workers }));
        }
        self.slots.map(|(_, slots)| slots)
    }
}

impl Scaler for Ours {
    fn decide(&mut self, world: &mut World) -> Option<i32> {
        if world.now() < self.next {
            return None;
        }
        // Temporal keeps its answers for 5 s
        let old = world.random(6);
        let (add_rate, dispatch_rate) = world.rates(old);
        let slots = self.slots(world);
        let then = world.ago(old);
        let at = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(world.now().into());
        self.history.push(Sample {
            at,
            ready: world.ago(0).ready,
            backlog: then.backlog,
            backlog_age: Duration::from_secs_f64(then.age),
            add_rate,
            dispatch_rate,
            rate_limited: false,
            slots,
        });
        let pods = decide(&self.policy, Need::Serves, world.wanted(), &self.history, at).pods;
        self.next = world.now() + due(Need::Serves, pods, &self.history).as_secs() as u32;
        Some(pods)
    }
}

/// What a HorizontalPodAutoscaler does with what a metric asks for: looks every 15 s, at most doubles or adds four in that
/// time, and takes pods away when fewer were enough for 300 s.
struct Horizontal {
    asked: VecDeque<(u32, i32)>,
}

impl Horizontal {
    const PERIOD: u32 = 15;
    const TOLERANCE: f64 = 0.1;
    const DOWN_AFTER: u32 = 300;

    const fn new() -> Self {
        Self { asked: VecDeque::new() }
    }

    /// `wanted` is the share of pods that the metric asks for, before it is rounded.
    fn decide(&mut self, world: &World, wanted: f64) -> i32 {
        let present = world.wanted();
        let near = (wanted / f64::from(present.max(1)) - 1.0).abs() <= Self::TOLERANCE;
        let asked = if near { present } else { wanted.ceil() as i32 };
        self.asked.push_back((world.now(), asked));
        while self.asked.front().is_some_and(|(at, _)| at + Self::DOWN_AFTER < world.now()) {
            self.asked.pop_front();
        }
        let most = self.asked.iter().map(|(_, asked)| *asked).max().unwrap_or(present);
        let pods = if asked < present { most.min(present) } else { asked.min((present * 2).max(present + 4)) };
        pods.clamp(1, MOST_PODS)
    }
}

/// A HorizontalPodAutoscaler on CPU, target 70 %. What it sees is 30 s old and a mean of 30 s.
pub struct Cpu {
    horizontal: Horizontal,
    /// Share of its request that a pod uses when all its slots are busy.
    share: f64,
}

impl Cpu {
    const TARGET: f64 = 0.7;

    pub const fn new(share: f64) -> Self {
        Self { horizontal: Horizontal::new(), share }
    }
}

impl Scaler for Cpu {
    fn decide(&mut self, world: &mut World) -> Option<i32> {
        if !world.now().is_multiple_of(Horizontal::PERIOD) || world.now() < 60 {
            return None;
        }
        let used = world.mean(30, 30, |second| second.used as f64) * self.share;
        Some(self.horizontal.decide(world, used / SLOTS as f64 / Self::TARGET))
    }
}

/// KEDA's trigger with its defaults: 5 waiting tasks a pod, through a HorizontalPodAutoscaler; from zero at a look every
/// 30 s, to zero when nothing has waited for 300 s.
pub struct Keda {
    horizontal: Horizontal,
    sleeps: bool,
    active: u32,
}

impl Keda {
    const PER_POD: f64 = 5.0;
    const POLLING: u32 = 30;
    const COOLDOWN: u32 = 300;

    pub const fn new(sleeps: bool) -> Self {
        Self { horizontal: Horizontal::new(), sleeps, active: 0 }
    }
}

impl Scaler for Keda {
    fn decide(&mut self, world: &mut World) -> Option<i32> {
        let backlog = world.ago(0).backlog;
        if world.now().is_multiple_of(Self::POLLING) {
            if backlog > 0 {
                self.active = world.now();
                if world.wanted() == 0 {
                    return Some(1);
                }
            } else if self.sleeps && world.wanted() > 0 && world.now() >= self.active + Self::COOLDOWN {
                return Some(0);
            }
        }
        if world.wanted() == 0 || !world.now().is_multiple_of(Horizontal::PERIOD) {
            return None;
        }
        Some(self.horizontal.decide(world, backlog as f64 / Self::PER_POD))
    }
}
