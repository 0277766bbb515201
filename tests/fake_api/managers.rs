//! Field managers: who owns which leaf, kept in `metadata.managedFields`.
//!
//! Faithful: one entry per manager, operation and subresource; a write that is no apply takes over
//! what it changes; `time` moves only with the entry. Left out: conversion of sets between versions.

use serde_json::{Value, json};

use super::{
    fields::{self, Difference, FieldSet},
    kinds::Kind,
    store::now,
    write::remove_fields,
};

/// One line of `metadata.managedFields`.
#[derive(Clone, PartialEq)]
pub struct Manager {
    pub name: String,
    pub operation: &'static str,
    pub api_version: String,
    pub subresource: Option<String>,
}

pub const APPLY: &str = "Apply";
pub const UPDATE: &str = "Update";

impl Manager {
    pub fn new(name: &str, operation: &'static str, kind: &Kind, subresource: Option<&str>) -> Self {
        Self {
            name: name.to_owned(),
            operation,
            api_version: kind.api_version(),
            subresource: subresource.map(str::to_owned),
        }
    }

    fn same_line(&self, other: &Self) -> bool {
        (&self.name, self.operation, &self.subresource) == (&other.name, other.operation, &other.subresource)
    }

    /// As conflicts name a manager: `"name"`, of an update also with its version.
    fn display(&self) -> String {
        let subresource = self.subresource.as_ref();
        let subresource = subresource.map(|name| format!(" with subresource \"{name}\""));
        let version = (self.operation == UPDATE).then(|| format!(" using {}", self.api_version));
        format!("\"{}\"{}{}", self.name, subresource.unwrap_or_default(), version.unwrap_or_default())
    }
}

/// The owners of an object's fields.
#[derive(Clone, Default)]
pub struct Managers(Vec<(Manager, FieldSet, String)>);

impl Managers {
    pub fn of(object: &Value) -> Self {
        let lines = object["metadata"]["managedFields"].as_array();
        let line = |line: &Value| {
            let text = |field: &str| line[field].as_str().unwrap_or_default().to_owned();
            let manager = Manager {
                name: text("manager"),
                operation: if line["operation"] == APPLY { APPLY } else { UPDATE },
                api_version: text("apiVersion"),
                subresource: line["subresource"].as_str().map(str::to_owned),
            };
            (manager, fields::decode(&line["fieldsV1"]), text("time"))
        };
        Self(lines.into_iter().flatten().map(line).collect())
    }

    pub fn write_to(&self, object: &mut Value) {
        if self.0.is_empty() {
            remove_fields(&mut object["metadata"], &["managedFields"]);
            return;
        }
        let line = |(manager, set, time): &(Manager, FieldSet, String)| {
            let mut line = json!({
                "manager": manager.name,
                "operation": manager.operation,
                "apiVersion": manager.api_version,
                "time": time,
                "fieldsType": "FieldsV1",
                "fieldsV1": fields::encode(set),
            });
            if let Some(subresource) = &manager.subresource {
                line["subresource"] = subresource.as_str().into();
            }
            line
        };
        object["metadata"]["managedFields"] = self.0.iter().map(line).collect();
    }

    pub fn fields_of(&self, manager: &Manager) -> FieldSet {
        let line = self.0.iter().find(|(known, ..)| known.same_line(manager));
        line.map(|(_, set, _)| set.clone()).unwrap_or_default()
    }

    /// Replaces what the manager owns.
    pub fn set(&mut self, manager: &Manager, set: FieldSet) {
        match self.0.iter_mut().find(|(known, ..)| known.same_line(manager)) {
            Some((known, owned, time)) => {
                if *owned != set {
                    *time = now();
                }
                known.api_version.clone_from(&manager.api_version);
                *owned = set;
            }
            None => self.0.push((manager.clone(), set, now())),
        }
        self.drop_empty();
    }

    /// Whether anybody owns the node at the path or something under it.
    pub fn own_at_or_under(&self, path: &[String]) -> bool {
        let owns = |set: &FieldSet| set.range(path.to_vec()..).next().is_some_and(|owned| owned.starts_with(path));
        self.0.iter().any(|(_, set, _)| owns(set))
    }

    /// The fields of others that the difference would change: (manager, path).
    pub fn conflicts(&self, manager: &Manager, difference: &Difference) -> Vec<(String, String)> {
        let others = self.0.iter().filter(|(known, ..)| !known.same_line(manager));
        others
            .flat_map(|(known, set, _)| {
                let shared = set.intersection(&difference.set);
                shared.map(|path| (known.display(), fields::display(path)))
            })
            .collect()
    }

    /// Takes what the difference changed from everybody but the manager, and what it removed from
    /// everybody.
    pub fn take_over(&mut self, manager: &Manager, difference: &Difference) {
        for (known, set, _) in &mut self.0 {
            let other = !known.same_line(manager);
            set.retain(|path| {
                let lost = other && difference.set.contains(path);
                !lost && !difference.removed.contains(path)
            });
        }
        self.drop_empty();
    }

    /// Ownership after a create, update or patch that is no apply.
    pub fn updated_by(&mut self, manager: &Manager, difference: &Difference) {
        if difference.set.is_empty() && difference.removed.is_empty() {
            return;
        }
        self.take_over(manager, difference);
        let mut owned = self.fields_of(manager);
        owned.extend(difference.set.iter().cloned());
        self.set(manager, owned);
    }

    fn drop_empty(&mut self) {
        self.0.retain(|(_, set, _)| !set.is_empty());
    }
}
