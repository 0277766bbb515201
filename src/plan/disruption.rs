//! How many server pods may be evicted at a time.

use super::rollout::RoleState;
use crate::api::TemporalClusterStatus;
use crate::api::conditions::{self, SERVICES_READY};
use k8s_openapi::jiff::{SignedDuration, Timestamp};

/// Pods that have been missing for so long do not come soon: there is no node for them, or they cannot start.
const STUCK: SignedDuration = SignedDuration::from_mins(5);

/// One pod of the cluster: when a node is drained, shards, task queues and clients move as in a rollout, one after the
/// other, and not four servers start at once. Pods that are missing for long are not counted, so that they hold up no drain of the
/// other nodes, unless a role that has several pods would be left without one.
pub(super) fn evictable(old: &TemporalClusterStatus, roles: &[RoleState], now: Timestamp) -> i32 {
    let is_stuck = conditions::untrue_for(&old.conditions, SERVICES_READY, now).is_some_and(|time| time >= STUCK);
    let spares = |role: &RoleState| role.wanted < 2 || role.ready > 1;
    if is_stuck && roles.iter().all(spares) { 1 + missing(roles) } else { 1 }
}

fn missing(roles: &[RoleState]) -> i32 {
    roles.iter().map(|role| (role.wanted - role.ready).max(0)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::conditions::Truth;
    use crate::api::services::Role;
    use crate::plan::rollout::Progress;
    use rstest::rstest;

    fn role(role: Role, (ready, wanted): (i32, i32)) -> RoleState {
        RoleState { role, progress: Progress::Rolling, wanted, ready, proven: false, outside: None, version: None }
    }

    #[rstest]
    #[case::all_there((3, 3), (3, 3), Truth::True, 3_600, 1)]
    #[case::one_gone_a_moment_ago((2, 3), (3, 3), Truth::False, 299, 1)]
    #[case::one_gone_for_long((2, 3), (3, 3), Truth::False, 300, 2)]
    #[case::two_gone_for_long((2, 3), (2, 3), Truth::False, 300, 3)]
    #[case::the_last_of_two((1, 2), (3, 3), Truth::False, 300, 1)]
    #[case::a_role_of_one((0, 1), (3, 3), Truth::False, 300, 2)]
    #[case::all_there_and_one_more((4, 3), (3, 3), Truth::False, 300, 1)]
    fn evictions(
        #[case] history: (i32, i32),
        #[case] matching: (i32, i32),
        #[case] complete: Truth,
        #[case] since: i64,
        #[case] expected: i32,
    ) {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut old = TemporalClusterStatus::default();
        conditions::set(&mut old.conditions, SERVICES_READY, complete, ("R", "m"), None, at(1_000));
        let roles = [role(Role::History, history), role(Role::Matching, matching)];
        assert_eq!(evictable(&old, &roles, at(1_000 + since)), expected);
    }
}
