//! The watch of a kind that may not be installed, or only later: the API server is asked for it from time to time, and
//! it is watched while it is there.

use super::{Events, Found, Index, config, found, indexed};
use futures::future::ready;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, Stream, StreamExt};
use k8s_openapi::NamespaceResourceScope;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often a kind that is not served is asked for.
const ASK: Duration = Duration::from_secs(30);
/// How soon a question without an answer is asked again.
const AGAIN: Duration = Duration::from_secs(3);

/// Whether the API server serves the kind, as far as is known.
#[derive(Clone, Debug, Default)]
pub struct Served(Arc<AtomicBool>);

impl Served {
    /// Whether it does.
    #[must_use]
    pub fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self, served: bool) {
        if self.0.swap(served, Ordering::Relaxed) != served {
            tracing::info!(served, "ServiceMonitors");
        }
    }
}

type Raw<K> = BoxStream<'static, watcher::Result<Event<K>>>;

/// What the round before was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    Nothing,
    Absent,
    Watched,
}

/// A watch of the kind while it is served. Its index is empty and ready while it is not.
pub(super) fn watch<K>(client: &Client, api: &Api<K>) -> (Index<Found>, Events<K>, Served)
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + Sync
        + 'static,
{
    let served = Served::default();
    let (index, events) = indexed(rounds(client.clone(), api.clone(), served.clone()), found);
    (index, events.touched_objects().boxed(), served)
}

fn rounds<K>(client: Client, api: Api<K>, served: Served) -> impl Stream<Item = watcher::Result<Event<K>>> + Send
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    stream::unfold(Before::Nothing, move |before| {
        let (client, api, served) = (client.clone(), api.clone(), served.clone());
        async move {
            if before != Before::Nothing {
                tokio::time::sleep(ASK).await;
            }
            let there = is_served(&client, &K::api_version(&()), &K::plural(&())).await;
            let (events, now): (Raw<K>, _) = match (there, before) {
                (true, _) => (while_there(api, served), Before::Watched),
                (false, Before::Absent) => (stream::empty().boxed(), Before::Absent),
                (false, _) => (stream::iter([Ok(Event::Init), Ok(Event::InitDone)]).boxed(), Before::Absent),
            };
            Some((events, now))
        }
        .boxed()
    })
    .flatten()
}

/// The watch, until the kind is taken away.
fn while_there<K>(api: Api<K>, served: Served) -> Raw<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    let goes_on = move |event: &watcher::Result<Event<K>>| {
        let gone = event.as_ref().is_err_and(is_gone);
        match event {
            Ok(Event::InitDone) => served.set(true),
            _ if gone => served.set(false),
            _ => {}
        }
        ready(!gone)
    };
    watcher(api, config()).default_backoff().take_while(goes_on).boxed()
}

/// The API server does not have the kind any more, or does not let the operator see it.
fn is_gone(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status)) => {
            if status.code == 403 {
                tracing::warn!(%error, "a kind is served and the operator may not watch it");
            }
            [403, 404].contains(&status.code)
        }
        _ => false,
    }
}

/// Asks until there is an answer.
async fn is_served(client: &Client, version: &str, plural: &str) -> bool {
    loop {
        match client.list_api_group_resources(version).await {
            Ok(list) => return list.resources.iter().any(|r| r.name == plural),
            Err(kube::Error::Api(status)) if [403, 404].contains(&status.code) => return false,
            Err(error) => {
                tracing::warn!(%error, version, "cannot ask which kinds are served; asking again");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}
