//! What of a namespace differs, and what of that Temporal cannot change.

use super::{Change, LiveNamespace};
use crate::validate::{ValidNamespace, duration};
use std::collections::BTreeMap;

/// The change to make, with the names of what it changes; and notes on what stays although the manifest does not have it.
pub(super) fn of(valid: &ValidNamespace, live: &LiveNamespace) -> (Option<(Change, Vec<String>)>, Vec<String>) {
    let mut change = Change::default();
    let mut what = Vec::new();
    let mut notes = Vec::new();
    if valid.retention != live.retention {
        change.retention = Some(valid.retention);
        let (old, new) = (duration::write(live.retention), duration::write(valid.retention));
        what.push(format!("retention from {old} to {new}"));
    }
    change.description = text("description", valid.description.as_deref(), &live.description, &mut notes);
    change.owner_email = text("ownerEmail", valid.owner_email.as_deref(), &live.owner_email, &mut notes);
    what.extend(change.description.as_ref().map(|_| "description".to_owned()));
    what.extend(change.owner_email.as_ref().map(|_| "ownerEmail".to_owned()));
    let wanted = valid.data.clone().unwrap_or_default();
    let extra: Vec<&str> = live.data.keys().filter(|key| !wanted.contains_key(*key)).map(String::as_str).collect();
    if !extra.is_empty() {
        notes.push(format!(
            "Keys of data that the manifest does not have stay, since Temporal cannot remove them: {}.",
            extra.join(", ")
        ));
    }
    change.data =
        wanted.into_iter().filter(|(key, value)| live.data.get(key) != Some(value)).collect::<BTreeMap<_, _>>();
    if !change.data.is_empty() {
        what.push(format!("data {}", change.data.keys().cloned().collect::<Vec<_>>().join(", ")));
    }
    ((!what.is_empty()).then_some((change, what)), notes)
}

/// The new text, if it differs and Temporal can be told: an empty one stands for no change.
fn text(field: &str, wanted: Option<&str>, live: &str, notes: &mut Vec<String>) -> Option<String> {
    let wanted = wanted.unwrap_or_default();
    if wanted.is_empty() && !live.is_empty() {
        notes.push(format!("The {field} that Temporal has stays, since it cannot be cleared; give another one."));
    }
    (!wanted.is_empty() && wanted != live).then(|| wanted.to_owned())
}
