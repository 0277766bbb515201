//! The end of a namespace: nothing is deleted that the manifest does not say, and nothing waits without saying for what.

use super::{Act, NamespacePlan, Seen, Sight};
use crate::api::resident::Phase;
use crate::plan::resident::{HOW_TO_LET_GO, Verdict, Wake};
use crate::plan::seat::Seat;

pub(super) fn plan(sight: &Sight<'_>, seat: &Seat, seen: Option<&Seen>) -> NamespacePlan {
    let name = &sight.valid.name;
    if !sight.valid.deletes {
        return let_go(sight, format!("Namespace {name} stays in Temporal."));
    }
    let waits = |reason, why: &str| {
        let verdict = Verdict::new(Phase::Deleting, reason, format!("{why} {HOW_TO_LET_GO}"));
        sight.told(verdict, sight.old.clone(), Wake::without_home(seat, true), true)
    };
    match (seat, seen) {
        (Seat::Absent(why) | Seat::Leaving(why) | Seat::Refused(why) | Seat::NoNamespace(why), _) => {
            let_go(sight, why.clone())
        }
        (seat, seen) => match (seat.waits_for(), seen) {
            (Some(why), _) => waits("ClusterNotReady", &format!("Namespace {name} is to be deleted. {why}")),
            (None, None) => waits("ClusterNotReady", "Nothing is known of the namespace yet."),
            (None, Some(seen)) if seen.elder.is_some() || seen.live.is_none() => {
                let_go(sight, format!("Namespace {name} is not this resource's in Temporal, or gone."))
            }
            (None, Some(seen)) => delete(sight, seen),
        },
    }
}

/// How many workflows end with it is said before it is done.
fn delete(sight: &Sight<'_>, seen: &Seen) -> NamespacePlan {
    let open = match seen.open {
        Some(0) => "no open workflow".to_owned(),
        Some(1) => "1 open workflow".to_owned(),
        Some(many) => format!("{many} open workflows"),
        None => "an unknown number of open workflows".to_owned(),
    };
    let message = format!("Deletes namespace {} from Temporal, with {open}.", sight.valid.name);
    let verdict = Verdict::new(Phase::Deleting, "NamespaceDeleting", message);
    let plan = sight.told(verdict, sight.old.clone(), Wake::AtNextLook, true);
    NamespacePlan { acts: vec![Act::Delete], tell_first: true, ..plan }
}

fn let_go(sight: &Sight<'_>, why: String) -> NamespacePlan {
    let verdict = Verdict::new(Phase::Deleting, "NamespaceDeleting", why);
    sight.told(verdict, sight.old.clone(), Wake::OnChange, false)
}
