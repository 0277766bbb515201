//! What the cluster on disk is: how many nodes, and whether this machine has been started anew since.

use std::fs::{self, File};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use serde_json::{Value, json};

use crate::build::clear;
use crate::command::put;
use crate::failure::WithRemedy;
use crate::layout::{Layout, Node};

/// The cluster that is up, or was when it was interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// The number of nodes.
    pub nodes: u8,
}

impl State {
    /// The state on disk. None after a restart of the machine: daemons and network are gone, and etcd, which runs
    /// without syncing, may have lost something.
    pub fn read(layout: &Layout) -> Option<Self> {
        let text = fs::read(layout.testbed().join("cluster.json")).ok()?;
        let value: Value = serde_json::from_slice(&text).ok()?;
        let same_boot = value["boot"].as_str() == boot().as_deref();
        let nodes = u8::try_from(value["nodes"].as_u64()?).ok()?;
        same_boot.then_some(Self { nodes })
    }

    /// Remembers it.
    pub fn write(self, layout: &Layout) -> Result<()> {
        let text = json!({"nodes": self.nodes, "boot": boot()}).to_string();
        put(&layout.testbed().join("cluster.json"), text).map(drop)
    }

    /// The nodes.
    pub fn list(self) -> Vec<Node> {
        Node::first(self.nodes)
    }

    /// Forgets the cluster: everything but the images in the containerds, and the logs.
    pub fn forget(layout: &Layout) -> Result<()> {
        // First the file that says that there is one: what follows may be interrupted.
        let _ = fs::remove_file(layout.testbed().join("cluster.json"));
        for dir in [layout.pki(), layout.conf(), layout.run()] {
            clear(&dir)?;
        }
        for entry in fs::read_dir(layout.data()).into_iter().flatten().flatten() {
            if !entry.file_name().to_string_lossy().starts_with("containerd") {
                clear(&entry.path())?;
            }
        }
        Ok(())
    }
}

/// The kernel's name for the time since it started.
fn boot() -> Option<String> {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").ok().map(|id| id.trim().to_owned())
}

/// Keeps a second command from changing the cluster at the same time.
pub fn lock(layout: &Layout) -> Result<Flock<File>> {
    fs::create_dir_all(layout.testbed()).with_context(|| format!("cannot make {}", layout.testbed().display()))?;
    let mut file = File::create(layout.testbed().join("lock")).context("cannot make the lock file")?;
    // A command that was just ended may hold it for a moment.
    let late = Instant::now() + Duration::from_secs(10);
    loop {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(lock),
            Err((back, Errno::EWOULDBLOCK)) if Instant::now() < late => file = back,
            Err((_, Errno::EWOULDBLOCK)) => {
                return Err(anyhow!("another testbed command is at work")).remedy("wait until it ends");
            }
            Err((_, error)) => return Err(error).context("cannot lock the testbed"),
        }
        sleep(Duration::from_millis(100));
    }
}
