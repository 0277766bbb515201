//! The root cgroup of each node: below it are its pods and nothing else.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::layout::Node;

/// Makes a node's root cgroup in every hierarchy; the kubelet wants it to be there.
pub fn make(node: Node) -> Result<()> {
    for mount in mounts()? {
        let dir = mount.join(node.netns());
        fs::create_dir_all(&dir).with_context(|| format!("cannot make cgroup {}", dir.display()))?;
        // A new cpuset (version 1) is empty and refuses processes.
        for file in ["cpuset.mems", "cpuset.cpus"] {
            let (from, to) = (mount.join(file), dir.join(file));
            if from.exists() && to.exists() {
                let value = fs::read(&from).with_context(|| format!("cannot read {}", from.display()))?;
                fs::write(&to, value).with_context(|| format!("cannot write {}", to.display()))?;
            }
        }
        // Version 2: controllers are handed down one by one. Those that cannot be are not needed.
        let controllers = fs::read_to_string(mount.join("cgroup.controllers")).unwrap_or_default();
        for controller in controllers.split_whitespace() {
            for parent in [&mount, &dir] {
                let _ = fs::write(parent.join("cgroup.subtree_control"), format!("+{controller}"));
            }
        }
    }
    Ok(())
}

/// Kills every process of a node's pods. Says how many there were.
pub fn kill_all(node: Node) -> Result<usize> {
    let mut pids = Vec::new();
    for mount in mounts()? {
        for dir in tree(&mount.join(node.netns())) {
            let text = fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
            pids.extend(text.lines().filter_map(|line| line.trim().parse::<i32>().ok()).filter(|pid| *pid > 1));
        }
    }
    pids.sort_unstable();
    pids.dedup();
    for pid in &pids {
        let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
    }
    Ok(pids.len())
}

/// Removes a node's cgroups, which must be empty.
pub fn remove(node: Node) -> Result<()> {
    for mount in mounts()? {
        for dir in tree(&mount.join(node.netns())) {
            match fs::remove_dir(&dir) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("cannot remove cgroup {}", dir.display()));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// What is there of it.
pub fn remains(node: Node) -> Vec<String> {
    let dirs = mounts().unwrap_or_default().into_iter().map(|m| m.join(node.netns()));
    dirs.filter(|d| d.exists()).map(|d| format!("cgroup {}", d.display())).collect()
}

/// The directory and all below it, the deepest first.
fn tree(dir: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            all.extend(tree(&entry.path()));
        }
    }
    if dir.exists() {
        all.push(dir.to_owned());
    }
    all
}

fn mounts() -> Result<Vec<PathBuf>> {
    let text = fs::read_to_string("/proc/self/mounts").context("cannot read /proc/self/mounts")?;
    Ok(cgroup_mounts(&text))
}

fn cgroup_mounts(text: &str) -> Vec<PathBuf> {
    let rows = text.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let cgroups = rows.filter(|row| row.len() > 2 && (row[2] == "cgroup" || row[2] == "cgroup2"));
    cgroups.map(|row| PathBuf::from(row[1])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_are_found() {
        let text = "tmpfs /sys/fs/cgroup tmpfs rw 0 0\ncgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";
        assert_eq!(cgroup_mounts(text), [PathBuf::from("/sys/fs/cgroup/cpu"), PathBuf::from("/sys/fs/cgroup/unified")]);
    }
}
