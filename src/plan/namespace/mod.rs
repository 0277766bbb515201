//! The plan of a `TemporalNamespace`: from what is wanted and what Temporal has to what is written there.

mod attributes;
mod change;
mod deletion;

use super::Changes;
use super::resident::{Finalizer, News, ResidentPlan, Verdict, Wake, unseated};
use super::seat::{AttributeStore, Seat};
use crate::api::TemporalNamespaceStatus;
use crate::api::namespace::{AttributeType, Token};
use crate::api::resident::Phase;
use crate::validate::{ValidNamespace, duration};
use attributes::Attributes;
pub use attributes::type_of_column;
use k8s_openapi::jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A namespace as Temporal has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LiveNamespace {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: String,
    /// What it is for.
    pub description: String,
    /// Whom to ask.
    pub owner_email: String,
    /// Keys and values that go with it.
    pub data: BTreeMap<String, String>,
    /// How long closed workflows are kept.
    pub retention: Duration,
    /// Of a SQL store: names of search attributes by their columns.
    pub columns: BTreeMap<String, String>,
}

/// What a namespace is registered with.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Registration {
    pub name: String,
    pub description: String,
    pub owner_email: String,
    pub data: BTreeMap<String, String>,
    pub retention: Duration,
    pub security_token: Token,
}

/// What of a namespace is changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Change {
    pub description: Option<String>,
    pub owner_email: Option<String>,
    pub data: BTreeMap<String, String>,
    pub retention: Option<Duration>,
}

/// A write to Temporal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Registers the namespace.
    Register(Registration),
    /// Changes it.
    Update(Change),
    /// Adds search attributes.
    AddAttributes(BTreeMap<String, AttributeType>),
    /// Removes search attributes.
    RemoveAttributes(Vec<String>),
    /// Deletes it, with every workflow in it.
    Delete,
}

/// What is seen of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// The namespace, if Temporal has it.
    pub live: Option<LiveNamespace>,
    /// Search attributes that it can use.
    pub attributes: BTreeMap<String, AttributeType>,
    /// Another resource for the same namespace that came first, as `namespace/name`.
    pub elder: Option<String>,
    /// Search attributes of an index that other resources declare.
    pub shared: BTreeSet<String>,
    /// How many workflows are open; asked before a deletion, and unknown when that is not answered.
    pub open: Option<u64>,
}

/// The plan of a namespace.
pub type NamespacePlan = ResidentPlan<Act, TemporalNamespaceStatus>;

/// What a plan is made from.
struct Sight<'a> {
    valid: &'a ValidNamespace,
    generation: Option<i64>,
    old: &'a TemporalNamespaceStatus,
    now: Timestamp,
}

/// Plans the next step of a namespace. `held`: a finalizer of ours is on the resource.
#[must_use]
pub fn plan(
    valid: &ValidNamespace,
    (generation, held): (Option<i64>, bool),
    seat: &Seat,
    seen: Option<&Seen>,
    old: &TemporalNamespaceStatus,
    now: Timestamp,
) -> NamespacePlan {
    let sight = Sight { valid, generation, old, now };
    if valid.deleting {
        return deletion::plan(&sight, seat, seen);
    }
    let (Some(home), Some(seen)) = (seat.home(), seen) else {
        let nothing = || Verdict::new(Phase::Pending, "ClusterNotReady", "Nothing is known of the cluster yet.");
        let wake = Wake::without_home(seat, false);
        return sight.told(unseated(seat).unwrap_or_else(nothing), old.clone(), wake, valid.deletes && held);
    };
    if let Some(elder) = &seen.elder {
        let message = format!(
            "Namespace {} of TemporalCluster {} belongs to TemporalNamespace {elder}, which came first; delete one of the two.",
            valid.name, valid.cluster
        );
        let status =
            TemporalNamespaceStatus { conditions: old.conditions.clone(), ..TemporalNamespaceStatus::default() };
        return sight.told(Verdict::new(Phase::Failed, "NamespaceTaken", message), status, Wake::OnChange, false);
    }
    match &seen.live {
        None => register(&sight),
        Some(live) => keep(&sight, live, seen, &home.host.attributes),
    }
}

impl Sight<'_> {
    /// A plan without writes.
    fn told(&self, verdict: Verdict, mut status: TemporalNamespaceStatus, wake: Wake, hold: bool) -> NamespacePlan {
        verdict.into_status(&mut status, self.generation, self.now);
        let finalizer = if hold { Finalizer::Hold } else { Finalizer::LetGo };
        let changes = Changes::default();
        ResidentPlan { changes, acts: Vec::new(), tell_first: false, finalizer, status, news: Vec::new(), wake }
    }

    /// The manifest was carried out before: what differs now was changed by somebody else.
    fn was_done(&self) -> bool {
        self.old.phase == Some(Phase::Ready) && self.old.observed_generation == self.generation
    }
}

