//! Create, update, patch and apply: one way in for all of them.
//!
//! Faithful: name and namespace checks, stale resourceVersions (409), the `status` subresource and
//! the main path each ignoring the other's part, server-owned metadata, generation on changes of
//! the spec only, writes that change nothing leaving no trace, finalizers and the end of a deletion,
//! dry run. Left out: admission, quota, authorisation, unconditional updates being refused for
//! built-in kinds other than Lease.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    apply, defaults, errors,
    errors::Failure,
    fields::{self, Leaves, SERVER_METADATA},
    kinds::Kind,
    managers::{APPLY, Manager, Managers, UPDATE},
    patches::Patch,
    schema,
    shape::Shape,
    store::{ObjectKey, Store, now},
    validation,
};

/// What a write is aimed at, and by whom.
#[derive(Clone)]
pub struct Target {
    pub kind: Arc<Kind>,
    pub namespace: String,
    pub name: String,
    pub subresource: Option<String>,
    pub field_manager: String,
    pub dry_run: bool,
}

impl Target {
    pub fn key(&self) -> ObjectKey {
        ObjectKey::new(&self.kind, &self.namespace, &self.name)
    }

    fn is_status(&self) -> bool {
        self.subresource.as_deref() == Some("status")
    }

    fn manager(&self, operation: &'static str) -> Manager {
        Manager::new(&self.field_manager, operation, &self.kind, self.subresource.as_deref())
    }

    fn conflict(&self, why: &str) -> Failure {
        errors::conflict(&self.kind, &self.name, why)
    }
}

const STALE: &str = "the object has been modified; please apply your changes to the latest version and try again";

impl Store {
    pub fn create(&mut self, target: &Target, body: Value) -> Result<Value, Failure> {
        let mut target = target.clone();
        target.name = self.name_to_create(&target.kind, &body)?;
        check_body(&target, &body)?;
        if let Some(present) = self.objects.get(&target.key()) {
            let terminating = present["metadata"].get("deletionTimestamp").is_some();
            return Err(errors::already_exists(&target.kind, &target.name, terminating));
        }
        if !text(&body, "resourceVersion").is_empty() {
            return Err(errors::internal("resourceVersion should not be set on objects to be created"));
        }
        self.insert(&target, body, None)
    }

    pub fn update(&mut self, target: &Target, body: Value) -> Result<Value, Failure> {
        check_body(target, &body)?;
        let before = self.get(&target.kind, &target.namespace, &target.name)?.clone();
        check_uid(target, &before, text(&body, "uid"))?;
        let unconditional = text(&body, "resourceVersion").is_empty();
        if unconditional && (target.kind.is_custom() || target.kind.kind == "Lease") {
            let why = "Invalid value: 0: must be specified for an update";
            let field = "metadata.resourceVersion";
            return Err(errors::invalid(&target.kind, &target.name, field, why));
        }
        self.replace(target, &before, body, None)
    }

    pub fn patch(&mut self, target: &Target, patch: &Patch) -> Result<Value, Failure> {
        let before = self.get(&target.kind, &target.namespace, &target.name)?.clone();
        let patched = patch.apply_to(&before, &target.kind)?;
        check_body(target, &patched)?;
        self.replace(target, &before, patched, None)
    }

    pub fn apply(&mut self, target: &Target, config: Value, force: bool) -> Result<Value, Failure> {
        check_applied(target, &config)?;
        if let Some(schema) = &target.kind.schema
            && let Some(field) = schema::undeclared_field(&config, schema)
        {
            return Err(errors::untyped(&target.kind, text(&config, "namespace"), &target.name, &field));
        }
        let config = relevant_part(target, config);
        let live = self.get(&target.kind, &target.namespace, &target.name).cloned();
        if live.is_err() {
            self.check_may_be_created_by_apply(target, &config)?;
        }
        let live_or_null = live.as_ref().unwrap_or(&Value::Null);
        let mut managers = Managers::of(live_or_null);
        let manager = target.manager(APPLY);
        let shape = Shape::of(&target.kind);
        let object = apply::apply(live_or_null, &config, &manager, &mut managers, shape, force)
            .map_err(|conflicts| errors::apply_conflict(&conflicts))?;
        match &live {
            Ok(before) => self.replace(target, before, object, Some(managers)),
            Err(_) => self.insert(target, object, Some(managers)),
        }
    }

    fn check_may_be_created_by_apply(&self, target: &Target, config: &Value) -> Result<(), Failure> {
        if target.subresource.is_some() {
            return Err(errors::not_found(&target.kind, &target.name));
        }
        let uid = text(config, "uid");
        if !uid.is_empty() {
            let why =
                format!("uid mismatch: the provided object specified uid {uid}, and no existing object was found");
            return Err(target.conflict(&why));
        }
        Ok(())
    }

