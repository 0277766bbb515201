//! Temporal's answers as plain data.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use super::{Role, TemporalError};

/// What one frontend says about its cluster (server 1.31 `service/frontend/admin_handler.go`, `DescribeCluster`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterView {
    /// Version of the pod that answered, not of the cluster.
    pub server_version: String,
    /// Made by Temporal when the database was first used.
    pub cluster_id: String,
    /// Temporal's own name of the cluster.
    pub cluster_name: String,
    /// The number in the database, which wins over the configured one.
    pub history_shard_count: u32,
    /// Kind of the main store, such as `postgres12`.
    pub persistence_store: String,
    /// Kind of the visibility store; two are joined by a comma.
    pub visibility_store: String,
    /// Members by role, each the pod's IP and gRPC port, as gossip has reached that pod. Draining frontends are in.
    pub rings: BTreeMap<Role, BTreeSet<SocketAddr>>,
}

impl ClusterView {
    /// The members of a role.
    pub fn members(&self, role: Role) -> impl Iterator<Item = SocketAddr> + '_ {
        self.rings.get(&role).into_iter().flatten().copied()
    }

    /// Whether a pod is in the ring of a role.
    pub fn is_member(&self, role: Role, ip: IpAddr) -> bool {
        self.members(role).any(|member| member.ip() == ip)
    }
}

/// Which history host holds which shards (server 1.31 `service/history/handler.go`, `DescribeHistoryHost`).
///
/// Held means that the host has taken the shard up. It may still be acquiring it, or closing it after it has moved;
/// that an acquisition is over is told by the pod's gRPC health.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShardView {
    /// Shards by host; numbered from 1.
    pub held: BTreeMap<SocketAddr, BTreeSet<u32>>,
    /// Hosts that gave no answer, and why.
    pub silent: BTreeMap<SocketAddr, TemporalError>,
}

impl ShardView {
    /// Shards of `1..=count` that no host holds.
    pub fn unheld(&self, count: u32) -> BTreeSet<u32> {
        let held: BTreeSet<u32> = self.held.values().flatten().copied().collect();
        (1..=count).filter(|shard| !held.contains(shard)).collect()
    }

    /// Shards that more than one host holds, which is so for a moment while they move.
    pub fn contested(&self) -> BTreeSet<u32> {
        let mut seen = BTreeSet::new();
        self.held.values().flatten().copied().filter(|shard| !seen.insert(*shard)).collect()
    }

    /// Every host has answered and every shard of `1..=count` has one holder.
    pub fn is_settled(&self, count: u32) -> bool {
        self.silent.is_empty() && self.unheld(count).is_empty() && self.contested().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(last: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, last], 7234))
    }

    #[test]
    fn members_by_address() {
        let rings = BTreeMap::from([(Role::History, BTreeSet::from([host(1)]))]);
        let view = ClusterView { rings, ..ClusterView::default() };
        assert!(view.is_member(Role::History, host(1).ip()));
        assert!(!view.is_member(Role::History, host(2).ip()));
        assert!(!view.is_member(Role::Matching, host(1).ip()));
    }

    #[test]
    fn shards_settle() {
        let mut view = ShardView::default();
        assert!(!view.is_settled(4));
        view.held.insert(host(1), BTreeSet::from([1, 2, 3]));
        view.held.insert(host(2), BTreeSet::from([3]));
        assert_eq!(view.unheld(4), BTreeSet::from([4]));
        assert_eq!(view.contested(), BTreeSet::from([3]));
        view.held.insert(host(2), BTreeSet::from([4]));
        assert!(view.is_settled(4));
        let error = TemporalError::Unreachable { call: "DescribeHistoryHost", reason: "no answer".to_owned() };
        view.silent.insert(host(3), error);
        assert!(!view.is_settled(4));
    }
}
