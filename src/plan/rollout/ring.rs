//! Temporal's part of a role's proof: its ring holds the pods that should be in it, and all shards are owned.

use crate::api::services::Role;
use crate::plan::{Membership, Observed, Rings, TemporalView};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use std::collections::BTreeSet;

/// Whether Temporal agrees. Without any frontend there is nobody to ask. A frontend that is not rolled yet does not know the
/// ring of an internal frontend that is new.
pub(super) fn agrees(role: Role, pods: i32, seen: &Observed) -> bool {
    match &seen.temporal {
        TemporalView::NotAsked => true,
        TemporalView::Silent { .. } => false,
        TemporalView::Seen(m) => {
            (difference(role, pods, m, seen).is_none() || !m.knows(role))
                && m.owned_shards == m.shards
                && are_all_seen(role, pods, seen)
        }
    }
}

/// How the ring of a role differs from the pods that should be in it, one sentence. Where the pods are known, by address:
/// those that are ending may be in it or not. History and matching pods leave at the next common moment of the clock, which
/// comes before a new pod of another role could take anything over. What others than they leave behind holds nothing up.
#[must_use]
pub fn difference(role: Role, pods: i32, membership: &Membership, seen: &Observed) -> Option<String> {
    let members = membership.members(role);
    let counted = || {
        let text = format!("Temporal's ring of the {role} role has {members} members, {pods} pods should be in it.");
        (members != pods).then_some(text)
    };
    let known: Vec<&Pod> = present(role, seen).collect();
    if known.is_empty() {
        return counted();
    }
    let ring = addresses(&membership.rings, role);
    let all: BTreeSet<&str> = known.iter().filter_map(|p| address(p)).collect();
    let living: BTreeSet<&str> = known.iter().filter(|p| !is_ending(p)).filter_map(|p| address(p)).collect();
    if let Some(missing) = living.difference(&ring).next() {
        let text = format!("A {role} pod ({missing}) is not in Temporal's ring, which has {members} members.");
        return Some(text);
    }
    ring.difference(&all).next().filter(|_| role.shares_out()).map(|ip| {
        format!("Temporal's ring of the {role} role has {members} members, one of which ({ip}) is no pod any more; {pods} pods should be in it.")
    })
}

/// An address in the ring of a role whose pods share nothing out that is no pod any more. Frontend and worker pods end
/// without a word to the others (server 1.30–1.32 `service/{frontend,worker}/service.go`), who take 5 to 15 s to find
/// out; nothing hangs on it.
#[must_use]
pub fn left_behind(role: Role, membership: &Membership, seen: &Observed) -> Option<String> {
    let pods: BTreeSet<&str> = present(role, seen).filter_map(address).collect();
    let left = addresses(&membership.rings, role).into_iter().find(|ip| !pods.contains(ip));
    left.filter(|_| !role.shares_out() && !pods.is_empty()).map(str::to_owned)
}

/// Address of a pod that was made since then and is ready for Kubernetes, but not in its ring, as far as Temporal answers.
pub(super) fn newcomer_outside(role: Role, since: Timestamp, seen: &Observed) -> Option<String> {
    let TemporalView::Seen(membership) = &seen.temporal else { return None };
    let ring = addresses(&membership.rings, role);
    let is_new = |pod: &&Pod| pod.metadata.creation_timestamp.as_ref().is_some_and(|t| t.0 >= since);
    let newcomers = seen.pods_of(role.name()).filter(|p| membership.knows(role) && is_new(p) && is_ready(p));
    newcomers.filter_map(address).find(|ip| !ring.contains(ip)).map(str::to_owned)
}

/// Whether a pod is in the ring of its role.
pub(in crate::plan) fn is_member(rings: &Rings, role: Role, pod: &Pod) -> bool {
    address(pod).is_some_and(|ip| addresses(rings, role).contains(ip))
}

fn addresses(rings: &Rings, role: Role) -> BTreeSet<&str> {
    rings.get(role.name()).into_iter().flatten().map(|member| ip_of(member)).collect()
}

/// Ready and not on its way out.
pub(in crate::plan) fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|s| s.conditions.as_deref()).unwrap_or_default();
    !is_ending(pod) && conditions.iter().any(|c| c.type_ == "Ready" && c.status == "True")
}

/// What is seen of the pods may be older than what is seen of their Deployment; then some are not there yet.
fn are_all_seen(role: Role, pods: i32, seen: &Observed) -> bool {
    let living = present(role, seen).filter(|p| !is_ending(p)).count();
    seen.pods.is_empty() || i32::try_from(living).is_ok_and(|living| living >= pods)
}

/// The address of a pod that has one.
pub(in crate::plan) fn address(pod: &Pod) -> Option<&str> {
    pod.status.as_ref()?.pod_ip.as_deref()
}

/// The pods of a role that have not ended for good.
fn present(role: Role, seen: &Observed) -> impl Iterator<Item = &Pod> {
    seen.pods_of(role.name()).filter(|p| !is_over(p))
}

