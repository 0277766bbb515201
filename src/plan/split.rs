//! Rings that have fallen apart, and the pod that is replaced to bring them together again.
//!
//! A server that starts reads from the database which servers have reported within 20 s, and joins them. After the database
//! was away nobody has: the server then takes itself for the whole cluster, and never looks again (server 1.30–1.32
//! `common/membership/ringpop/monitor.go`; temporalio/temporal#9987). Kubernetes calls it ready; a frontend has no history
//! to ask, and a history pod takes every shard from the others again and again. A pod that starts later joins both sides,
//! and so brings them together (`ringpop-go` `swim/join_sender.go`).

use super::resident::News;
use super::rollout::{address, is_member, is_ready};
use super::{Observed, ROLL_ORDER};
use crate::api::services::Role;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use std::collections::BTreeMap;

/// It is said this long before a pod is replaced. What rings know of each other mostly comes right before that, and a lost node
/// is something else.
const TOLD: SignedDuration = SignedDuration::from_secs(10);
/// A frontend that answers and knows nobody else is replaced after this time.
const ALONE: SignedDuration = SignedDuration::from_secs(20);
/// Any other pod. Kubernetes calls a pod of a lost node not ready after 40 to 50 s, and rings that a fault of the network has
/// parted find each other within that time when it is over: neither is helped by a new pod.
const APART: SignedDuration = SignedDuration::from_secs(60);
/// Longest time between two pods that are replaced. Where that does not help, something else is wrong.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_mins(10);
/// When the rings have been one for this long, what was replaced has helped.
const MENDED: SignedDuration = SignedDuration::from_mins(2);

/// What is remembered from look to look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Apart {
    /// Ready pods that the larger part of the cluster does not have in its rings: since when, by name.
    pub since: BTreeMap<String, Timestamp>,
    /// How many pods were replaced for it, and when the last one was.
    pub replaced: Option<(u32, Timestamp)>,
}

impl Apart {
    /// After another look.
    #[must_use]
    pub fn after(mut self, seen: &Observed, now: Timestamp) -> Self {
        let names = sides(seen).into_iter().flat_map(|sides| sides.small).map(|(_, pod)| pod.name_any());
        let since = |name: String| (name.clone(), self.since.get(&name).copied().unwrap_or(now));
        self.since = names.map(since).collect();
        let lasting = |(_, last): &(u32, Timestamp)| now.duration_since(*last) < MENDED;
        self.replaced = self.replaced.filter(|replaced| !self.since.is_empty() || lasting(replaced));
        self
    }

    /// After a pod was replaced.
    #[must_use]
    pub fn after_replacing(mut self, now: Timestamp) -> Self {
        self.replaced = Some((self.replaced.map_or(1, |(times, _)| times.saturating_add(1)), now));
        self
    }

    /// Since when some pod is apart.
    #[must_use]
    pub fn began(&self) -> Option<Timestamp> {
        self.since.values().min().copied()
    }

    /// When the next pod may be replaced: the longer the more were.
    fn next(&self) -> Option<Timestamp> {
        let (times, last) = self.replaced?;
        let pause = 2_i32.checked_pow(times).and_then(|factor| ALONE.checked_mul(factor));
        last.checked_add(pause.unwrap_or(LONGEST_PAUSE).min(LONGEST_PAUSE)).ok()
    }
}

/// A pod to be replaced, unless the rings find each other before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Its name.
    pub pod: String,
    /// What is wrong with it, one sentence.
    pub why: String,
    /// When it is to be replaced.
    pub due: Timestamp,
}

impl Split {
    /// That it was replaced.
    #[must_use]
    pub fn news(&self) -> News {
        let note = format!("{} It was deleted, and its successor joins all others.", self.why);
        News { reason: "PodReplaced", note, warns: true }
    }

    /// What is said before.
    #[must_use]
    pub fn message(&self) -> String {
        format!(
            "{} If that lasts it is replaced at {}, and its successor joins all others.",
            self.why,
            self.due.strftime("%H:%M:%SZ")
        )
    }
}

