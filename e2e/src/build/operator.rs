//! This workspace's own programs.

use std::path::PathBuf;

use anyhow::Result;

use crate::command::Cmd;
use crate::failure::WithRemedy;
use crate::layout::Layout;
use crate::step::Screen;

/// Builds the operator for release; cargo does nothing when nothing has changed.
pub fn binary(screen: &Screen, layout: &Layout) -> Result<PathBuf> {
    screen.step("build the operator", |step| {
        let log = layout.build().join("log/operator.log");
        step.log(&log);
        let cargo =
            Cmd::new("cargo").dir(&layout.repo).args(["build", "--release", "--locked", "-p", "temporal-operator"]);
        cargo.logged(&log).remedy("see the log; `cargo build --release -p temporal-operator` shows the same")
    })?;
    Ok(target(layout).join("release/temporal-operator"))
}

/// Builds what answers in Temporal's place (see `bench::scale`).
pub fn stand_in(screen: &Screen, layout: &Layout) -> Result<PathBuf> {
    screen.step("build the stand-in for Temporal", |step| {
        let log = layout.build().join("log/stand-in.log");
        step.log(&log);
        let cargo = Cmd::new("cargo").dir(&layout.repo).args(["build", "--release", "--locked", "-p", "stand-in"]);
        cargo.logged(&log).remedy("see the log; `cargo build --release -p stand-in` shows the same")
    })?;
    Ok(target(layout).join("release/stand-in"))
}

fn target(layout: &Layout) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| layout.repo.join("target"), PathBuf::from)
}
