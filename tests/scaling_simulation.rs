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
const SEED: u64 = 8;
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

    fn run(self, load: &Load, seed: u64) -> Outcome {
        let sleeps = load.pattern.sleeps();
        let first = match self {
            Self::CpuComputing | Self::CpuWaiting => 1,
            _ => i32::from(!sleeps),
        };
        World::run(load, self.scaler(sleeps).as_mut(), first, seed)
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
                let out = who.run(&Load::new(pattern, takes), SEED);
                println!(
                    "| {} | {} | {:.1} | {:.1} | {:.1} | {:.1} | {:.0} | {} |",
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
