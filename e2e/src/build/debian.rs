//! Root file systems for images, from Debian packages.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::command::Cmd;
use crate::failure::WithRemedy;
use crate::image::digest;
use crate::layout::Layout;
use crate::step::Screen;
use crate::versions;

/// The libraries that the operator's program needs, for the base of its image.
pub const BASE_LIBRARIES: Rootfs =
    Rootfs { name: "base", packages: &["libc6", "libgcc-s1", "ca-certificates"], without: &[] };

/// A root file system of some Debian packages and what they depend on. The packages are unpacked and not set up: no
/// script of theirs runs, and there is no package manager in the result.
#[derive(Debug, Clone, Copy)]
pub struct Rootfs {
    /// Its name.
    pub name: &'static str,
    /// The packages.
    pub packages: &'static [&'static str],
    /// Paths that are left out, beside those that nothing reads at run time.
    pub without: &'static [&'static str],
}

const NEVER_READ: [&str; 9] = [
    "/usr/share/doc/*",
    "/usr/share/man/*",
    "/usr/share/info/*",
    "/usr/share/locale/*",
    "/usr/share/lintian/*",
    "/usr/share/bash-completion/*",
    "/usr/lib/*/gconv/*",
    "/usr/share/i18n/*",
    "/usr/share/perl/*/unicore/*",
];

impl Rootfs {
    /// What the result depends on, as a short text.
    pub fn key(&self) -> String {
        digest(format!("{} {:?} {:?} {NEVER_READ:?}", versions::DEBIAN, self.packages, self.without).as_bytes())
    }

    /// The tar archive of it; made unless it is there.
    pub fn tar(&self, screen: &Screen, layout: &Layout) -> Result<PathBuf> {
        let tar = layout.build().join(format!("rootfs-{}-{}.tar", self.name, self.key()));
        if tar.exists() {
            return Ok(tar);
        }
        screen.step(&format!("root file system of {}", self.packages.join(", ")), |step| {
            let log = layout.build().join(format!("log/rootfs-{}.log", self.name));
            step.log(&log);
            let part = tar.with_file_name(format!(".rootfs-{}.part.tar", self.name));
            self.unpack(&part, &log).remedy("see the log; mmdebstrap must reach a Debian mirror, as apt-get does")?;
            std::fs::rename(&part, &tar).context("cannot name the archive")
        })?;
        Ok(tar)
    }

    fn unpack(&self, tar: &Path, log: &Path) -> Result<()> {
        let mut command = Cmd::new("mmdebstrap").args(["--mode=root", "--variant=extract"]);
        command = command.arg(format!("--include={}", self.packages.join(",")));
        for path in NEVER_READ.iter().chain(self.without) {
            command = command.arg(format!("--dpkgopt=path-exclude={path}"));
        }
        command.arg(versions::DEBIAN).arg(tar).logged(log)
    }
}
