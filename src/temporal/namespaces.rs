//! What `TemporalNamespace` asks of Temporal and writes there.

use super::{Target, TemporalError};
use crate::api::namespace::AttributeType;
use crate::plan::namespace::{Change, LiveNamespace, Registration};
use futures::future::BoxFuture;
use std::collections::BTreeMap;

/// An answer, or why there is none.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, TemporalError>>;

/// Namespaces and their search attributes.
///
/// Every answer comes within a deadline. A write may be repeated: the second time it changes nothing, or is refused.
pub trait Namespaces: Send + Sync {
    /// All of them.
    fn list<'a>(&'a self, target: &'a Target) -> Answer<'a, Vec<LiveNamespace>>;

    /// One of them, if it is there, read from the database.
    fn describe<'a>(&'a self, target: &'a Target, name: &'a str) -> Answer<'a, Option<LiveNamespace>>;

    /// Makes one.
    fn register<'a>(&'a self, target: &'a Target, registration: &'a Registration) -> Answer<'a, ()>;

    /// Changes one.
    fn update<'a>(&'a self, target: &'a Target, name: &'a str, change: &'a Change) -> Answer<'a, ()>;

    /// Search attributes that a namespace can use, Temporal's own left out.
    fn attributes<'a>(&'a self, target: &'a Target, name: &'a str) -> Answer<'a, BTreeMap<String, AttributeType>>;

    /// Adds search attributes. One that is there is left as it is, whatever its type.
    fn add_attributes<'a>(
        &'a self,
        target: &'a Target,
        name: &'a str,
        attributes: &'a BTreeMap<String, AttributeType>,
    ) -> Answer<'a, ()>;

    /// Removes search attributes.
    fn remove_attributes<'a>(&'a self, target: &'a Target, name: &'a str, attributes: &'a [String]) -> Answer<'a, ()>;

    /// How many workflows are open.
    fn open_workflows<'a>(&'a self, target: &'a Target, name: &'a str) -> Answer<'a, u64>;

    /// Deletes one, with every workflow in it. It has lost its name when this is answered; the rest goes by and by.
    fn delete<'a>(&'a self, target: &'a Target, name: &'a str) -> Answer<'a, ()>;
}