/// The first pod to be replaced soon.
#[must_use]
pub fn plan(seen: &Observed, now: Timestamp) -> Option<Split> {
    // the rings of two clusters on one database are one
    if seen.taken.is_some() {
        return None;
    }
    let sides = sides(seen)?;
    let patience = if sides.is_alone() { ALONE } else { APART };
    let since = |pod: &Pod| seen.apart.since.get(&pod.name_any()).copied();
    let lasting = sides.small.iter().filter_map(|(role, pod)| Some((since(pod)?, *role, *pod)));
    let (since, role, pod) = lasting.min_by_key(|(since, ..)| *since)?;
    let due = since.checked_add(patience).ok()?;
    if due.duration_since(now) > TOLD {
        return None;
    }
    Some(Split {
        pod: pod.name_any(),
        why: sides.words(role, pod),
        due: seen.apart.next().map_or(due, |next| next.max(due)),
    })
}

/// The ready pods, by whether the frontend that answered has them in their rings.
struct Sides<'a> {
    small: Vec<(Role, &'a Pod)>,
    large: usize,
    /// The frontend that answered is on the small side.
    answers: bool,
}

fn sides(seen: &Observed) -> Option<Sides<'_>> {
    let rings = seen.temporal.rings()?;
    let known = ROLL_ORDER.into_iter().filter(|role| rings.contains_key(role.name()));
    let ready = known.flat_map(|role| seen.pods_of(role.name()).map(move |pod| (role, pod)));
    let ready = ready.filter(|(_, pod)| is_ready(pod));
    let (inside, outside): (Vec<_>, Vec<_>) = ready.partition(|(role, pod)| is_member(rings, *role, pod));
    if inside.is_empty() || outside.is_empty() {
        return None;
    }
    let answers = inside.len() < outside.len();
    let (small, large) = if answers { (inside, outside) } else { (outside, inside) };
    Some(Sides { small, large: large.len(), answers })
}

