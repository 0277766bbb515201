//! The planner against a model of Kubernetes, Temporal and its users, second by second, with random faults: pods die and
//! do not get ready, Temporal falls silent, passes of the operator are cut off between two writes or before the status,
//! manifests change in the middle. What must always hold is checked at every second, and that all comes to its end when
//! the faults stop.
//!
//! A seed that fails is printed; `SEED=n cargo test --test rollout_simulation` runs it alone, second by second.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "these are tests")]

mod simulation;

use simulation::{Faults, Simulation};

/// Seconds with faults, and seconds in which everything must come right afterwards: an upgrade over two minor versions
/// after a step that has run into its time-out.
const TROUBLED: u32 = 400;
const CALM: u32 = 900;
/// Seeds when the environment does not say how many (`SEEDS`).
const SEEDS: u64 = 12;

fn run(seed: u64, told: bool) -> Result<(), String> {
    let mut world = Simulation::new(seed);
    let fail =
        |world: &Simulation, why: String| format!("seed {seed}, second {}: {why}\n{}", world.second(), world.picture());
    for second in 0..TROUBLED + CALM {
        let faults = if second < TROUBLED { Faults::Many } else { Faults::None };
        if second == TROUBLED {
            world.want_something_good();
        }
        world.step(faults).map_err(|why| fail(&world, why))?;
        if told {
            println!("{}", world.picture());
        }
        if second > TROUBLED && world.is_settled() {
            return Ok(());
        }
    }
    Err(fail(&world, "never settled".to_owned()))
}

#[test]
fn nothing_unsafe_happens_and_all_comes_to_its_end() {
    let told = |name: &str| std::env::var(name).ok().and_then(|s| s.parse::<u64>().ok());
    if let Some(seed) = told("SEED") {
        run(seed, true).unwrap_or_else(|why| panic!("{why}"));
        return;
    }
    let seeds = told("SEEDS").unwrap_or(SEEDS);
    let failed: Vec<String> = (0..seeds).filter_map(|seed| run(seed, false).err()).collect();
    assert!(failed.is_empty(), "{} of {seeds} seeds fail, the first:\n{}", failed.len(), failed[0]);
}

#[rstest::rstest]
fn pods_that_are_ready_and_never_join_take_nobody_s_place(#[values(1, 2, 3)] pods: i32) {
    let mut world = Simulation::new(1);
    world.scale_matching(pods);
    world.want_something_good();
    let settles = |world: &mut Simulation| (0..CALM).any(|_| world.step(Faults::None).is_err() || world.is_settled());
    assert!(settles(&mut world), "{}", world.picture());
    world.restart("deaf");
    for _ in 0..300 {
        world.step(Faults::None).unwrap();
        assert_eq!(world.short_of_members(), None, "{}", world.picture());
    }
    assert!(world.picture().contains("stopped at the matching role"), "{}", world.picture());
}

#[rstest::rstest]
fn a_pod_in_a_ring_of_its_own_is_replaced(#[values("frontend", "history", "matching")] role: &str) {
    let mut world = Simulation::new(1);
    world.want_something_good();
    assert!((0..CALM).any(|_| world.step(Faults::None).is_err() || world.is_settled()), "{}", world.picture());
    let before = world.addresses();
    world.part(role);
    for _ in 0..120 {
        world.step(Faults::None).unwrap();
    }
    assert!(world.is_settled() && world.short_of_members().is_none(), "{}", world.picture());
    let after = world.addresses();
    assert_eq!(before.difference(&after).count(), 1, "{before:?} {after:?}");
}

#[test]
fn an_upgrade_waits_for_the_job_before_it() {
    let mut world = Simulation::new(1);
    let pass = |world: &mut Simulation| (0..300).for_each(|_| world.step(Faults::None).unwrap());
    pass(&mut world);
    world.upgrade_behind("bad");
    pass(&mut world);
    let picture = world.picture();
    assert!(picture.contains("The upgrade to server 1.32.0 has not begun"), "{picture}");
    assert!(picture.contains("@1.30.8") && !picture.contains("@1.31"), "{picture}");
    world.upgrade_behind("good");
    assert!((0..CALM).any(|_| world.step(Faults::None).is_err() || world.is_settled()), "{}", world.picture());
}

#[test]
fn the_model_itself_sees_what_is_unsafe() {
    // without the planner's care: every Deployment gets its new template at once
    let mut world = Simulation::new(1);
    world.apply_all_at_once();
    let caught = (0..400).find_map(|_| world.step(Faults::None).err());
    assert!(caught.is_some_and(|why| why.contains("roles in motion")));
}
