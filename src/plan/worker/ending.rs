//! The end of a worker whose Worker Deployment goes along with it: first the pods, then the versions, then the Worker
//! Deployment. Temporal removes a version only when nobody polls for it any more.

use super::numbers::{self, Planned};
use super::{Act, Decided, Fate, InTemporal, Routing, SOON, Seen, Sight, WorkerPlan, objects};
use crate::api::resident::Phase;
use crate::plan::resident::{Finalizer, HOW_TO_LET_GO, Verdict, Wake};
use crate::plan::seat::Seat;

pub(super) fn plan(sight: &Sight<'_>, seen: Option<&Seen>) -> WorkerPlan {
    let name = &sight.valid.deployment_name;
    if !sight.valid.deletes {
        return let_go(sight, format!("Worker Deployment {name} stays in Temporal."));
    }
    if let Seat::Absent(why) | Seat::Leaving(why) | Seat::Refused(why) | Seat::NoNamespace(why) = sight.seat {
        return let_go(sight, why.clone());
    }
    let Some(seen) = seen else { return wait(sight, "Nothing is known of its Worker Deployment yet.") };
    if let Some(elder) = &seen.taken_by {
        return let_go(sight, format!("Worker Deployment {name} belongs to TemporalWorker {elder}."));
    }
    let fates = seen.deployments.keys().map(|id| (id.clone(), Fate::Rests)).collect();
    let all = numbers::of(sight, seen, "", &Decided { fates, ..Decided::default() });
    let versions: Vec<Planned<'_>> = all.into_iter().filter(|v| v.deployment.is_some()).collect();
    let changes = objects::of(sight, seen, &versions);
    let pods: i32 = versions.iter().filter_map(|v| v.deployment?.status.as_ref()?.replicas).sum();
    let plan = match (&seen.temporal, sight.seat.waits_for(), pods) {
        // without an address no Deployment is changed, so pods do not end either
        (_, Some(why), _) if seen.address.is_none() => wait(sight, why),
        (_, _, 1..) => wait(sight, "Its pods end before its Worker Deployment is deleted."),
        (_, Some(why), _) => wait(sight, why),
        (InTemporal::Unknown, ..) => {
            let why = seen.silence.as_ref().map_or("Temporal was not asked yet", |silence| silence.why.as_str());
            wait(sight, &format!("Its Worker Deployment is to be deleted: {why}."))
        }
        (InTemporal::Absent, ..) => return let_go(sight, format!("Worker Deployment {name} is gone.")),
        (InTemporal::Known(routing), ..) => {
            let plan = wait(sight, &format!("Worker Deployment {name} is being deleted in Temporal."));
            WorkerPlan { acts: acts(routing), ..plan }
        }
    };
    WorkerPlan { changes, ..plan }
}

/// What new workflows go to cannot be deleted; a Worker Deployment can only when it has no versions left.
fn acts(routing: &Routing) -> Vec<Act> {
    let mut acts = Vec::new();
    if routing.ramping.is_some() {
        acts.push(Act::SetRamping(None, 0.0));
    }
    if routing.current.is_some() {
        acts.push(Act::SetCurrent(String::new()));
    }
    acts.extend(routing.versions.keys().cloned().map(Act::DeleteVersion));
    acts.push(Act::DeleteDeployment);
    acts
}

fn wait(sight: &Sight<'_>, why: &str) -> WorkerPlan {
    let verdict = Verdict::new(Phase::Deleting, "WorkerDeploymentDeleting", format!("{why} {HOW_TO_LET_GO}"));
    let plan = sight.told(verdict, sight.old.clone(), SOON);
    WorkerPlan { finalizer: Finalizer::Hold, ..plan }
}

fn let_go(sight: &Sight<'_>, why: String) -> WorkerPlan {
    let verdict = Verdict::new(Phase::Deleting, "WorkerDeploymentDeleting", why);
    let plan = sight.told(verdict, sight.old.clone(), SOON);
    WorkerPlan { finalizer: Finalizer::LetGo, wake: Wake::OnChange, ..plan }
}
