//! Kubernetes and etcd, from the Go module proxy.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::go::{self, REMEDY, go};
use super::{offer, once};
use crate::command::put;
use crate::failure::WithRemedy;
use crate::layout::Layout;
use crate::step::Screen;
use crate::versions;

const PROGRAMS: [&str; 6] =
    ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl"];

/// Builds the Kubernetes programs.
///
/// `k8s.io/kubernetes` replaces its staging modules by directories that its published module does not contain. So a
/// module of our own requires it and replaces each of them by the module published under its name.
pub fn build(screen: &Screen, layout: &Layout) -> Result<()> {
    let version = versions::KUBERNETES;
    let dir = layout.kubernetes("");
    if !dir.exists() {
        screen.step(&format!("build Kubernetes {version}"), |step| {
            let log = layout.build().join("log/kubernetes.log");
            step.log(&log);
            let source = layout.build().join("source/kubernetes");
            let module = format!("k8s.io/kubernetes@v{version}");
            go().args(["mod", "download", &module]).dir("/").logged(&log).remedy(REMEDY)?;
            let go_mod = go::module_source(&format!("cache/download/k8s.io/kubernetes/@v/v{version}.mod"))?;
            let theirs =
                std::fs::read_to_string(&go_mod).with_context(|| format!("cannot read {}", go_mod.display()))?;
            put(&source.join("go.mod"), module_file(version, &theirs))?;
            once(&dir, |part| {
                let packages = PROGRAMS.map(|p| format!("k8s.io/kubernetes/cmd/{p}"));
                let build = go().dir(&source).args([
                    "build",
                    "-mod=mod",
                    "-ldflags",
                    &go::ldflags(&version_flags(version)),
                    "-o",
                ]);
                build.arg(part).args(packages).logged(&log).remedy(REMEDY)
            })
        })?;
    }
    offer(layout, &layout.kubernetes("kubectl"))
}

fn module_file(version: &str, theirs: &str) -> String {
    let mut text = format!(
        "module testbed/kubernetes\n\ngo 1.24.0\n\ngodebug default=go1.24\n\nrequire k8s.io/kubernetes v{version}\n\n"
    );
    for program in PROGRAMS {
        text.push_str(&format!("tool k8s.io/kubernetes/cmd/{program}\n"));
    }
    let staging = version.trim_start_matches("1.");
    for line in theirs.lines() {
        let mut words = line.split_whitespace().skip_while(|w| *w == "replace");
        if let (Some(module), Some("=>"), Some(path)) = (words.next(), words.next(), words.next())
            && path.starts_with("./staging/")
        {
            text.push_str(&format!("replace {module} => {module} v0.{staging}\n"));
        }
    }
    text
}

/// Without these the components report v0.0.0-master.
fn version_flags(version: &str) -> String {
    let at = "k8s.io/component-base/version";
    let minor = version.split('.').nth(1).unwrap_or_default();
    format!(
        "-X {at}.gitVersion=v{version} -X {at}.gitMajor=1 -X {at}.gitMinor={minor} -X {at}.gitCommit=testbed -X {at}.gitTreeState=archive"
    )
}

/// etcd's program.
pub fn etcd_program(layout: &Layout) -> PathBuf {
    layout.build().join(format!("etcd-{}", versions::ETCD)).join("etcd")
}

/// Builds etcd, as a module of its own: Kubernetes pins older libraries.
pub fn etcd(screen: &Screen, layout: &Layout) -> Result<PathBuf> {
    let program = etcd_program(layout);
    let dir = layout.build().join(format!("etcd-{}", versions::ETCD));
    if !dir.exists() {
        screen.step(&format!("build etcd {}", versions::ETCD), |step| {
            let log = layout.build().join("log/etcd.log");
            step.log(&log);
            let source = layout.build().join("source/etcd");
            let package = "go.etcd.io/etcd/server/v3";
            let module = format!(
                "module testbed/etcd\n\ngo 1.24.0\n\nrequire {package} v{}\n\ntool {package}\n",
                versions::ETCD
            );
            put(&source.join("go.mod"), module)?;
            once(&dir, |part| {
                let build = go().dir(&source).args(["build", "-mod=mod", "-ldflags", &go::ldflags(""), "-o"]);
                build.arg(part.join("etcd")).arg(package).logged(&log).remedy(REMEDY)
            })
        })?;
    }
    Ok(program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn staging_modules_are_replaced_by_published_ones() {
        let theirs = "replace (\n\tk8s.io/api => ./staging/src/k8s.io/api\n\tother.io/x => ../x\n)\n";
        let ours = module_file("1.34.4", theirs);
        assert!(ours.contains("\nreplace k8s.io/api => k8s.io/api v0.34.4\n"), "{ours}");
        assert!(!ours.contains("other.io"));
    }
}
