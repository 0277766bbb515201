//! The cluster: its network, certificates, configuration and daemons, and their end.

mod cgroup;
mod config;
mod daemon;
mod down;
mod network;
mod pki;
mod spare;
mod state;
mod up;

pub use daemon::Daemon;
pub use down::down;
pub use network::{answer_for_fake_pods, cut, ignore_fake_pods, join, must_exist, nodes_behind};
pub use spare::{Lent, TAINT};
pub use state::State;
pub use up::up;

use crate::command::Cmd;
use crate::layout::Layout;

/// kubectl on the testbed's cluster, as its administrator.
pub fn kubectl(layout: &Layout) -> Cmd {
    Cmd::new(layout.kubernetes("kubectl")).env("KUBECONFIG", layout.kubeconfig())
}