fn register(sight: &Sight<'_>) -> NamespacePlan {
    let valid = sight.valid;
    let registration = Registration {
        name: valid.name.clone(),
        description: valid.description.clone().unwrap_or_default(),
        owner_email: valid.owner_email.clone().unwrap_or_default(),
        data: valid.data.clone().unwrap_or_default(),
        retention: valid.retention,
        security_token: valid.security_token.clone().unwrap_or_default(),
    };
    let verdict =
        Verdict::new(Phase::Pending, "Registering", format!("Registers namespace {} in Temporal.", valid.name));
    let lost = sight.was_done();
    let status =
        TemporalNamespaceStatus { conditions: sight.old.conditions.clone(), ..TemporalNamespaceStatus::default() };
    let plan = sight.told(verdict, status, Wake::AtNextLook, valid.deletes);
    let news = lost.then(|| News {
        reason: "DriftCorrected",
        note: format!(
            "Namespace {} was gone from Temporal; it is registered anew, without the workflows it had.",
            valid.name
        ),
        warns: true,
    });
    NamespacePlan { acts: vec![Act::Register(registration)], news: news.into_iter().collect(), ..plan }
}

/// The namespace is there: what differs is put right, what cannot be is told.
fn keep(sight: &Sight<'_>, live: &LiveNamespace, seen: &Seen, store: &AttributeStore) -> NamespacePlan {
    let valid = sight.valid;
    let (update, mut notes) = change::of(valid, live);
    let attributes = attributes::of(sight, live, seen, store);
    notes.extend(attributes.notes.iter().cloned());
    let mut acts = Vec::new();
    let mut corrected = Vec::new();
    if let Some((change, what)) = update {
        acts.push(Act::Update(change));
        corrected.extend(what);
    }
    if !attributes.missing.is_empty() {
        corrected.push(format!("search attributes {}", attributes::names(attributes.missing.keys())));
        acts.push(Act::AddAttributes(attributes.missing.clone()));
    }
    if !attributes.obsolete.is_empty() {
        acts.push(Act::RemoveAttributes(attributes.obsolete.clone()));
    }
    let status = TemporalNamespaceStatus {
        namespace_id: Some(live.id.clone()),
        search_attributes: attributes.known.clone(),
        search_attributes_left: attributes.left.clone(),
        usable_from: attributes.usable_from.clone(),
        ..sight.old.clone()
    };
    let (verdict, wake) = verdict(sight, &acts, &attributes, &notes);
    let plan = sight.told(verdict, status, wake, valid.deletes);
    let news = (sight.was_done() && !corrected.is_empty()).then(|| News {
        reason: "DriftCorrected",
        note: format!("Somebody else changed the namespace in Temporal; put right: {}.", corrected.join(", ")),
        warns: true,
    });
    NamespacePlan { acts, news: news.into_iter().collect(), ..plan }
}

fn verdict(sight: &Sight<'_>, acts: &[Act], attributes: &Attributes, notes: &[String]) -> (Verdict, Wake) {
    let valid = sight.valid;
    if let Some((reason, trouble)) = &attributes.trouble {
        return (Verdict::new(Phase::Failed, reason, trouble), Wake::AtNextLook);
    }
    if !acts.is_empty() {
        return (Verdict::new(Phase::Pending, "Updating", "A change is being sent to Temporal."), Wake::AtNextLook);
    }
    if let Some(at) = &attributes.usable_from {
        let left = at.0.duration_since(sight.now).unsigned_abs();
        let message =
            "The namespace is there; its new search attributes can be used in a moment, when every server knows them.";
        let wake = Wake::After(left + Duration::from_secs(1));
        return (Verdict::new(Phase::Pending, "SearchAttributesPending", message), wake);
    }
    let mut message = format!("Temporal has the namespace, with a retention of {}", duration::write(valid.retention));
    match valid.attributes.len() {
        0 => message.push('.'),
        1 => message.push_str(" and 1 search attribute."),
        many => message.push_str(&format!(" and {many} search attributes.")),
    }
    for note in notes {
        message.push(' ');
        message.push_str(note);
    }
    (Verdict::new(Phase::Ready, "NamespaceReady", message), Wake::AtNextLook)
}

#[cfg(test)]
mod tests;
