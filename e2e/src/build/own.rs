//! The project's own programs.

use std::path::PathBuf;

use anyhow::Result;

use crate::command::Cmd;
use crate::failure::WithRemedy;
use crate::layout::Layout;
use crate::step::Screen;

/// How the operator's program is made; see `Cargo.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Made in a moment when little has changed.
    Release,
    /// As it is shipped: a third smaller, and linked for minutes.
    Dist,
}

impl Profile {
    fn name(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Dist => "dist",
        }
    }
}

/// Builds the operator; cargo does nothing when nothing has changed.
pub fn binary(screen: &Screen, layout: &Layout, profile: Profile) -> Result<PathBuf> {
    let profile = profile.name();
    screen.step(&format!("build the operator ({profile})"), |step| {
        let log = layout.build().join("log/operator.log");
        step.log(&log);
        let build = ["build", "--profile", profile, "--locked", "-p", "temporal-operator"];
        let shown = format!("see the log; `cargo build --profile {profile} -p temporal-operator` shows the same");
        cargo().dir(&layout.repo).args(build).logged(&log).remedy(shown)
    })?;
    Ok(target(layout).join(profile).join("temporal-operator"))
}

/// Builds what answers in Temporal's place (see `bench::scale`).
pub fn stand_in(screen: &Screen, layout: &Layout) -> Result<PathBuf> {
    screen.step("build the stand-in for Temporal", |step| {
        let log = layout.build().join("log/stand-in.log");
        step.log(&log);
        let cargo = cargo().dir(&layout.repo).args(["build", "--release", "--locked", "-p", "stand-in"]);
        cargo.logged(&log).remedy("see the log; `cargo build --release -p stand-in` shows the same")
    })?;
    Ok(target(layout).join("release/stand-in"))
}

/// Builds programs of an example, which is a workspace of its own, with a target directory of its own.
pub fn example(screen: &Screen, layout: &Layout, name: &str, programs: &[&str]) -> Result<Vec<PathBuf>> {
    let target = target(layout).join("examples");
    screen.step(&format!("build the example {name}"), |step| {
        let log = layout.build().join(format!("log/{name}.log"));
        step.log(&log);
        let cargo = cargo().dir(example_source(layout, name)).args(["build", "--release", "--locked"]);
        let cargo = cargo.arg("--target-dir").arg(&target);
        cargo.logged(&log).remedy(format!(
            "see the log; `cargo build --release` in {} shows the same",
            example_source(layout, name).display()
        ))
    })?;
    Ok(programs.iter().map(|program| target.join("release").join(program)).collect())
}

/// cargo as a shell starts it. This program was started by another cargo, and crates that look at what that one has left
/// in the environment would be compiled again.
fn cargo() -> Cmd {
    let left = std::env::vars().map(|(name, _)| name).filter(|name| {
        ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"].iter().any(|start| name.starts_with(start))
    });
    left.fold(Cmd::new("cargo"), |cargo, name| cargo.without_env(&name))
}

/// Where an example is.
pub fn example_source(layout: &Layout, name: &str) -> PathBuf {
    layout.repo.join("examples").join(name)
}

fn target(layout: &Layout) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| layout.repo.join("target"), PathBuf::from)
}
