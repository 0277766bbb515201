//! Search attributes: which are missing, which are too many, which cannot be, and from when on they can be used.

use super::{LiveNamespace, Seen, Sight};
use crate::api::conditions::whole_seconds;
use crate::api::namespace::AttributeType;
use crate::plan::seat::AttributeStore;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::SignedDuration;
use std::collections::BTreeMap;

/// When every server knows a new attribute. Columns are read with the namespace, every 2 s
/// (`system.namespaceCacheRefreshInterval`); fields of an index every 60 s.
const COLUMNS_KNOWN: SignedDuration = SignedDuration::from_secs(5);
const INDEX_KNOWN: SignedDuration = SignedDuration::from_secs(65);

/// What is to be done about search attributes.
#[derive(Default)]
pub(super) struct Attributes {
    /// To be added.
    pub(super) missing: BTreeMap<String, AttributeType>,
    /// To be removed.
    pub(super) obsolete: Vec<String>,
    /// Declared by this resource, now or earlier, and there.
    pub(super) known: BTreeMap<String, AttributeType>,
    /// How many more there is room for, by type.
    pub(super) left: BTreeMap<String, i32>,
    /// From when on every server knows them; none when that is past.
    pub(super) usable_from: Option<Time>,
    /// Why the manifest cannot be carried out: a reason and a sentence.
    pub(super) trouble: Option<(&'static str, String)>,
    /// What stays.
    pub(super) notes: Vec<String>,
}

pub(super) fn of(sight: &Sight<'_>, live: &LiveNamespace, seen: &Seen, store: &AttributeStore) -> Attributes {
    let (wanted, present, old) = (&sight.valid.attributes, &seen.attributes, &sight.old.search_attributes);
    let mut plan = Attributes { left: room(live, store), ..Attributes::default() };
    let mut conflicts = Vec::new();
    let mut fresh = false;
    for (name, type_) in wanted {
        match present.get(name) {
            None => drop(plan.missing.insert(name.clone(), *type_)),
            Some(there) if there == type_ => {
                fresh |= !old.contains_key(name);
                plan.known.insert(name.clone(), *type_);
            }
            Some(there) => conflicts.push(format!("{name} is {there} in Temporal and {type_} in the manifest")),
        }
    }
    withdraw(sight, seen, store, &mut plan);
    let full = take_room(&mut plan);
    if !conflicts.is_empty() {
        let message = format!(
            "Temporal cannot change the type of a search attribute: {}; give the manifest the type that is there, or another name.",
            conflicts.join(", ")
        );
        plan.trouble = Some(("SearchAttributeConflict", message));
    } else if !full.is_empty() {
        let message = format!(
            "The visibility store has no room for search attribute {}: a SQL store has so many columns of each type; declare fewer, or use Keyword where it will do.",
            full.join(", ")
        );
        plan.trouble = Some(("SearchAttributesExhausted", message));
    }
    plan.usable_from = usable_from(sight, store, fresh);
    plan
}

/// Those that were declared and are no longer.
fn withdraw(sight: &Sight<'_>, seen: &Seen, store: &AttributeStore, plan: &mut Attributes) {
    let valid = sight.valid;
    let is_left = |(name, type_): &(&String, &AttributeType)| {
        !valid.attributes.contains_key(*name) && seen.attributes.get(*name) == Some(*type_)
    };
    let mut stay = Vec::new();
    let mut shared = Vec::new();
    for (name, type_) in sight.old.search_attributes.iter().filter(is_left) {
        let is_shared = *store == AttributeStore::Index && seen.shared.contains(name);
        if valid.removes_attributes && !is_shared {
            plan.obsolete.push(name.clone());
            continue;
        }
        if is_shared {
            shared.push(name)
        } else {
            stay.push(name)
        }
        plan.known.insert(name.clone(), *type_);
    }
    if !stay.is_empty() {
        plan.notes.push(format!(
            "Search attributes that are declared no longer stay ({}); spec.allowSearchAttributeDeletion: true removes them.",
            names(stay)
        ));
    }
    if !shared.is_empty() {
        plan.notes.push(format!(
            "Search attributes that are declared no longer stay ({}): they are the whole cluster's, and other resources declare them.",
            names(shared)
        ));
    }
}

/// Columns that are free, by type; nothing where there is no limit.
fn room(live: &LiveNamespace, store: &AttributeStore) -> BTreeMap<String, i32> {
    let AttributeStore::Columns(columns) = store else { return BTreeMap::new() };
    let mut left: BTreeMap<String, i32> = columns.iter().map(|(type_, n)| (type_.name().to_owned(), *n)).collect();
    for type_ in live.columns.keys().filter_map(|column| type_of_column(column)) {
        if let Some(n) = left.get_mut(type_.name()) {
            *n = (*n - 1).max(0);
        }
    }
    left
}

/// Takes those for which there is no column off the missing ones; their names and types.
fn take_room(plan: &mut Attributes) -> Vec<String> {
    if plan.left.is_empty() {
        return Vec::new();
    }
    let mut left = plan.left.clone();
    let mut full = Vec::new();
    plan.missing.retain(|name, type_| {
        let n = left.entry(type_.name().to_owned()).or_default();
        *n -= 1;
        let fits = *n >= 0;
        if !fits {
            full.push(format!("{name} ({type_})"));
        }
        fits
    });
    full
}

/// An attribute that is seen for the first time may be known to one server only.
fn usable_from(sight: &Sight<'_>, store: &AttributeStore, fresh: bool) -> Option<Time> {
    let known_after = if *store == AttributeStore::Index { INDEX_KNOWN } else { COLUMNS_KNOWN };
    if fresh {
        return Some(Time(whole_seconds(sight.now + known_after)));
    }
    sight.old.usable_from.clone().filter(|at| at.0 > sight.now)
}

/// `KeywordList01` → `KeywordList`.
#[must_use]
pub fn type_of_column(column: &str) -> Option<AttributeType> {
    let name = column.trim_end_matches(|c: char| c.is_ascii_digit());
    AttributeType::ALL.into_iter().find(|type_| type_.name() == name)
}

pub(super) fn names<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    names.into_iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}
