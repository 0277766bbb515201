//! Watches: a stream of JSON lines, read from the log of changes.
//!
//! Faithful: resuming from any resourceVersion, objects entering and leaving a selection as ADDED
//! and DELETED, `timeoutSeconds`, a bookmark at the end when bookmarks are allowed, metadata-only
//! watches. Left out: `410 Gone` (the log is never compacted), streaming lists, watching by name.

use std::{io, sync::Arc, time::Duration};

use axum::body::Bytes;
use futures::Stream;
use serde_json::{Value, json};
use tokio::{sync::watch, time::Instant};

use super::{
    FakeApi,
    crash::Session,
    http::partial_metadata,
    kinds::Kind,
    selectors::Selection,
    store::{Change, Store},
};

/// What a watch asks for.
#[derive(Clone)]
pub struct WatchQuery {
    pub namespace: Option<String>,
    pub selection: Selection,
    /// Where to go on from; the present objects first when absent.
    pub version: Option<u64>,
    pub timeout: Duration,
    pub bookmarks: bool,
    pub metadata_only: bool,
}

struct Watch {
    api: FakeApi,
    kind: Arc<Kind>,
    query: WatchQuery,
    seen: Option<u64>,
    versions: watch::Receiver<u64>,
    death: watch::Receiver<bool>,
    deadline: Instant,
    ended: bool,
}

pub fn stream(
    api: &FakeApi,
    session: &Session,
    kind: Arc<Kind>,
    query: WatchQuery,
) -> impl Stream<Item = io::Result<Bytes>> + Send + use<> {
    let watch = Watch {
        api: api.clone(),
        kind,
        seen: query.version,
        versions: api.versions(),
        death: session.watch_death(),
        deadline: Instant::now() + query.timeout,
        ended: false,
        query,
    };
    futures::stream::unfold(watch, Watch::next)
}

impl Watch {
    async fn next(mut self) -> Option<(io::Result<Bytes>, Self)> {
        while !self.ended && !*self.death.borrow() {
            self.versions.borrow_and_update();
            let mut lines = self.lines();
            if lines.is_empty() {
                tokio::select! {
                    _ = self.versions.changed() => continue,
                    _ = self.death.changed() => continue,
                    () = tokio::time::sleep_until(self.deadline) => self.ended = true,
                }
                lines = self.closing_bookmark();
            }
            if !lines.is_empty() {
                return Some((Ok(Bytes::from(lines)), self));
            }
        }
        None
    }

    fn lines(&mut self) -> String {
        let api = self.api.clone();
        api.read(|store| {
            let events = match self.seen {
                Some(seen) => self.events_since(store, seen),
                None => self.present(store),
            };
            self.seen = Some(store.version);
            events.into_iter().map(|(event, object)| self.line(event, object)).collect()
        })
    }

    fn present(&self, store: &Store) -> Vec<(&'static str, Value)> {
        store
            .of_kind(&self.kind, self.query.namespace.as_deref())
            .filter(|(_, object)| self.query.selection.matches(object))
            .map(|(_, object)| ("ADDED", object.clone()))
            .collect()
    }

    fn events_since(&self, store: &Store, seen: u64) -> Vec<(&'static str, Value)> {
        let first = store.log.partition_point(|change| change.version <= seen);
        store.log[first..]
            .iter()
            .filter(|change| change.key.is_in(&self.kind, self.query.namespace.as_deref()))
            .filter_map(|change| self.event(change))
            .collect()
    }

    fn event(&self, change: &Change) -> Option<(&'static str, Value)> {
        let selected = |object: &&Value| self.query.selection.matches(object);
        let before = change.before.as_ref().filter(selected);
        let after = change.after.as_ref().filter(selected);
        match (before, after) {
            (None, Some(object)) => Some(("ADDED", object.clone())),
            (Some(_), Some(object)) => Some(("MODIFIED", object.clone())),
            (Some(object), None) => {
                let mut last = object.clone();
                last["metadata"]["resourceVersion"] = change.version.to_string().into();
                Some(("DELETED", last))
            }
            (None, None) => None,
        }
    }

    fn line(&self, event: &str, mut object: Value) -> String {
        object["apiVersion"] = self.kind.api_version().into();
        if self.query.metadata_only {
            object = partial_metadata(&object);
        }
        format!("{}\n", json!({"type": event, "object": object}))
    }

    fn closing_bookmark(&self) -> String {
        if !self.query.bookmarks {
            return String::new();
        }
        let version = self.seen.unwrap_or_default().to_string();
        let object = json!({"kind": self.kind.kind, "metadata": {"resourceVersion": version}});
        self.line("BOOKMARK", object)
    }
}
