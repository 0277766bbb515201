//! The operations of the server on a resource, whoever asks for them.

use serde_json::{Value, json};

use super::{
    errors::Failure,
    gc::DeleteOptions,
    patches::Patch,
    store::{ListQuery, Store},
    watch::WatchQuery,
    write::Target,
};

/// A request after routing.
pub struct Request {
    pub target: Target,
    pub operation: Operation,
}

pub enum Operation {
    Get,
    List(ListQuery),
    Watch(WatchQuery),
    Create(Value),
    Update(Value),
    Patch(Patch),
    Apply { config: Value, force: bool },
    Delete(DeleteOptions),
    DeleteCollection(ListQuery, DeleteOptions),
}

impl Operation {
    /// The verb as audit logs and RBAC name it, but for `apply`, which is a `patch` there.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List(_) => "list",
            Self::Watch(_) => "watch",
            Self::Create(_) => "create",
            Self::Update(_) => "update",
            Self::Patch(_) => "patch",
            Self::Apply { .. } => "apply",
            Self::Delete(_) => "delete",
            Self::DeleteCollection(..) => "deletecollection",
        }
    }

    pub fn is_write(&self) -> bool {
        !matches!(self, Self::Get | Self::List(_) | Self::Watch(_))
    }
}

impl Store {
    /// 201 for what is about to create an object.
    pub fn code_of_success(&self, request: &Request) -> u16 {
        let present = self.objects.contains_key(&request.target.key());
        match request.operation {
            Operation::Create(_) => 201,
            Operation::Apply { .. } if !present => 201,
            _ => 200,
        }
    }

    pub fn execute(&mut self, request: &Request) -> Result<Value, Failure> {
        let target = &request.target;
        match &request.operation {
            Operation::Get => self.get(&target.kind, &target.namespace, &target.name).cloned(),
            Operation::List(query) => self.list(&target.kind, query),
            Operation::Watch(_) => Ok(json!({})),
            Operation::Create(body) => self.create(target, body.clone()),
            Operation::Update(body) => self.update(target, body.clone()),
            Operation::Patch(patch) => self.patch(target, patch),
            Operation::Apply { config, force } => self.apply(target, config.clone(), *force),
            Operation::Delete(options) => self.delete(target, options),
            Operation::DeleteCollection(query, options) => self.delete_collection(target, query, options),
        }
    }

    fn delete_collection(
        &mut self,
        target: &Target,
        query: &ListQuery,
        options: &DeleteOptions,
    ) -> Result<Value, Failure> {
        let list = self.list(&target.kind, query)?;
        for item in list["items"].as_array().into_iter().flatten() {
            let metadata = &item["metadata"];
            let mut target = target.clone();
            target.name = metadata["name"].as_str().unwrap_or_default().to_owned();
            target.namespace = metadata["namespace"].as_str().unwrap_or_default().to_owned();
            self.delete(&target, options)?;
        }
        Ok(list)
    }
}
