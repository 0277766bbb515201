//! The number of pods that the operator decides on against a HorizontalPodAutoscaler on CPU and KEDA's trigger, in a model.
//!
//! `cargo test --test scaling_simulation table -- --ignored --nocapture` prints all of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "these are tests")]

mod scaling_model;

use scaling_model::load::{Load, Pattern};
use scaling_model::scalers::{Cpu, Keda, Ours};
use scaling_model::{Outcome, Scaler, World};

/// Means of what a task takes, in seconds.
const LENGTHS: [f64; 3] = [0.1, 2.0, 60.0];
/// What the table is the mean of; what is asserted is asserted of the first.
const SEEDS: [u64; 3] = [8, 21, 34];
/// Share of its CPU request that a pod uses when all its slots are busy.
const COMPUTES: f64 = 1.0;
const WAITS: f64 = 0.3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Ours,
    OursWithoutSlots,
    CpuComputing,
    CpuWaiting,
    Keda,
}

impl Who {
    const ALL: [Self; 5] = [Self::Ours, Self::OursWithoutSlots, Self::CpuComputing, Self::CpuWaiting, Self::Keda];

    const fn name(self) -> &'static str {
        match self {
            Self::Ours => "operator",
            Self::OursWithoutSlots => "operator, no slots told",
            Self::CpuComputing => "HPA on CPU, tasks compute",
            Self::CpuWaiting => "HPA on CPU, tasks wait for others",
            Self::Keda => "KEDA",
        }
    }

    fn scaler(self, sleeps: bool) -> Box<dyn Scaler> {
        let min = i32::from(!sleeps);
        match self {
            Self::Ours => Box::new(Ours::new(min, true)),
            Self::OursWithoutSlots => Box::new(Ours::new(min, false)),
            Self::CpuComputing => Box::new(Cpu::new(COMPUTES)),
            Self::CpuWaiting => Box::new(Cpu::new(WAITS)),
            Self::Keda => Box::new(Keda::new(sleeps)),
        }
    }

    /// The mean over some seeds.
    fn run(self, load: &Load, seeds: &[u64]) -> Outcome {
        let sleeps = load.pattern.sleeps();
        let first = match self {
            Self::CpuComputing | Self::CpuWaiting => 1,
            _ => i32::from(!sleeps),
        };
        let run = |seed: &u64| World::run(load, self.scaler(sleeps).as_mut(), first, *seed);
        Outcome::mean(&seeds.iter().map(run).collect::<Vec<_>>())
    }
}

#[test]
#[ignore = "prints the table of BENCHMARKS.md"]
fn table() {
    for takes in LENGTHS {
        println!(
            "\n| tasks of {takes} s | | p50 | p95 | p99 | most | pod minutes | changes |\n|---|---|---|---|---|---|---|---|"
        );
        for pattern in Pattern::ALL {
            for (n, who) in Who::ALL.into_iter().enumerate() {
                let out = who.run(&Load::new(pattern, takes), &SEEDS);
                println!(
                    "| {} | {} | {:.1} | {:.1} | {:.1} | {:.1} | {:.0} | {:.0} |",
                    if n == 0 { pattern.name() } else { "" },
                    who.name(),
                    out.p50,
                    out.p95,
                    out.p99,
                    out.most,
                    out.pod_minutes,
                    out.changes
                );
            }
        }
    }
}

/// How long 95 of 100 tasks wait at most, and the pods, as shares of the other's.
fn compare(load: &Load, who: Who, other: &Outcome) -> (f64, f64, String) {
    let own = who.run(load, &SEEDS[..1]);
    let text = format!("{} of {} s, {}:\n{own:?}\n{other:?}", load.pattern.name(), load.takes, who.name());
    (own.p95 / other.p95.max(0.1), own.pod_minutes / other.pod_minutes, text)
}

const OURS: [Who; 2] = [Who::Ours, Who::OursWithoutSlots];

/// Long tasks: KEDA's rule makes fewer pods than they need, and tasks wait for a minute.
#[test]
fn tasks_wait_less_than_with_keda_for_no_more_pods_unless_they_are_long() {
    for takes in LENGTHS {
        for pattern in Pattern::ALL {
            let load = Load::new(pattern, takes);
            let keda = Who::Keda.run(&load, &SEEDS[..1]);
            for who in OURS {
                let (waits, pods, text) = compare(&load, who, &keda);
                let most = if takes > 10.0 { 1.8 } else { 1.2 };
                // some ten tasks, whose luck with the moment of the look decides
                let few = pattern == Pattern::Trickle && takes > 10.0;
                assert!((few || waits < 1.0) && pods < most, "{text}");
            }
        }
    }
}

/// A smooth curve of tasks that compute is what CPU shows well; there nobody waits long with either.
#[test]
fn tasks_wait_less_than_with_cpu_where_load_jumps() {
    for takes in LENGTHS {
        for pattern in [Pattern::Steady, Pattern::Step, Pattern::Burst, Pattern::FromZero, Pattern::Day] {
            let load = Load::new(pattern, takes);
            let cpu = Who::CpuComputing.run(&load, &SEEDS[..1]);
            for who in OURS {
                let (waits, pods, text) = compare(&load, who, &cpu);
                match pattern {
                    Pattern::Day => assert!(who.run(&load, &SEEDS[..1]).p95 < 20.0 && pods < 1.2, "{text}"),
                    Pattern::Burst => assert!(waits < 0.6 && pods < 2.5, "{text}"),
                    _ => assert!(waits < 0.75 && pods < 1.7, "{text}"),
                }
            }
        }
    }
}

#[test]
fn under_a_steady_load_pods_stay() {
    for takes in LENGTHS {
        for who in OURS {
            let changes = who.run(&Load::new(Pattern::Steady, takes), &SEEDS[..1]).changes;
            assert!(changes <= 20.0, "{} s, {}: {changes} changes in half an hour", takes, who.name());
        }
    }
}