    fn name_to_create(&mut self, kind: &Kind, body: &Value) -> Result<String, Failure> {
        let (name, prefix) = (text(body, "name"), text(body, "generateName"));
        if name.is_empty() && prefix.is_empty() {
            let why = "Required value: name or generateName is required";
            return Err(errors::invalid(kind, "", "metadata.name", why));
        }
        if name.is_empty() { Ok(format!("{prefix}{:05}", self.allocate())) } else { Ok(name.into()) }
    }

    fn insert(&mut self, target: &Target, mut object: Value, managers: Option<Managers>) -> Result<Value, Failure> {
        let kind = &target.kind;
        self.check_namespace(target)?;
        remove_fields(&mut object["metadata"], SERVER_METADATA);
        if kind.has_status {
            remove_fields(&mut object, &["status"]);
        }
        let uid = format!("00000000-0000-4000-8000-{:012x}", self.allocate());
        object["apiVersion"] = kind.api_version().into();
        object["kind"] = kind.kind.clone().into();
        object["metadata"]["name"] = target.name.clone().into();
        object["metadata"]["uid"] = uid.into();
        object["metadata"]["creationTimestamp"] = now().into();
        if kind.namespaced {
            object["metadata"]["namespace"] = target.namespace.clone().into();
        }
        if kind.has_generation {
            object["metadata"]["generation"] = 1.into();
        }
        defaults::default(kind, &mut object);
        let managers =
            managers.unwrap_or_else(|| managers_after_update(target, &Managers::default(), &json!({}), &object));
        self.assign(kind, &mut object, None);
        validation::check_new(kind, &object)?;
        managers.write_to(&mut object);
        if target.dry_run {
            return Ok(object);
        }
        Ok(self.commit(target.key(), object))
    }

    fn check_namespace(&self, target: &Target) -> Result<(), Failure> {
        if !target.kind.namespaced {
            return Ok(());
        }
        let namespaces = self.kinds.find("", "v1", "namespaces").unwrap_or_default();
        let namespace = self.get(&namespaces, "", &target.namespace)?;
        if namespace["metadata"].get("deletionTimestamp").is_some() {
            let kind = &target.kind;
            return Err(errors::namespace_terminating(kind, &target.name, &target.namespace));
        }
        Ok(())
    }

    /// Puts a new state in place of the present one, unless nothing changes.
    fn replace(
        &mut self,
        target: &Target,
        before: &Value,
        wanted: Value,
        managers: Option<Managers>,
    ) -> Result<Value, Failure> {
        let kind = &target.kind;
        let (uid, live_uid) = (text(&wanted, "uid"), text(before, "uid"));
        if !uid.is_empty() && uid != live_uid {
            let why = format!("Invalid value: \"{uid}\": field is immutable");
            return Err(errors::invalid(kind, &target.name, "metadata.uid", &why));
        }
        check_version(target, before, text(&wanted, "resourceVersion"))?;
        let mut object = within_subresource(target, before, wanted);
        keep_server_metadata(before, &mut object);
        defaults::default(kind, &mut object);
        let managers =
            managers.unwrap_or_else(|| managers_after_update(target, &Managers::of(before), before, &object));
        self.assign(kind, &mut object, Some(before));
        validation::check_new(kind, &object)?;
        validation::check_changed(kind, before, &object)?;
        managers.write_to(&mut object);
        if object == *before {
            return Ok(object);
        }
        if kind.has_generation && spec_of(before) != spec_of(&object) {
            bump_generation(&mut object);
        }
        if target.dry_run {
            return Ok(object);
        }
        Ok(self.commit_or_finish_deletion(&target.key(), object))
    }

    /// An object that is being deleted goes with its last finalizer.
    pub fn commit_or_finish_deletion(&mut self, key: &ObjectKey, object: Value) -> Value {
        let metadata = &object["metadata"];
        let finalizers = metadata["finalizers"].as_array().map_or(0, Vec::len);
        let contents_remain = key.plural == "namespaces" && !object["spec"]["finalizers"].is_null();
        if metadata.get("deletionTimestamp").is_some() && finalizers == 0 && !contents_remain {
            self.objects.insert(key.clone(), object.clone());
            return self.commit_removal(key).unwrap_or(object);
        }
        self.commit(key.clone(), object)
    }
}

/// A string of the metadata, empty when absent.
pub fn text<'v>(object: &'v Value, field: &str) -> &'v str {
    object["metadata"][field].as_str().unwrap_or_default()
}

