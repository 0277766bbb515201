//! The operator on the testbed, from end to end. Needs a testbed that is up (`make test` sees to it); everything else
//! (images, the operator, a namespace for each scenario) is made here.
//!
//! All of them begin at once and wait for their places (`places.rs`), so that tests must have threads enough.
//!
//! `TEMPORAL_OPERATOR_E2E=full` runs the long forms. `TEMPORAL_OPERATOR_E2E_KEEP=1` takes the operator that runs, whatever
//! it was built from: for work on the scenarios themselves. A scenario that fails leaves its namespace for a look; the next
//! run removes it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "these are tests")]

mod scenarios {
    pub mod audit;
    pub mod bed;
    pub mod cluster;
    pub mod door;
    pub mod film;
    pub mod ground;
    pub mod hello;
    pub mod load;
    pub mod operator;
    pub mod places;
    pub mod postgres;
    pub mod prometheus;
    pub mod search;
    pub mod temporal;
    pub mod wait;

    mod autoscaling;
    mod availability;
    mod broken;
    mod change;
    mod crash;
    mod create;
    mod delete;
    mod drains;
    mod faults;
    mod gate;
    mod harm;
    mod helm;
    mod idle;
    mod leader;
    mod losses;
    mod many;
    mod namespaces;
    mod neighbours;
    mod nodes;
    mod observed;
    mod opensearch;
    mod outage;
    mod rendered;
    mod rights;
    mod rings;
    mod rollout;
    mod schedules;
    mod secrets;
    mod services;
    mod stores;
    mod ui;
    mod visibility;
    mod way_back;
    mod workers_outside;
    mod workers_plain;
    mod workers_rollout;
    mod workers_scaling;
    mod workers_versions;
}
