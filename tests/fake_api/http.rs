//! HTTP: from paths, queries, bodies and headers to operations, and back.
//!
//! Faithful: paths, content types, status codes, `PartialObjectMetadata` on request, `/version` and
//! the resource lists of groups, 404 for unknown paths. Left out: authentication, tables,
//! protobuf, aggregated discovery, strict field validation.

use std::{collections::BTreeMap, io, time::Duration};

use axum::body::Body;
use http::{Method, Response, header, request::Parts};
use serde_json::{Value, json};

use super::{
    FakeApi,
    crash::{Session, connection_reset},
    errors::{self, Failure, status_body},
    gc::{DeleteOptions, Propagation},
    operation::{Operation, Request},
    patches::Patch,
    selectors::Selection,
    store::ListQuery,
    watch::{self, WatchQuery},
    write::Target,
};

/// Answers one request of a client.
pub async fn serve(
    api: &FakeApi,
    session: &Session,
    request: http::Request<kube::client::Body>,
) -> io::Result<Response<Body>> {
    let (parts, body) = request.into_parts();
    let body = body.collect_bytes().await.map_err(io::Error::other)?;
    if session.is_dead() {
        return Err(connection_reset());
    }
    let path: Vec<&str> = parts.uri.path().trim_matches('/').split('/').collect();
    if let Some(document) = discover(api, &path) {
        return Ok(respond(200, &document));
    }
    let Some(address) = Address::resolve(api, &path) else {
        let failure = errors::unserved();
        return Ok(respond(failure.code, &status_body(&failure)));
    };
    match address.request(session, &parts, &body) {
        Ok(request) => answer(api, session, &request, wants_metadata_only(&parts)),
        Err(failure) => Ok(respond(failure.code, &status_body(&failure))),
    }
}

fn answer(api: &FakeApi, session: &Session, request: &Request, metadata_only: bool) -> io::Result<Response<Body>> {
    match (api.perform(session, request)?, &request.operation) {
        (Ok(_), Operation::Watch(query)) => {
            let kind = request.target.kind.clone();
            Ok(Response::new(Body::from_stream(watch::stream(api, session, kind, query.clone()))))
        }
        (Ok((code, mut body)), _) => {
            if request.target.kind.is_custom() && body["kind"] == request.target.kind.kind {
                body["apiVersion"] = request.target.kind.api_version().into();
            }
            let body = if metadata_only { partial_metadata(&body) } else { body };
            Ok(respond(code, &body))
        }
        (Err(failure), _) => Ok(respond(failure.code, &status_body(&failure))),
    }
}

fn respond(code: u16, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = http::StatusCode::from_u16(code).unwrap_or_default();
    let json = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

fn wants_metadata_only(parts: &Parts) -> bool {
    let accept = parts.headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("as=PartialObjectMetadata"))
}

/// An object, or a list of them, reduced to its metadata.
pub fn partial_metadata(body: &Value) -> Value {
    let reduced = |kind: &str, rest: (&str, Value)| {
        let (field, value) = rest;
        json!({"kind": kind, "apiVersion": "meta.k8s.io/v1", "metadata": body["metadata"], field: value})
    };
    match body["items"].as_array() {
        _ if body["kind"] == "Status" => body.clone(),
        Some(items) => {
            let items = items.iter().map(partial_metadata).collect();
            reduced("PartialObjectMetadataList", ("items", items))
        }
        None => {
            let metadata = body["metadata"].clone();
            reduced("PartialObjectMetadata", ("metadata", metadata))
        }
    }
}

