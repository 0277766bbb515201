//! What the host must have: root's rights and some Debian packages.

use std::path::Path;

use anyhow::{Result, bail};

use crate::command::Cmd;
use crate::failure::WithRemedy;
use crate::layout::Layout;
use crate::step::Screen;

/// A Debian package and the file or command that shows that it (or another maker's of the same) is there.
#[derive(Debug, Clone, Copy)]
pub struct Package {
    name: &'static str,
    probe: &'static str,
}

/// Processors that the project's programs may use.
#[must_use]
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

const fn package(name: &'static str, probe: &'static str) -> Package {
    Package { name, probe }
}

/// What the cluster and its images need.
pub const BASE: [Package; 16] = [
    package("containerd", "containerd"),
    package("runc", "runc"),
    package("containernetworking-plugins", "/usr/lib/cni/bridge"),
    package("iproute2", "ip"),
    package("nftables", "nft"),
    package("iptables", "iptables"),
    package("conntrack", "conntrack"),
    package("ethtool", "ethtool"),
    package("socat", "socat"),
    package("kmod", "modprobe"),
    package("buildah", "buildah"),
    package("mmdebstrap", "mmdebstrap"),
    package("busybox-static", "/bin/busybox"),
    package("ca-certificates", "/etc/ssl/certs/ca-certificates.crt"),
    package("python3", "python3"),
    package("python3-venv", "/var/lib/dpkg/info/python3-venv.list"),
];

/// Maven, for OpenSearch.
pub const MAVEN: Package = package("maven", "mvn");
/// A browser for the pages, and a font for its pictures.
pub const BROWSER: [Package; 2] =
    [package("chromium", "chromium"), package("fonts-dejavu-core", "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf")];
/// Prometheus and promtool.
pub const PROMETHEUS: Package = package("prometheus", "promtool");

const SBIN: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Refuses to go on without root's rights.
pub fn need_root() -> Result<()> {
    if nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    let refused: Result<()> =
        Err(anyhow::anyhow!("the testbed makes network namespaces and runs kubelets: only root can"));
    refused.remedy("run the same command as root, for instance by `sudo -E make demo`")
}

/// Installs those packages that are missing.
pub fn install(screen: &Screen, layout: &Layout, wanted: &[Package]) -> Result<()> {
    let missing: Vec<&str> = wanted.iter().filter(|p| !is_there(p.probe)).map(|p| p.name).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let by_hand = format!("apt-get update && apt-get install --no-install-recommends {}", missing.join(" "));
    if !nix::unistd::geteuid().is_root() || !is_there("apt-get") {
        let refused: Result<()> = Err(anyhow::anyhow!("these programs are missing: {}", missing.join(", ")));
        return refused.remedy(format!("install them, on Debian by `{by_hand}` as root"));
    }
    screen.step(&format!("Debian packages: {}", missing.join(" ")), |step| {
        let log = layout.build().join("log/packages.log");
        step.log(&log);
        let apt = || Cmd::new("apt-get").env("DEBIAN_FRONTEND", "noninteractive").arg("-q");
        let done = apt().arg("update").logged(&log).and_then(|()| {
            // --no-remove: another maker's package of the same program stays.
            apt().args(["install", "-y", "--no-install-recommends", "--no-remove"]).args(&missing).logged(&log)
        });
        done.remedy(format!("see what `{by_hand}` says"))
    })?;
    match wanted.iter().find(|p| !is_there(p.probe)) {
        Some(p) => bail!("{} is still missing after {} was installed", p.probe, p.name),
        None => Ok(()),
    }
}

/// Whether a path exists, or a command can be found.
pub fn is_there(probe: &str) -> bool {
    if probe.starts_with('/') {
        return Path::new(probe).exists();
    }
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':').chain(SBIN.split(':')).any(|dir| Path::new(dir).join(probe).is_file())
}

/// Says for each thing that the testbed needs whether it is there.
pub fn doctor(layout: &Layout) -> Result<()> {
    let mut bad = 0;
    let mut tell = |good: bool, what: &str, remedy: &str| {
        println!(
            "{} {what}{}",
            if good { "ok     " } else { "missing" },
            if good { String::new() } else { format!(": {remedy}") }
        );
        bad += u32::from(!good);
    };
    tell(nix::unistd::geteuid().is_root(), "root's rights", "run as root");
    for p in BASE {
        tell(is_there(p.probe), p.name, "`make demo` installs it when it runs as root on Debian");
    }
    let go = Cmd::new("go").arg("version").output().unwrap_or_default();
    tell(go_is_new(&go), "Go 1.26.8 or newer", "install it; every server but 1.32 is content with 1.26.4");
    for controller in ["memory", "pids"] {
        let there = Path::new("/sys/fs/cgroup").join(controller).exists()
            || Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
        tell(there, &format!("cgroup controller {controller}"), "the kernel has to have it");
    }
    let space = nix::sys::statvfs::statvfs(layout.cache.parent().unwrap_or(Path::new("/")))?;
    let free = space.blocks_available() * space.fragment_size() / (1 << 30);
    tell(
        free >= 25,
        &format!("25 GiB of disk below {} ({free} GiB free)", layout.cache.display()),
        "free some, or set XDG_CACHE_HOME",
    );
    if bad == 0 { Ok(()) } else { bail!("{bad} things are missing") }
}

fn go_is_new(version: &str) -> bool {
    let numbers = version.split_whitespace().find_map(|w| w.strip_prefix("go1.")).unwrap_or_default();
    let mut numbers = numbers.split('.').map(|n| n.parse::<u32>().unwrap_or(0));
    let (minor, patch) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    (minor, patch) >= (26, 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_versions_compare_by_number() {
        assert!(go_is_new("go version go1.26.8 linux/amd64"));
        assert!(go_is_new("go version go1.27.0 linux/amd64"));
        assert!(!go_is_new("go version go1.26.4 linux/amd64"));
        assert!(!go_is_new(""));
    }
}
