//! The operator's own program.

use std::path::PathBuf;

use anyhow::Result;

use crate::command::Cmd;
use crate::failure::WithRemedy;
use crate::layout::Layout;
use crate::step::Screen;

/// Builds the operator for release; cargo does nothing when nothing has changed.
pub fn binary(screen: &Screen, layout: &Layout) -> Result<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| layout.repo.join("target"), PathBuf::from);
    screen.step("build the operator", |step| {
        let log = layout.build().join("log/operator.log");
        step.log(&log);
        let cargo =
            Cmd::new("cargo").dir(&layout.repo).args(["build", "--release", "--locked", "-p", "temporal-operator"]);
        cargo.logged(&log).remedy("see the log; `cargo build --release -p temporal-operator` shows the same")
    })?;
    Ok(target.join("release/temporal-operator"))
}
