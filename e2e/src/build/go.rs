//! Programs from Go modules.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::once;
use crate::command::Cmd;
use crate::failure::WithRemedy;
use crate::layout::Layout;
use crate::step::Screen;

/// What to do when Go fails.
pub const REMEDY: &str = "see the log; Go 1.26.8 or newer must be on the PATH and must reach its module proxy. \
    The same command then goes on with what is missing";

/// The `go` command with the settings that all builds share, so that they share Go's cache.
pub fn go() -> Cmd {
    let go = Cmd::new("go").env("CGO_ENABLED", "0").env("GOFLAGS", "-trimpath -buildvcs=false");
    go.env("GOWORK", "off").without_env("GOBIN")
}

/// Flags for the linker: no debug information, and `more`.
pub fn ldflags(more: &str) -> String {
    format!("-s -w {more}").trim_end().to_owned()
}

/// Installs packages into `dir`, each under a name of its own. Nothing is done when `dir` is there.
pub fn install(screen: &Screen, layout: &Layout, title: &str, dir: &Path, packages: &[(&str, &str)]) -> Result<()> {
    if dir.exists() {
        return Ok(());
    }
    screen.step(&format!("build {title}"), |step| {
        let log = log(layout, dir);
        step.log(&log);
        once(dir, |part| {
            for (package, name) in packages {
                // Several of these programs are called "server": each gets a directory of its own first.
                let bin = part.join(format!("{name}.bin"));
                std::fs::create_dir(&bin).context("cannot make a directory")?;
                go().env("GOBIN", &bin)
                    .args(["install", "-ldflags", &ldflags(""), package])
                    .logged(&log)
                    .remedy(REMEDY)?;
                let made = std::fs::read_dir(&bin)?.next().context("go install made nothing")??.path();
                std::fs::rename(made, part.join(name))
                    .and_then(|()| std::fs::remove_dir(&bin))
                    .context("cannot move a program")?;
            }
            Ok(())
        })
    })
}

/// The log of a build.
pub fn log(layout: &Layout, dir: &Path) -> PathBuf {
    let name = dir.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    layout.build().join("log").join(name + ".log")
}

/// Where Go keeps the source of a module.
pub fn module_source(module: &str) -> Result<PathBuf> {
    let cache = go().args(["env", "GOMODCACHE"]).output()?;
    Ok(Path::new(cache.trim()).join(module))
}