/// On its way out.
pub(in crate::plan) fn is_ending(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_some()
}

/// Ended for good, its address may be another's.
fn is_over(pod: &Pod) -> bool {
    pod.status.as_ref().and_then(|s| s.phase.as_deref()).is_some_and(|p| ["Failed", "Succeeded"].contains(&p))
}

/// `10.0.0.1:7233` or `[fd00::1]:7233` without port and brackets.
fn ip_of(member: &str) -> &str {
    member.rsplit_once(':').map_or(member, |(ip, _)| ip).trim_start_matches('[').trim_end_matches(']')
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use rstest::rstest;
    use serde_json::json;
    use std::sync::Arc;

    fn pod(role: Role, ip: &str, leaving: bool) -> Pod {
        let labels = json!({"app.kubernetes.io/component": role.name()});
        let mut pod: Pod = serde_json::from_value(
            json!({"metadata": {"name": ip, "labels": labels}, "status": {"phase": "Running", "podIP": ip}}),
        )
        .unwrap();
        if leaving {
            pod.metadata.deletion_timestamp = Some(serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap());
        }
        pod
    }

    #[rstest]
    #[case::all(Role::History, &["1", "2"], &[], &["1", "2"], true)]
    #[case::missing(Role::History, &["1", "2"], &[], &["1"], false)]
    #[case::leaving(Role::History, &["2"], &["1"], &["1", "2"], true)]
    #[case::has_left(Role::History, &["2"], &["1"], &["2"], true)]
    #[case::draining(Role::Frontend, &["2"], &["1"], &["1", "2"], true)]
    #[case::dead(Role::History, &["2"], &[], &["1", "2"], false)]
    #[case::dead_without_work(Role::Frontend, &["2"], &[], &["1", "2"], true)]
    #[case::right_number_wrong_pods(Role::Matching, &["2", "3"], &["1"], &["1", "2"], false)]
    fn by_address(
        #[case] role: Role,
        #[case] living: &[&str],
        #[case] leaving: &[&str],
        #[case] ring: &[&str],
        #[case] agrees: bool,
    ) {
        let ip = |n: &str| format!("10.0.0.{n}");
        let pods =
            living.iter().map(|n| pod(role, &ip(n), false)).chain(leaving.iter().map(|n| pod(role, &ip(n), true)));
        let seen = Observed { pods: pods.map(Arc::new).collect(), ..Observed::default() };
        let rings = [(role.name().to_owned(), ring.iter().map(|n| format!("{}:7234", ip(n))).collect())].into();
        let membership = Membership { rings, ..Membership::default() };
        let wanted = i32::try_from(living.len()).unwrap();
        let said = difference(role, wanted, &membership, &seen);
        assert_eq!(said.is_none(), agrees, "{said:?}");
        let rest = ring.iter().find(|n| !living.contains(n) && !leaving.contains(n)).map(|n| ip(n));
        assert_eq!(left_behind(role, &membership, &seen), rest.filter(|_| role == Role::Frontend));
    }

    #[rstest]
    #[case::joined(5, "True", &["10.0.0.1:7234"], false)]
    #[case::not_yet(5, "True", &[], true)]
    #[case::not_ready(5, "False", &[], false)]
    #[case::of_before(-5, "True", &[], false)]
    fn a_newcomer(#[case] made: i64, #[case] ready: &str, #[case] ring: &[&str], #[case] awaited: bool) {
        let since = Timestamp::from_second(1_000).unwrap();
        let mut pod = pod(Role::Matching, "10.0.0.1", false);
        pod.metadata.creation_timestamp = Some(Time(Timestamp::from_second(1_000 + made).unwrap()));
        pod.status.as_mut().unwrap().conditions =
            serde_json::from_value(json!([{"type": "Ready", "status": ready}])).unwrap();
        let rings = [(Role::Matching.name().to_owned(), ring.iter().map(|m| (*m).to_owned()).collect())].into();
        let temporal = TemporalView::Seen(Membership { rings, ..Membership::default() });
        let seen = Observed { pods: vec![Arc::new(pod)], temporal, ..Observed::default() };
        assert_eq!(newcomer_outside(Role::Matching, since, &seen).is_some(), awaited);
    }

    #[test]
    fn pods_that_are_not_seen_yet_are_waited_for() {
        let rings = [(Role::History.name().to_owned(), ["10.0.0.1:7234".to_owned()].into())].into();
        let temporal = TemporalView::Seen(Membership { rings, ..Membership::default() });
        let pods = vec![Arc::new(pod(Role::History, "10.0.0.1", false))];
        let seen = Observed { pods, temporal, ..Observed::default() };
        assert!(agrees(Role::History, 1, &seen));
        assert!(!agrees(Role::History, 2, &seen));
    }

    #[test]
    fn addresses_of_both_families() {
        assert_eq!(ip_of("10.0.0.1:7233"), "10.0.0.1");
        assert_eq!(ip_of("[fd00::1]:7233"), "fd00::1");
    }
}
