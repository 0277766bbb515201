//! Whether workflows can be listed, and how far their list has moved to another store. They run on without it, so it has
//! no part in whether the cluster serves.

use crate::api::conditions::{Truth, whole_seconds};
use crate::api::redact::without_credentials;
use crate::api::status::{PersistenceStatus, VisibilityMove};
use crate::plan::remedies::with_remedy;
use crate::plan::rollout::Rollout;
use crate::plan::schema::SchemaPlan;
use crate::plan::verdict::Verdict;
use crate::plan::{Observed, TemporalView};
use crate::validate::{ValidCluster, ValidStore};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::{SignedDuration, Timestamp};

/// Judges the visibility stores. One that has been set up is judged by its answers alone: while its schema is updated
/// workflows are listed.
pub(super) fn assess(
    cluster: &ValidCluster,
    schema: &SchemaPlan,
    rollout: &Rollout,
    membership: &Verdict,
    seen: &Observed,
) -> Verdict {
    let is_set_up = schema.stores.visibility_store.as_ref().is_some_and(|s| s.setup);
    if let Some(pending) = schema.pending.as_ref().filter(|_| !is_set_up) {
        return Verdict::new(Truth::False, pending.reason(), pending.message.clone());
    }
    let TemporalView::Seen(answers) = &seen.temporal else {
        return Verdict::new(Truth::Unknown, membership.reason, membership.message.clone());
    };
    match failure(cluster, rollout, seen) {
        Some(why) if answers.visibility_failure.is_none() => {
            Verdict::new(Truth::False, "SecondaryVisibilityUnavailable", format!("Workflows can be listed, but {why}."))
        }
        Some(why) => Verdict::new(Truth::False, "VisibilityUnavailable", format!("Workflows run on, but {why}.")),
        None => {
            let moving = schema.stores.visibility_move.as_ref().and_then(|m| how_far(cluster, m));
            let moving = moving.map(|text| format!(" {text}")).unwrap_or_default();
            Verdict::new(Truth::True, "WorkflowsListed", format!("Workflows can be listed.{moving}"))
        }
    }
}

/// Why workflows cannot be listed, or not written to the second store; also said beside the verdict on a cluster that
/// serves.
pub(super) fn failure(cluster: &ValidCluster, rollout: &Rollout, seen: &Observed) -> Option<String> {
    let TemporalView::Seen(answers) = &seen.temporal else { return None };
    let (why, store) = match (&answers.visibility_failure, &answers.secondary_failure) {
        (Some(why), _) => (why, &cluster.visibility_store),
        (None, Some(why)) => (why, cluster.secondary_visibility_store.as_ref()?),
        (None, None) => return None,
    };
    let why = with_remedy(&without_credentials(why));
    Some(match cluster.two_visibility_stores() {
        // on the way from one config to the other each frontend has its own first store
        Some([a, b]) if !rollout.is_complete() => {
            format!("one of the visibility stores {} and {} fails: {why}", a.identity(), b.identity())
        }
        _ => format!("the {} store {} fails: {why}", store.kind.title(), store.identity()),
    })
}

/// How far the move is. It begins when a second store is named and ends when no pod knows two any more; `at_rest`: every
/// pod is proven to have the config of this manifest, and none of before is left.
pub(super) fn moving(
    cluster: &ValidCluster,
    recorded: Option<&PersistenceStatus>,
    at_rest: bool,
    now: Timestamp,
) -> Option<VisibilityMove> {
    let old = recorded.and_then(|r| r.visibility_move.as_ref());
    let Some(pair) = cluster.two_visibility_stores() else { return old.filter(|_| !at_rest).cloned() };
    let known: Vec<&str> = recorded
        .into_iter()
        .flat_map(PersistenceStatus::visibility_stores)
        .filter_map(|s| s.database.as_deref())
        .collect();
    let [first, second] = pair.map(ValidStore::identity);
    let is_known = |store: &String| known.contains(&store.as_str());
    let goes_on = old.filter(|o| [&first, &second].contains(&&o.into) && is_known(&first) && is_known(&second));
    let mut moving = goes_on.cloned().unwrap_or_else(|| {
        let into = if is_known(&second) && !is_known(&first) { first } else { second };
        VisibilityMove { into, since: None }
    });
    if at_rest && moving.since.is_none() {
        // the whole second that follows, so that nothing of before is taken for written
        moving.since = Some(Time(whole_seconds(now + SignedDuration::from_secs(1))));
    }
    Some(moving)
}

/// Whether the next step of a move hangs on pods of before.
#[must_use]
pub fn waits_for_pods(cluster: &ValidCluster, recorded: Option<&PersistenceStatus>) -> bool {
    let moving = recorded.and_then(|r| r.visibility_move.as_ref());
    moving.is_some_and(|m| m.since.is_none() || cluster.two_visibility_stores().is_none())
}

/// What is done, and what is left to be done by whom.
fn how_far(cluster: &ValidCluster, moving: &VisibilityMove) -> Option<String> {
    let [read, written] = cluster.two_visibility_stores()?.map(ValidStore::identity);
    let into = &moving.into;
    let Some(since) = &moving.since else {
        return Some(format!("{into} is written too by pods that are new; that all are, the rollout brings."));
    };
    let since = since.0;
    Some(if *into == read {
        format!(
            "They are read from {into}, written since {since}; {written} is written too, until secondaryVisibilityStore is removed."
        )
    } else {
        format!(
            "{into} is written too since {since}; workflows that have neither started, changed nor ended since are missing there, unless it was filled. Then the two blocks can change places."
        )
    })
}
