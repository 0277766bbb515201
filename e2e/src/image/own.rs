//! The project's own images, each from its Dockerfile: here with programs and a base that were made before, with docker
//! all inside.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::buildah::{Work, archive, forget_older};
use super::{Archive, Image, digest};
use crate::build::{self, BASE_LIBRARIES, Profile};
use crate::command::Cmd;
use crate::failure::WithRemedy;
use crate::layout::Layout;
use crate::step::Screen;

/// The operator's image as manifests name it.
pub const OPERATOR: &str = "temporal-operator:dev";
/// The example worker's.
pub const HELLO: &str = "hello:dev";

/// The directory that docker makes an image in.
pub fn source(layout: &Layout, image: &Image) -> PathBuf {
    match image {
        Image::Hello => build::example_source(layout, "hello"),
        _ => layout.repo.clone(),
    }
}

/// Makes the archive, unless one of the same programs is there.
pub(super) fn make(screen: &Screen, layout: &Layout, image: &Image) -> Result<Archive> {
    let programs = match image {
        Image::Hello => build::example(screen, layout, "hello", &["hello-worker", "hello"])?,
        Image::Shipped => vec![build::operator_binary(screen, layout, Profile::Dist)?],
        _ => vec![build::operator_binary(screen, layout, Profile::Release)?],
    };
    let dockerfile = source(layout, image).join("Dockerfile");
    let mut inputs = BASE_LIBRARIES.key().into_bytes();
    for file in programs.iter().chain([&dockerfile]) {
        inputs.extend(fs::read(file).with_context(|| format!("cannot read {}", file.display()))?);
    }
    let archive = archive(layout, image, &digest(&inputs));
    if archive.file.exists() {
        return Ok(archive);
    }
    let tar = BASE_LIBRARIES.tar(screen, layout)?;
    screen.step(&format!("make image {}", archive.reference), |step| {
        let work = Work::new(layout, image)?;
        let (base, empty, out) = (work.dir.join("debian"), work.dir.join("empty"), work.dir.join("out"));
        for dir in [&base, &empty, &out] {
            fs::create_dir_all(dir).context("cannot make a directory")?;
        }
        Cmd::new("tar").arg("-xf").arg(&tar).arg("-C").arg(&base).args(["--exclude=./dev/*"]).run()?;
        let rootfs = work.dir.join("rootfs");
        Cmd::new("sh").arg(layout.repo.join("e2e/images/rootfs.sh")).arg(&base).arg(&rootfs).run()?;
        for program in &programs {
            put_into(&out, program)?;
        }
        // The stages of these names are replaced by directories, and nothing is compiled or pulled.
        let bud = work.buildah("bud").args(["-t", &archive.reference]);
        let bud = bud.arg("--build-context").arg(format!("rootfs={}", work.dir.display()));
        let bud = bud.arg("--build-context").arg(format!("build={}", out.display()));
        work.archive(step, bud.arg("-f").arg(&dockerfile).arg(&empty), &archive)
    })?;
    forget_older(layout, image, &archive.file);
    Ok(archive)
}

fn put_into(dir: &Path, program: &Path) -> Result<()> {
    let name = program.file_name().context("a program has a name")?;
    fs::copy(program, dir.join(name)).with_context(|| format!("cannot copy {}", program.display())).map(drop)
}

/// Builds the image by docker, for a cluster that is not the testbed's.
pub fn for_docker(screen: &Screen, layout: &Layout, image: &Image, reference: &str) -> Result<()> {
    screen.step(&format!("docker build {reference}"), |step| {
        let log = layout.build().join("log/docker.log");
        step.log(&log);
        let docker = Cmd::new("docker").args(["build", "-t", reference, "."]).dir(source(layout, image));
        docker.logged(&log).remedy("see the log; docker must run and be allowed to build")
    })
}
