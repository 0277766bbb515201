//! Makes the programs: from Go modules, Debian packages, PyPI, and the operator itself. Each lies in a directory named
//! after its version, so that a new version is built and an old one is not built again.

mod debian;
mod go;
mod kubernetes;
mod own;
mod python;
mod temporal;

pub use debian::{BASE_LIBRARIES, Rootfs};
pub use own::{Profile, binary as operator_binary, example, example_source, stand_in};
pub use python::python;
pub use temporal::{Server, temporal_ui};

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result, bail};

use crate::host;
use crate::layout::Layout;
use crate::step::Screen;
use crate::versions;

/// Something that can be built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The Kubernetes programs.
    Kubernetes,
    /// etcd.
    Etcd,
    /// CoreDNS.
    CoreDns,
    /// A Temporal server and its schema tools.
    Temporal(String),
    /// The Web UI.
    Ui,
    /// The Python SDK and Temporal's command line tool.
    Python,
    /// Helm.
    Helm,
    /// kwok and kwokctl.
    Kwok,
    /// Prometheus and promtool.
    Prometheus,
    /// Chromium.
    Browser,
}

impl Target {
    /// What the demo needs, the cluster's first.
    pub fn demo() -> Vec<Self> {
        let mut all = Self::cluster();
        all.extend([Self::Temporal(versions::TEMPORAL.into()), Self::Ui, Self::Python]);
        all
    }

    /// What a bare cluster needs.
    pub fn cluster() -> Vec<Self> {
        vec![Self::Kubernetes, Self::Etcd, Self::CoreDns]
    }

    /// Builds it unless it is there.
    pub fn build(&self, screen: &Screen, layout: &Layout) -> Result<()> {
        match self {
            Self::Kubernetes => kubernetes::build(screen, layout),
            Self::Etcd => kubernetes::etcd(screen, layout).map(drop),
            Self::CoreDns => coredns(screen, layout).map(drop),
            Self::Temporal(version) => Server::build(screen, layout, version).map(drop),
            Self::Ui => temporal_ui(screen, layout).map(drop),
            Self::Python => python(screen, layout).map(drop),
            Self::Helm => helm(screen, layout),
            Self::Kwok => kwok(screen, layout),
            Self::Prometheus => host::install(screen, layout, &[host::PROMETHEUS]),
            Self::Browser => host::install(screen, layout, &host::BROWSER),
        }
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text.split_once(':') {
            Some(("temporal", version)) => Self::Temporal(version.trim_start_matches('v').to_owned()),
            Some(_) => return Err("only temporal has versions: temporal:1.31.2".into()),
            None => match text {
                "kubernetes" => Self::Kubernetes,
                "etcd" => Self::Etcd,
                "coredns" => Self::CoreDns,
                "temporal" => Self::Temporal(versions::TEMPORAL.into()),
                "ui" => Self::Ui,
                "python" => Self::Python,
                "helm" => Self::Helm,
                "kwok" => Self::Kwok,
                "prometheus" => Self::Prometheus,
                "browser" => Self::Browser,
                _ => {
                    return Err(
                        "one of kubernetes, etcd, coredns, temporal[:VERSION], ui, python, helm, kwok, prometheus, browser"
                            .into(),
                    );
                }
            },
        })
    }
}

/// etcd's program; built unless it is there.
pub fn etcd_program(layout: &Layout) -> PathBuf {
    kubernetes::etcd_program(layout)
}

/// CoreDNS's program; built unless it is there.
pub fn coredns(screen: &Screen, layout: &Layout) -> Result<PathBuf> {
    let dir = layout.build().join(format!("coredns-{}", versions::COREDNS));
    let package = format!("github.com/coredns/coredns@v{}", versions::COREDNS);
    go::install(screen, layout, &format!("CoreDNS {}", versions::COREDNS), &dir, &[(&package, "coredns")])?;
    Ok(dir.join("coredns"))
}

fn helm(screen: &Screen, layout: &Layout) -> Result<()> {
    let dir = layout.build().join(format!("helm-{}", versions::HELM));
    let package = format!("helm.sh/helm/v3/cmd/helm@v{}", versions::HELM);
    go::install(screen, layout, &format!("Helm {}", versions::HELM), &dir, &[(&package, "helm")])?;
    offer(layout, &dir.join("helm"))
}

/// kwok's program; built by [`Target::Kwok`].
pub fn kwok_program(layout: &Layout) -> PathBuf {
    kwok_dir(layout).join("kwok")
}

fn kwok_dir(layout: &Layout) -> PathBuf {
    layout.build().join(format!("kwok-{}", versions::KWOK))
}

fn kwok(screen: &Screen, layout: &Layout) -> Result<()> {
    let dir = kwok_dir(layout);
    let package = |name: &str| format!("sigs.k8s.io/kwok/cmd/{name}@v{}", versions::KWOK);
    let (kwok, kwokctl) = (package("kwok"), package("kwokctl"));
    go::install(screen, layout, &format!("kwok {}", versions::KWOK), &dir, &[(&kwok, "kwok"), (&kwokctl, "kwokctl")])?;
    offer(layout, &dir.join("kwok"))?;
    offer(layout, &dir.join("kwokctl"))
}

/// Puts a program into the directory for a person's PATH.
fn offer(layout: &Layout, program: &Path) -> Result<()> {
    let name = program.file_name().context("a program has a name")?;
    let link = layout.bin().join(name);
    if std::fs::read_link(&link).is_ok_and(|to| to == program) {
        return Ok(());
    }
    let fresh = link.with_added_extension("new");
    std::fs::create_dir_all(layout.bin()).context("cannot make the directory of programs")?;
    let _ = std::fs::remove_file(&fresh);
    std::os::unix::fs::symlink(program, &fresh)
        .and_then(|()| std::fs::rename(&fresh, &link))
        .with_context(|| format!("cannot link {}", link.display()))
}

/// Fills a directory by `work` and gives it its name only when it is complete. Says whether there was anything to do.
fn once(dir: &Path, work: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let name = dir.file_name().context("a build has a name")?.to_string_lossy().into_owned();
    let part = dir.with_file_name(format!(".{name}.part"));
    clear(&part)?;
    std::fs::create_dir_all(&part).with_context(|| format!("cannot make {}", part.display()))?;
    work(&part)?;
    if dir.exists() {
        bail!("{} has appeared in the meantime", dir.display());
    }
    std::fs::rename(&part, dir).with_context(|| format!("cannot make {}", dir.display()))
}

/// Removes a directory if it is there.
pub fn clear(dir: &Path) -> Result<()> {
    match std::fs::remove_dir_all(dir) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(e).with_context(|| format!("cannot remove {}", dir.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_have_names_and_only_the_server_has_versions() {
        assert_eq!("temporal:v1.30.8".parse(), Ok(Target::Temporal("1.30.8".into())));
        assert_eq!("temporal".parse(), Ok(Target::Temporal(versions::TEMPORAL.into())));
        assert!("etcd:3".parse::<Target>().is_err());
        assert!("nonsense".parse::<Target>().is_err());
    }
}