pub fn remove_fields(object: &mut Value, names: &[&str]) {
    if let Some(fields) = object.as_object_mut() {
        fields.retain(|name, _| !names.contains(&name.as_str()));
    }
}

pub fn bump_generation(object: &mut Value) {
    if let Some(generation) = object["metadata"]["generation"].as_u64() {
        object["metadata"]["generation"] = (generation + 1).into();
    }
}

/// The uid that an update, or a deletion, insists on.
pub fn check_uid(target: &Target, live: &Value, uid: &str) -> Result<(), Failure> {
    let live_uid = text(live, "uid");
    if !uid.is_empty() && uid != live_uid {
        let why = format!("Precondition failed: UID in precondition: {uid}, UID in object meta: {live_uid}");
        return Err(target.conflict(&why));
    }
    Ok(())
}

/// The resourceVersion that a write insists on.
pub fn check_version(target: &Target, live: &Value, version: &str) -> Result<(), Failure> {
    if !version.is_empty() && version != text(live, "resourceVersion") {
        return Err(target.conflict(STALE));
    }
    Ok(())
}

fn check_body(target: &Target, body: &Value) -> Result<(), Failure> {
    let kind = &target.kind;
    let named = |field: &str, wanted: &str| body[field].as_str().is_none_or(|found| found == wanted);
    if !named("kind", &kind.kind) || !named("apiVersion", &kind.api_version()) {
        let message = format!(
            "{} in version {} cannot be handled as a {} in version {}",
            body["kind"],
            body["apiVersion"],
            kind.kind,
            kind.api_version()
        );
        return Err(errors::bad_request(&message));
    }
    let name = text(body, "name");
    if !name.is_empty() && name != target.name {
        let url = &target.name;
        let message = format!("the name of the object ({name}) does not match the name on the URL ({url})");
        return Err(errors::bad_request(&message));
    }
    let namespace = text(body, "namespace");
    if !namespace.is_empty() && namespace != target.namespace {
        let message = "the namespace of the provided object does not match the namespace sent on the request";
        return Err(errors::bad_request(message));
    }
    Ok(())
}

fn check_applied(target: &Target, config: &Value) -> Result<(), Failure> {
    check_body(target, config)?;
    if config["kind"].is_null() || config["apiVersion"].is_null() {
        return Err(errors::bad_request("apiVersion and kind must be set in an applied object"));
    }
    if config["metadata"].get("managedFields").is_some_and(|lines| !lines.is_null()) {
        return Err(errors::bad_request("metadata.managedFields must be nil"));
    }
    Ok(())
}

/// The part of an applied configuration that the main path, or the status path, looks at.
fn relevant_part(target: &Target, mut config: Value) -> Value {
    if !target.kind.is_custom() {
        drop_nulls(&mut config);
    }
    if target.is_status() {
        let mut part = json!({"metadata": {}});
        copy_field(&config, &mut part, "status");
        copy_field(&config["metadata"], &mut part["metadata"], "uid");
        copy_field(&config["metadata"], &mut part["metadata"], "resourceVersion");
        return part;
    }
    if target.kind.has_status {
        remove_fields(&mut config, &["status"]);
    }
    config
}

/// Null means absent in a built-in kind.
pub fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

fn within_subresource(target: &Target, before: &Value, mut wanted: Value) -> Value {
    if target.is_status() {
        let mut object = before.clone();
        copy_field(&wanted, &mut object, "status");
        return object;
    }
    if target.kind.has_status {
        copy_field(before, &mut wanted, "status");
    }
    wanted
}

fn keep_server_metadata(before: &Value, object: &mut Value) {
    copy_field(before, object, "apiVersion");
    copy_field(before, object, "kind");
    for field in SERVER_METADATA {
        copy_field(&before["metadata"], &mut object["metadata"], field);
    }
}

/// Makes a field what it is in the other object, absent included.
fn copy_field(from: &Value, to: &mut Value, field: &str) {
    match from.get(field) {
        Some(value) => to[field] = value.clone(),
        None => remove_fields(to, &[field]),
    }
}

fn managers_after_update(target: &Target, managers: &Managers, before: &Value, after: &Value) -> Managers {
    let shape = Shape::of(&target.kind);
    let before: Leaves = fields::leaves(before, shape);
    let difference = fields::compare(&before, &fields::leaves(after, shape));
    let mut managers = managers.clone();
    managers.updated_by(&target.manager(UPDATE), &difference);
    managers
}

/// All that a generation counts: everything but metadata and status.
fn spec_of(object: &Value) -> Value {
    let mut spec = object.clone();
    remove_fields(&mut spec, &["apiVersion", "kind", "metadata", "status"]);
    spec
}
