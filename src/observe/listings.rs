//! The namespaces that Temporal has, asked for once for all resources of a cluster.

use super::lock;
use crate::api::SYSTEM_NAMESPACE;
use crate::api::namespace::AttributeType;
use crate::api::reference::ClusterRef;
use crate::plan::namespace::{LiveNamespace, type_of_column};
use crate::plan::seat::{AttributeStore, Home};
use crate::temporal::{Namespaces, Target, TemporalError};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::Instant;

/// A list serves this long: what somebody else changes is seen within it and a few seconds.
const FRESH: Duration = Duration::from_secs(45);

type Attributes = BTreeMap<String, AttributeType>;

/// The lists, by cluster.
pub struct Listings {
    temporal: Arc<dyn Namespaces>,
    kept: Mutex<HashMap<ClusterRef, Arc<AsyncMutex<Option<Listing>>>>>,
}

struct Listing {
    taken: Instant,
    namespaces: HashMap<String, LiveNamespace>,
    /// Of an index; nothing where attributes are in columns.
    attributes: Attributes,
}

impl Listings {
    /// None yet.
    #[must_use]
    pub fn new(temporal: Arc<dyn Namespaces>) -> Self {
        Self { temporal, kept: Mutex::default() }
    }

    /// A namespace and its search attributes, out of the list, or `fresh` from Temporal.
    ///
    /// # Errors
    /// When Temporal does not answer.
    pub async fn look(
        &self,
        home: &Home,
        target: &Target,
        name: &str,
        fresh: bool,
    ) -> Result<(Option<LiveNamespace>, Attributes), TemporalError> {
        let kept = Arc::clone(lock(&self.kept).entry(home.cluster.clone()).or_default());
        if fresh {
            let live = self.temporal.describe(target, name).await?;
            let attributes = self.index(home, target).await?;
            // no list is waited for, nor taken, for the sake of one namespace
            if let Some(listing) = kept.lock().await.as_mut() {
                match &live {
                    Some(live) => listing.namespaces.insert(name.to_owned(), live.clone()),
                    None => listing.namespaces.remove(name),
                };
                listing.attributes.clone_from(&attributes);
            }
            return Ok(usable(live, attributes, home));
        }
        let mut kept = kept.lock().await;
        let listing = match kept.take().filter(|listing| listing.taken.elapsed() < FRESH) {
            Some(listing) => listing,
            None => self.list(home, target).await?,
        };
        let (live, attributes) = (listing.namespaces.get(name).cloned(), listing.attributes.clone());
        *kept = Some(listing);
        Ok(usable(live, attributes, home))
    }

    /// Until the next list is taken.
    #[must_use]
    pub fn next(&self, cluster: &ClusterRef) -> Duration {
        let kept = lock(&self.kept).get(cluster).cloned();
        // whoever holds it takes a new one
        let taken = kept.and_then(|kept| kept.try_lock().ok().and_then(|k| k.as_ref().map(|l| l.taken)));
        taken.map_or(FRESH, |taken| FRESH.saturating_sub(taken.elapsed()))
    }

    /// Drops the list of a cluster.
    pub fn forget(&self, cluster: &ClusterRef) {
        lock(&self.kept).remove(cluster);
    }

    async fn list(&self, home: &Home, target: &Target) -> Result<Listing, TemporalError> {
        let taken = Instant::now();
        let all = self.temporal.list(target).await?;
        let namespaces = all.into_iter().map(|live| (live.name.clone(), live)).collect();
        Ok(Listing { taken, namespaces, attributes: self.index(home, target).await? })
    }

    /// An index has the same for all namespaces; asked for one that is not registered yet, Temporal would refuse.
    async fn index(&self, home: &Home, target: &Target) -> Result<Attributes, TemporalError> {
        match home.host.attributes {
            AttributeStore::Index => self.temporal.attributes(target, SYSTEM_NAMESPACE).await,
            AttributeStore::Columns(_) => Ok(Attributes::new()),
        }
    }
}

/// In columns, a namespace has those that have a name there.
fn usable(live: Option<LiveNamespace>, index: Attributes, home: &Home) -> (Option<LiveNamespace>, Attributes) {
    let attributes = match (&home.host.attributes, &live) {
        (AttributeStore::Columns(_), Some(live)) => {
            live.columns.iter().filter_map(|(column, name)| Some((name.clone(), type_of_column(column)?))).collect()
        }
        _ => index,
    };
    (live, attributes)
}