fn discover(api: &FakeApi, path: &[&str]) -> Option<Value> {
    let (group, version) = match path {
        ["version"] => {
            return Some(json!({
                "major": "1", "minor": "34", "gitVersion": "v1.34.0", "gitCommit": "fake",
                "gitTreeState": "clean", "buildDate": "2026-01-01T00:00:00Z",
                "goVersion": "none", "compiler": "none", "platform": "linux/amd64",
            }));
        }
        ["api", version] => ("", *version),
        ["apis", group, version] => (*group, *version),
        _ => return None,
    };
    let resources: Vec<Value> = api.read(|store| {
        let kinds = store.kinds.in_group_version(group, version);
        kinds
            .map(|kind| {
                json!({
                    "name": kind.plural, "singularName": "", "kind": kind.kind,
                    "namespaced": kind.namespaced,
                    "verbs": ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
                })
            })
            .collect()
    });
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    (!resources.is_empty()).then(|| {
        json!({
            "kind": "APIResourceList", "apiVersion": "v1",
            "groupVersion": group_version, "resources": resources,
        })
    })
}

/// What a path names.
struct Address {
    target: Target,
    has_name: bool,
    all_namespaces: bool,
}

impl Address {
    fn resolve(api: &FakeApi, path: &[&str]) -> Option<Self> {
        let (group, version, rest) = match path {
            ["api", version, rest @ ..] => ("", *version, rest),
            ["apis", group, version, rest @ ..] => (*group, *version, rest),
            _ => return None,
        };
        let (namespace, plural, rest) = match rest {
            ["namespaces", name, subresource @ ("status" | "finalize")] => {
                (None, "namespaces", vec![*name, *subresource])
            }
            ["namespaces", namespace, plural, rest @ ..] => (Some(*namespace), *plural, rest.to_vec()),
            [plural, rest @ ..] => (None, *plural, rest.to_vec()),
            [] => return None,
        };
        let kind = api.read(|store| store.kinds.find(group, version, plural))?;
        let subresource = rest.get(1).map(|name| (*name).to_owned());
        let served = subresource.as_ref().is_none_or(|name| name == "status" && kind.has_status);
        let scoped = namespace.is_none() || kind.namespaced;
        let addressed = rest.is_empty() || namespace.is_some() == kind.namespaced;
        (served && scoped && addressed && rest.len() <= 2).then(|| Self {
            has_name: !rest.is_empty(),
            all_namespaces: namespace.is_none(),
            target: Target {
                kind,
                namespace: namespace.unwrap_or_default().to_owned(),
                name: rest.first().copied().unwrap_or_default().to_owned(),
                subresource,
                field_manager: String::new(),
                dry_run: false,
            },
        })
    }

    fn request(mut self, session: &Session, parts: &Parts, body: &[u8]) -> Result<Request, Failure> {
        let query = Query::parse(parts.uri.query().unwrap_or_default());
        let manager = query.get("fieldManager").unwrap_or(&session.user);
        self.target.field_manager = manager.to_owned();
        self.target.dry_run = query.get("dryRun") == Some("All");
        let operation = match (parts.method.as_str(), self.has_name) {
            ("GET", true) => Operation::Get,
            ("GET", false) if query.is("watch") => {
                Operation::Watch(self.watch_query(&query, wants_metadata_only(parts))?)
            }
            ("GET", false) => Operation::List(self.list_query(&query)?),
            ("POST", false) => Operation::Create(parse(body)?),
            ("PUT", true) => Operation::Update(parse(body)?),
            ("PATCH", true) => patch(parts, &query, parse(body)?)?,
            ("DELETE", true) => Operation::Delete(delete_options(&query, body)?),
            ("DELETE", false) => Operation::DeleteCollection(self.list_query(&query)?, delete_options(&query, body)?),
            _ => return Err(errors::method_not_allowed()),
        };
        self.check_namespaced(&parts.method)?;
        Ok(Request { target: self.target, operation })
    }

    fn check_namespaced(&self, method: &Method) -> Result<(), Failure> {
        let missing = self.target.kind.namespaced && self.all_namespaces;
        if missing && (method == Method::POST || method == Method::DELETE) {
            return Err(errors::method_not_allowed());
        }
        Ok(())
    }

    fn namespace(&self) -> Option<String> {
        (!self.all_namespaces).then(|| self.target.namespace.clone())
    }