impl Sides<'_> {
    fn is_alone(&self) -> bool {
        self.answers && self.small.len() == 1
    }

    fn words(&self, role: Role, pod: &Pod) -> String {
        let (name, ip) = (pod.name_any(), address(pod).unwrap_or_default());
        let others = self.small.len() - 1;
        let with = if others > 0 { format!(" with {others} others") } else { String::new() };
        format!(
            "The {role} pod {name} ({ip}) is ready, and in a ring of its own{with}, apart from {} other server pods, as happens when a server starts after the database was away.",
            self.large
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::labels;
    use crate::plan::{Membership, TemporalView};
    use rstest::rstest;
    use serde_json::json;
    use std::sync::Arc;

    fn pod(name: &str, ready: bool) -> Arc<Pod> {
        let (role, number) = name.split_once('-').unwrap();
        let status = if ready { "True" } else { "False" };
        Arc::new(
            serde_json::from_value(json!({
                "metadata": {"name": name, "labels": {(labels::COMPONENT): role}},
                "status": {"phase": "Running", "podIP": address(role, number), "conditions": [{"type": "Ready", "status": status}]},
            }))
            .unwrap(),
        )
    }

    fn address(role: &str, number: &str) -> String {
        let role = ROLL_ORDER.iter().position(|r| r.name() == role).unwrap();
        format!("10.0.{role}.{number}")
    }

    /// Ready pods, of which the frontend that answers knows some.
    fn seen(pods: &[&str], known: &[&str]) -> Observed {
        let ring = |role: Role| {
            let of_role = known.iter().filter_map(|name| name.split_once('-')).filter(|(r, _)| *r == role.name());
            (role.name().to_owned(), of_role.map(|(r, n)| format!("{}:1", address(r, n))).collect())
        };
        let rings = ROLL_ORDER.into_iter().filter(|r| !r.is_optional()).map(ring).collect();
        let temporal = TemporalView::Seen(Membership { rings, ..Membership::default() });
        Observed { pods: pods.iter().map(|name| pod(name, true)).collect(), temporal, ..Observed::default() }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// The pod and after how many seconds it is replaced.
    fn replaced(mut seen: Observed) -> Option<(String, i64)> {
        (0..200).find_map(|second| {
            seen.apart = std::mem::take(&mut seen.apart).after(&seen, at(second));
            plan(&seen, at(second)).filter(|split| split.due <= at(second)).map(|split| (split.pod, second))
        })
    }

    const ALL: [&str; 5] = ["frontend-1", "frontend-2", "history-1", "matching-1", "worker-1"];

    #[rstest]
    #[case::whole(&ALL, &ALL, None)]
    #[case::frontend_that_answers(&ALL, &["frontend-1"], Some(("frontend-1", 20)))]
    #[case::another_frontend(&ALL, &["frontend-1", "history-1", "matching-1", "worker-1"], Some(("frontend-2", 60)))]
    #[case::history(&ALL, &["frontend-1", "frontend-2", "matching-1", "worker-1"], Some(("history-1", 60)))]
    #[case::small_side_answers(&ALL, &["frontend-1", "history-1"], Some(("history-1", 60)))]
    #[case::halves(&ALL[1..], &["frontend-2", "history-1"], Some(("matching-1", 60)))]
    #[case::nobody_there_is_known(&ALL, &["frontend-9"], None)]
    fn of_two_rings_a_pod_of_the_smaller_one_is_replaced(
        #[case] pods: &[&str],
        #[case] known: &[&str],
        #[case] wanted: Option<(&str, i64)>,
    ) {
        assert_eq!(replaced(seen(pods, known)), wanted.map(|(pod, second)| (pod.to_owned(), second)));
    }

    #[test]
    fn pods_that_are_not_ready_or_end_do_not_count() {
        let mut seen = seen(&ALL, &ALL[..4]);
        seen.pods[4] = pod("worker-1", false);
        assert_eq!(replaced(seen.clone()), None);
        let mut ending = (*pod("worker-1", true)).clone();
        ending.metadata.deletion_timestamp = Some(serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap());
        seen.pods[4] = Arc::new(ending);
        assert_eq!(replaced(seen), None);
    }

    #[test]
    fn nothing_is_said_of_what_passes() {
        let (mut seen, whole) = (seen(&ALL, &ALL[..1]), seen(&ALL, &ALL));
        seen.apart = Apart::default().after(&seen, at(0));
        assert_eq!(plan(&seen, at(9)), None);
        let split = plan(&seen, at(10)).unwrap();
        assert_eq!(
            split.message(),
            "The frontend pod frontend-1 (10.0.3.1) is ready, and in a ring of its own, apart from 4 other server pods, as happens when a server starts after the database was away. If that lasts it is replaced at 00:00:20Z, and its successor joins all others."
        );
        // the time begins anew
        seen.apart = seen.apart.clone().after(&whole, at(11)).after(&seen, at(12));
        assert_eq!(plan(&seen, at(21)), None);
        seen.taken = Some(crate::plan::neighbours::Taken { database: "d".into(), by: "c".into() });
        assert_eq!(plan(&seen, at(90)), None, "the other ring may be another cluster's");
    }

    #[test]
    fn what_does_not_help_is_done_ever_less_often() {
        let (mut seen, whole) = (seen(&ALL, &ALL[..1]), seen(&ALL, &ALL));
        let mut times = Vec::new();
        for second in 0..3600 {
            seen.apart = std::mem::take(&mut seen.apart).after(&seen, at(second));
            if plan(&seen, at(second)).is_some_and(|split| split.due <= at(second)) {
                times.push(second);
                seen.apart = std::mem::take(&mut seen.apart).after_replacing(at(second));
            }
        }
        assert_eq!(times, [20, 60, 140, 300, 620, 1220, 1820, 2420, 3020]);
        assert!(seen.apart.clone().after(&whole, at(3139)).replaced.is_some());
        assert_eq!(seen.apart.after(&whole, at(3140)), Apart::default(), "that has helped");
    }
}
