//! What is decided of a worker's versions against a model of Temporal, Kubernetes and people, second by second: pods die,
//! Temporal falls silent or changes its mind between a look and a write, the operator is ended between two writes, people move
//! traffic and pin workflows, manifests change. What must always hold is checked at every second, and that all comes to its end
//! when the faults stop.
//!
//! A seed that fails is printed; `SEED=n cargo test --test worker_rollout_simulation` runs it alone, second by second.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "these are tests")]

mod worker_model;

use worker_model::World;

/// Seconds with faults, and seconds in which everything must come right afterwards: a ramp in steps, and the end of old versions.
const TROUBLED: u32 = 1500;
const CALM: u32 = 3000;
/// Seeds when the environment does not say how many (`SEEDS`).
const SEEDS: u64 = 40;

fn run(seed: u64, told: bool) -> Result<(), String> {
    let mut world = World::new(seed);
    let fail =
        |world: &World, second: u32, why: String| format!("seed {seed}, second {second}: {why}\n{}", world.picture());
    for second in 0..TROUBLED + CALM {
        if second == TROUBLED {
            world.calm_down();
        }
        world.step(second < TROUBLED).map_err(|why| fail(&world, second, why))?;
        if told {
            println!("{}", world.picture());
        }
        if second > TROUBLED && world.is_settled() {
            return Ok(());
        }
    }
    Err(fail(&world, TROUBLED + CALM, "never settled".to_owned()))
}

#[test]
fn nothing_unsafe_happens_and_all_comes_to_its_end() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    if let Some(seed) = number("SEED") {
        run(seed, true).unwrap_or_else(|why| panic!("{why}"));
        return;
    }
    let seeds = number("SEEDS").unwrap_or(SEEDS);
    let failed: Vec<String> = (0..seeds).filter_map(|seed| run(seed, false).err()).collect();
    assert!(failed.is_empty(), "{} of {seeds} seeds fail, the first:\n{}", failed.len(), failed[0]);
}

#[test]
fn the_model_itself_sees_what_is_unsafe() {
    for (harm, words) in [
        (worker_model::Harm::Hasty, "without pods that are ready"),
        (worker_model::Harm::Reaper, "has open workflows"),
        (worker_model::Harm::Stubborn, "was set by hand"),
    ] {
        let caught = (0..20).find_map(|seed| {
            let mut world = World::new(seed);
            world.harm = Some(harm);
            (0..TROUBLED).find_map(|_| world.step(true).err())
        });
        assert!(caught.as_ref().is_some_and(|why| why.contains(words)), "{harm:?}: {caught:?}");
    }
}