    fn list_query(&self, query: &Query) -> Result<ListQuery, Failure> {
        let continue_token = query.get("continue").filter(|token| !token.is_empty());
        Ok(ListQuery {
            namespace: self.namespace(),
            selection: query.selection()?,
            limit: query.number("limit").and_then(|limit| usize::try_from(limit).ok()),
            continue_token: continue_token.map(str::to_owned),
        })
    }

    fn watch_query(&self, query: &Query, metadata_only: bool) -> Result<WatchQuery, Failure> {
        if query.is("sendInitialEvents") {
            return Err(errors::unprocessable("sendInitialEvents is forbidden for watch"));
        }
        Ok(WatchQuery {
            namespace: self.namespace(),
            selection: query.selection()?,
            version: query.number("resourceVersion"),
            timeout: Duration::from_secs(query.number("timeoutSeconds").unwrap_or(1800)),
            bookmarks: query.is("allowWatchBookmarks"),
            metadata_only,
        })
    }
}

fn parse(body: &[u8]) -> Result<Value, Failure> {
    serde_json::from_slice(body).map_err(|error| errors::bad_request(&error.to_string()))
}

fn patch(parts: &Parts, query: &Query, patch: Value) -> Result<Operation, Failure> {
    let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    match content_type.unwrap_or_default() {
        "application/json-patch+json" => Ok(Operation::Patch(Patch::Json(patch))),
        "application/merge-patch+json" => Ok(Operation::Patch(Patch::Merge(patch))),
        "application/strategic-merge-patch+json" => Ok(Operation::Patch(Patch::Strategic(patch))),
        "application/apply-patch+yaml" if query.get("fieldManager").is_none() => Err(errors::field_manager_required()),
        "application/apply-patch+yaml" => Ok(Operation::Apply { config: patch, force: query.is("force") }),
        other => Err(errors::unsupported_media_type(other)),
    }
}

fn delete_options(query: &Query, body: &[u8]) -> Result<DeleteOptions, Failure> {
    let body = if body.is_empty() { json!({}) } else { parse(body)? };
    let asked = body["propagationPolicy"].as_str().or(query.get("propagationPolicy"));
    let propagation = match asked {
        None => None,
        Some("Background") => Some(Propagation::Background),
        Some("Foreground") => Some(Propagation::Foreground),
        Some("Orphan") => Some(Propagation::Orphan),
        Some(other) => {
            return Err(errors::unprocessable(&format!("invalid propagationPolicy: {other}")));
        }
    };
    let precondition = |field: &str| body["preconditions"][field].as_str().unwrap_or_default();
    Ok(DeleteOptions {
        propagation,
        uid: precondition("uid").to_owned(),
        resource_version: precondition("resourceVersion").to_owned(),
    })
}

/// The query part of a URL.
struct Query(BTreeMap<String, String>);

impl Query {
    fn parse(query: &str) -> Self {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        Self(pairs.map(|(name, value)| (decode(name), decode(value))).collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn is(&self, name: &str) -> bool {
        matches!(self.get(name), Some("true" | "1"))
    }

    /// A number other than 0, which means absent.
    fn number(&self, name: &str) -> Option<u64> {
        self.get(name).and_then(|value| value.parse().ok()).filter(|number| *number != 0)
    }

    fn selection(&self) -> Result<Selection, Failure> {
        let get = |name| self.get(name).unwrap_or_default();
        Selection::parse(get("labelSelector"), get("fieldSelector"))
    }
}

/// Decodes `application/x-www-form-urlencoded`.
fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        let escaped = match (first, tail) {
            (b'%', [high, low, ..]) => {
                std::str::from_utf8(&[*high, *low]).ok().and_then(|digits| u8::from_str_radix(digits, 16).ok())
            }
            _ => None,
        };
        match (first, escaped) {
            (_, Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            (b'+', None) => bytes.push(b' '),
            (byte, None) => bytes.push(*byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
