//! Condition types and the rule that times change only on transitions.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::{SignedDuration, Timestamp};

/// The cluster serves: schema, roles and Temporal's own membership are proven.
pub const READY: &str = "Ready";
/// The operator is at work on a change (kstatus).
pub const RECONCILING: &str = "Reconciling";
/// Nothing will change until somebody acts (kstatus).
pub const STALLED: &str = "Stalled";
/// Every store has the schema of the wanted version.
pub const SCHEMA_READY: &str = "SchemaReady";
/// Kubernetes: every role's Deployment is complete.
pub const SERVICES_READY: &str = "ServicesReady";
/// Temporal: every ring holds the pods that should be in it and all shards are owned.
pub const MEMBERSHIP_HEALTHY: &str = "MembershipHealthy";
/// Server pods are being replaced, one role after the other.
pub const ROLLOUT_PROGRESSING: &str = "RolloutProgressing";

/// Temporal: the visibility store has its schema and workflows can be listed. Without it they run all the same.
pub const VISIBILITY_READY: &str = "VisibilityReady";

/// Of a worker: the work that waits in Temporal decides on the number of its pods.
pub const SCALING_ACTIVE: &str = "ScalingActive";

/// A status with conditions.
pub trait Conditioned {
    /// The conditions.
    fn conditions(&self) -> &[Condition];
}

/// The three values of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Truth {
    True,
    False,
    Unknown,
}

impl Truth {
    /// The word Kubernetes writes.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl From<bool> for Truth {
    fn from(value: bool) -> Self {
        if value { Self::True } else { Self::False }
    }
}

/// Kubernetes bounds a condition's message to 32 KiB; ours are sentences.
const MESSAGE_LIMIT: usize = 1024;

/// Sets the condition `type_`; its time changes only when its status does.
pub fn set(
    conditions: &mut Vec<Condition>,
    type_: &str,
    status: Truth,
    (reason, message): (&str, &str),
    generation: Option<i64>,
    now: Timestamp,
) {
    let message = shorten(message, MESSAGE_LIMIT);
    let fresh = Condition {
        type_: type_.to_owned(),
        status: status.as_str().to_owned(),
        reason: reason.to_owned(),
        message,
        observed_generation: generation,
        last_transition_time: Time(whole_seconds(now)),
    };
    match conditions.iter_mut().find(|c| c.type_ == type_) {
        Some(old) if old.status == fresh.status => {
            *old = Condition { last_transition_time: old.last_transition_time.clone(), ..fresh };
        }
        Some(old) => *old = fresh,
        None => conditions.push(fresh),
    }
}

/// The condition of that type.
#[must_use]
pub fn get<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|c| c.type_ == type_)
}

/// Whether the condition of that type is `True`.
#[must_use]
pub fn is_true(conditions: &[Condition], type_: &str) -> bool {
    get(conditions, type_).is_some_and(|c| c.status == "True")
}

/// For how long the condition of that type has been there and not `True`.
#[must_use]
pub fn untrue_for(conditions: &[Condition], type_: &str, now: Timestamp) -> Option<SignedDuration> {
    let condition = get(conditions, type_).filter(|c| c.status != "True")?;
    Some(now.duration_since(condition.last_transition_time.0))
}

/// At most `limit` bytes of `text`, cut at a character, with an ellipsis.
#[must_use]
pub fn shorten(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let mut end = limit.saturating_sub(3);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}

/// Kubernetes writes times to the second; a finer one would differ from what is read back.
#[must_use]
pub fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_time_changes_only_when_the_status_does() {
        let mut all = Vec::new();
        set(&mut all, READY, Truth::False, ("A", "a"), Some(1), at(10));
        set(&mut all, READY, Truth::False, ("B", "b"), Some(2), at(20));
        assert_eq!(all[0].last_transition_time.0, at(10));
        assert_eq!((all[0].reason.as_str(), all[0].observed_generation), ("B", Some(2)));
        assert_eq!(untrue_for(&all, READY, at(25)), Some(SignedDuration::from_secs(15)));
        set(&mut all, READY, Truth::True, ("C", "c"), Some(2), at(30));
        assert_eq!(all[0].last_transition_time.0, at(30));
        assert!(is_true(&all, READY));
        assert_eq!(untrue_for(&all, READY, at(40)), None);
    }

    #[test]
    fn a_long_message_is_cut_at_a_character() {
        assert_eq!(shorten("äääää", 7), "ää…");
        assert_eq!(shorten("short", 7), "short");
    }
}
