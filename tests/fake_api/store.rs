//! The objects, the log of changes that watches read, and reading.
//!
//! Faithful: one resourceVersion counter for everything, every change with its own; paged lists.
//! Left out: compaction (a watch can start from any version), consistent snapshots between the
//! pages of a list (a page shows the present; its resourceVersion is the first page's, so that a
//! watch from there misses nothing).

use std::collections::BTreeMap;

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    errors::{self, Failure},
    kinds::{Kind, Kinds},
    selectors::Selection,
};

/// Where an object lives.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectKey {
    pub group: String,
    pub plural: String,
    pub namespace: String,
    pub name: String,
}

impl ObjectKey {
    pub fn new(kind: &Kind, namespace: &str, name: &str) -> Self {
        Self {
            group: kind.group.clone(),
            plural: kind.plural.clone(),
            namespace: if kind.namespaced { namespace.to_owned() } else { String::new() },
            name: name.to_owned(),
        }
    }

    pub fn is_in(&self, kind: &Kind, namespace: Option<&str>) -> bool {
        self.group == kind.group
            && self.plural == kind.plural
            && namespace.is_none_or(|namespace| self.namespace == namespace)
    }
}

/// One change of one object.
pub struct Change {
    pub version: u64,
    pub key: ObjectKey,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

/// Everything the server knows.
pub struct Store {
    pub kinds: Kinds,
    pub objects: BTreeMap<ObjectKey, Value>,
    pub log: Vec<Change>,
    pub version: u64,
    /// With the garbage collector held, dependents outlive their owner until it is let go.
    pub hold_garbage_collector: bool,
    allocated: u32,
}

/// A page of a list.
pub struct ListQuery {
    pub namespace: Option<String>,
    pub selection: Selection,
    pub limit: Option<usize>,
    pub continue_token: Option<String>,
}

/// The present moment as metadata writes it.
pub fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

impl Store {
    pub fn new() -> Self {
        Self {
            kinds: Kinds::built_in(),
            objects: BTreeMap::new(),
            log: Vec::new(),
            version: 0,
            hold_garbage_collector: false,
            allocated: 0,
        }
    }

    /// A number nobody got before, for uids, addresses and generated names.
    pub fn allocate(&mut self) -> u32 {
        self.allocated += 1;
        self.allocated
    }

    pub fn get(&self, kind: &Kind, namespace: &str, name: &str) -> Result<&Value, Failure> {
        let key = ObjectKey::new(kind, namespace, name);
        self.objects.get(&key).ok_or_else(|| errors::not_found(kind, name))
    }

    /// The objects of a kind in one namespace, or in all.
    pub fn of_kind<'a>(
        &'a self,
        kind: &'a Kind,
        namespace: Option<&'a str>,
    ) -> impl Iterator<Item = (&'a ObjectKey, &'a Value)> {
        self.objects.iter().filter(move |(key, _)| key.is_in(kind, namespace))
    }

    pub fn list(&self, kind: &Kind, query: &ListQuery) -> Result<Value, Failure> {
        let (version, after) = self.position(query.continue_token.as_deref())?;
        let mut found = self
            .of_kind(kind, query.namespace.as_deref())
            .filter(|(key, object)| after < position_of(key) && query.selection.matches(object))
            .peekable();
        let mut items = Vec::new();
        let mut metadata = json!({"resourceVersion": version.to_string()});
        while let Some((key, object)) = found.next() {
            items.push(as_list_item(kind, object));
            if Some(items.len()) == query.limit && found.peek().is_some() {
                metadata["continue"] = format!("{version}|{}|{}", key.namespace, key.name).into();
                break;
            }
        }
        Ok(json!({
            "kind": format!("{}List", kind.kind),
            "apiVersion": kind.api_version(),
            "metadata": metadata,
            "items": items,
        }))
    }

    /// The version a list is of, and the namespace and name it goes on after.
    fn position<'t>(&self, token: Option<&'t str>) -> Result<(u64, (&'t str, &'t str)), Failure> {
        let Some(token) = token else { return Ok((self.version, ("", ""))) };
        let parts =
            token.split_once('|').and_then(|(version, after)| Some((version.parse().ok()?, after.split_once('|')?)));
        parts.ok_or_else(|| errors::bad_request("continue key is not valid"))
    }

    /// Puts a new state of an object in place, with the next resourceVersion.
    pub fn commit(&mut self, key: ObjectKey, mut after: Value) -> Value {
        self.version += 1;
        after["metadata"]["resourceVersion"] = self.version.to_string().into();
        let before = self.objects.insert(key.clone(), after.clone());
        self.log.push(Change { version: self.version, key, before, after: Some(after.clone()) });
        after
    }

    /// Takes an object away for good; what its watchers see of it last.
    pub fn commit_removal(&mut self, key: &ObjectKey) -> Option<Value> {
        let mut last = self.objects.remove(key)?;
        self.version += 1;
        last["metadata"]["resourceVersion"] = self.version.to_string().into();
        self.log.push(Change { version: self.version, key: key.clone(), before: Some(last.clone()), after: None });
        Some(last)
    }
}

fn position_of(key: &ObjectKey) -> (&str, &str) {
    (&key.namespace, &key.name)
}

/// Items of built-in lists carry no apiVersion and kind.
fn as_list_item(kind: &Kind, object: &Value) -> Value {
    let mut item = object.clone();
    if kind.is_custom() {
        item["apiVersion"] = kind.api_version().into();
    } else if let Some(fields) = item.as_object_mut() {
        fields.remove("apiVersion");
        fields.remove("kind");
    }
    item
}
