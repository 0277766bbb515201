//! The operator's image, from the project's Dockerfile: here with a program and a base that were made before, with
//! docker all inside.

use std::fs;

use anyhow::{Context, Result};

use super::make::{Work, archive, forget_older};
use super::{Archive, Image, digest};
use crate::build::{BASE_LIBRARIES, operator_binary};
use crate::command::Cmd;
use crate::failure::WithRemedy;
use crate::layout::Layout;
use crate::step::Screen;

/// The operator's image as manifests name it.
pub const OPERATOR: &str = "temporal-operator:dev";

/// Makes the archive, unless one of the same program is there.
pub(super) fn make(screen: &Screen, layout: &Layout) -> Result<Archive> {
    let program = operator_binary(screen, layout)?;
    let dockerfile = layout.repo.join("Dockerfile");
    let mut inputs = fs::read(&program).with_context(|| format!("cannot read {}", program.display()))?;
    inputs.extend(fs::read(&dockerfile).with_context(|| format!("cannot read {}", dockerfile.display()))?);
    inputs.extend(BASE_LIBRARIES.key().bytes());
    let archive = archive(layout, &Image::Operator, &digest(&inputs));
    if archive.file.exists() {
        return Ok(archive);
    }
    let tar = BASE_LIBRARIES.tar(screen, layout)?;
    screen.step(&format!("make image {}", archive.reference), |step| {
        let work = Work::new(layout, &Image::Operator)?;
        let base = work.dir.join("debian");
        fs::create_dir_all(work.dir.join("empty"))
            .and_then(|()| fs::create_dir_all(&base))
            .context("cannot make a directory")?;
        Cmd::new("tar").arg("-xf").arg(&tar).arg("-C").arg(&base).args(["--exclude=./dev/*"]).run()?;
        let rootfs = work.dir.join("rootfs");
        Cmd::new("sh").arg(layout.repo.join("e2e/images/rootfs.sh")).arg(&base).arg(&rootfs).run()?;
        let out = work.dir.join("out");
        fs::create_dir_all(&out).context("cannot make a directory")?;
        fs::copy(&program, out.join("temporal-operator")).context("cannot copy the operator")?;
        // The stages of these names are replaced by directories, and nothing is compiled or pulled.
        let bud = work
            .buildah("bud")
            .args(["-t", &archive.reference])
            .arg("--build-context")
            .arg(format!("rootfs={}", work.dir.display()));
        let bud = bud.arg("--build-context").arg(format!("build={}", out.display()));
        let bud = bud.arg("-f").arg(&dockerfile).arg(work.dir.join("empty"));
        work.archive(step, bud, &archive)
    })?;
    forget_older(layout, &Image::Operator, &archive.file);
    Ok(archive)
}

/// Builds the image by docker, for a cluster that is not the testbed's.
pub fn for_docker(screen: &Screen, layout: &Layout, reference: &str) -> Result<()> {
    screen.step(&format!("docker build {reference}"), |step| {
        let log = layout.build().join("log/docker.log");
        step.log(&log);
        let docker = Cmd::new("docker").args(["build", "-t", reference, "."]).dir(&layout.repo);
        docker.logged(&log).remedy("see the log; docker must run and be allowed to build")
    })
}
