//! Whether workflows can be listed. They run on without it, so it has no part in whether the cluster serves.

use crate::api::conditions::Truth;
use crate::api::redact::without_credentials;
use crate::plan::health::Verdict;
use crate::plan::remedies::with_remedy;
use crate::plan::schema::SchemaPlan;
use crate::plan::{Observed, TemporalView};
use crate::validate::ValidCluster;

/// Judges the visibility store. One that has been set up is judged by its answers alone: while its schema is updated
/// workflows are listed.
pub(super) fn assess(cluster: &ValidCluster, schema: &SchemaPlan, membership: &Verdict, seen: &Observed) -> Verdict {
    let is_set_up = schema.stores.visibility_store.as_ref().is_some_and(|s| s.setup);
    if let Some(pending) = schema.pending.as_ref().filter(|_| !is_set_up) {
        return Verdict::new(Truth::False, pending.reason(), pending.message.clone());
    }
    match &seen.temporal {
        TemporalView::NotAsked | TemporalView::Silent { .. } => {
            Verdict::new(Truth::Unknown, membership.reason, membership.message.clone())
        }
        TemporalView::Seen(_) => match failure(cluster, seen) {
            Some(why) => Verdict::new(Truth::False, "VisibilityUnavailable", format!("Workflows run on, but {why}.")),
            None => Verdict::new(Truth::True, "WorkflowsListed", "Workflows can be listed."),
        },
    }
}

/// Why workflows cannot be listed; also said beside the verdict on a cluster that serves.
pub(super) fn failure(cluster: &ValidCluster, seen: &Observed) -> Option<String> {
    let TemporalView::Seen(membership) = &seen.temporal else { return None };
    let why = with_remedy(&without_credentials(membership.visibility_failure.as_ref()?));
    Some(format!("the visibility store {} fails: {why}", cluster.visibility_store.identity()))
}
