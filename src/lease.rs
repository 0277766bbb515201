//! Leader election by a Lease, as Kubernetes' own controllers do it: who holds it writes, the others stand by.
//!
//! Another holder's clock is never compared with ours: a lease counts as lapsed when it has not changed for its
//! duration *as watched from here*. The holder stops writing by its own clock well before that.

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long a lease lasts without renewal.
const DURATION: Duration = Duration::from_secs(15);
/// How long the holder goes on without a renewal; shorter than [`DURATION`], so that two never write at once.
const RENEW_DEADLINE: Duration = Duration::from_secs(10);
/// Time between tries.
const RETRY: Duration = Duration::from_secs(3);

/// Whether this process may write. Cheap to ask before each write; also false after the process was frozen for long.
#[derive(Clone, Debug)]
pub struct Leadership(Arc<Mutex<State>>);

#[derive(Debug)]
enum State {
    Always,
    Until(Option<Instant>),
}

impl Leadership {
    /// For a single operator without election.
    #[must_use]
    pub fn always() -> Self {
        Self(Arc::new(Mutex::new(State::Always)))
    }

    /// Not the leader until [`Elector`] says so.
    #[must_use]
    pub fn none() -> Self {
        Self(Arc::new(Mutex::new(State::Until(None))))
    }

    /// Whether this process is the leader right now.
    #[must_use]
    pub fn held(&self) -> bool {
        match *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Always => true,
            State::Until(until) => until.is_some_and(|u| Instant::now() < u),
        }
    }

    fn set(&self, until: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = State::Until(until);
    }
}

/// Takes and keeps a Lease.
pub struct Elector {
    api: Api<Lease>,
    name: String,
    identity: String,
    leadership: Leadership,
    /// The lease as last seen, and when it was first seen so.
    seen: Option<(Option<LeaseSpec>, Instant)>,
}

impl Elector {
    /// An elector for the Lease of that name; `identity` tells this process from every other.
    #[must_use]
    pub fn new(client: Client, namespace: &str, name: &str, identity: &str) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            name: name.to_owned(),
            identity: identity.to_owned(),
            leadership: Leadership::none(),
            seen: None,
        }
    }

    /// What the rest of the process asks before it writes.
    #[must_use]
    pub fn leadership(&self) -> Leadership {
        self.leadership.clone()
    }

    /// Returns when this process is the leader. Failed calls are logged and tried again.
    pub async fn acquire(&mut self) {
        loop {
            match self.try_hold().await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, lease = self.name, "cannot reach the lease"),
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Renews until the lease is lost; then returns, and the process must end.
    pub async fn keep(&mut self) {
        while self.leadership.held() {
            tokio::time::sleep(RETRY).await;
            match self.try_hold().await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => tracing::warn!(%error, lease = self.name, "cannot renew the lease"),
            }
        }
        self.leadership.set(None);
    }

    /// Gives the lease back, so that the next leader need not wait for it to lapse.
    pub async fn release(&mut self) {
        self.leadership.set(None);
        if let Ok(Some(mut lease)) = self.api.get_opt(&self.name).await
            && holder(&lease) == Some(self.identity.as_str())
        {
            let spec = lease.spec.get_or_insert_default();
            spec.holder_identity = Some(String::new());
            spec.lease_duration_seconds = Some(1);
            if let Err(error) = self.api.replace(&self.name, &PostParams::default(), &lease).await {
                tracing::warn!(%error, "cannot release the lease");
            }
        }
    }

    /// Takes or renews the lease; false while somebody else holds it.
    async fn try_hold(&mut self) -> kube::Result<bool> {
        let asked = Instant::now();
        let call = tokio::time::timeout(RENEW_DEADLINE / 2, self.write_lease());
        let held = match call.await {
            Ok(held) => held?,
            Err(_) => return Err(kube::Error::Service("the API server does not answer".into())),
        };
        if held {
            self.leadership.set(Some(asked + RENEW_DEADLINE));
        }
        Ok(held)
    }

    async fn write_lease(&mut self) -> kube::Result<bool> {
        let written = match self.api.get_opt(&self.name).await? {
            None => {
                let lease = Lease {
                    metadata: ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() },
                    spec: Some(self.spec(None)),
                };
                self.api.create(&PostParams::default(), &lease).await
            }
            Some(mut lease) => {
                if holder(&lease) != Some(self.identity.as_str()) && !self.has_lapsed(&lease) {
                    return Ok(false);
                }
                lease.spec = Some(self.spec(lease.spec.as_ref()));
                // the resourceVersion goes with it: of two that try at once, one gets a conflict
                self.api.replace(&self.name, &PostParams::default(), &lease).await
            }
        };
        match written {
            Ok(lease) => Ok(holder(&lease) == Some(self.identity.as_str())),
            Err(kube::Error::Api(status)) if status.is_conflict() || status.is_already_exists() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Nobody holds it, or it has not changed for its duration since we first saw it like this.
    fn has_lapsed(&mut self, lease: &Lease) -> bool {
        if holder(lease).is_none_or(str::is_empty) {
            return true;
        }
        let now = Instant::now();
        match &self.seen {
            Some((spec, since)) if *spec == lease.spec => {
                let seconds = lease.spec.as_ref().and_then(|s| s.lease_duration_seconds).unwrap_or(15);
                now.duration_since(*since) > Duration::from_secs(u64::try_from(seconds).unwrap_or(15))
            }
            _ => {
                self.seen = Some((lease.spec.clone(), now));
                false
            }
        }
    }

    fn spec(&self, old: Option<&LeaseSpec>) -> LeaseSpec {
        let now = MicroTime(Timestamp::now());
        let ours = old.is_some_and(|o| o.holder_identity.as_ref() == Some(&self.identity));
        let transitions = old.and_then(|o| o.lease_transitions).unwrap_or(0);
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
            acquire_time: old.filter(|_| ours).and_then(|o| o.acquire_time.clone()).or_else(|| Some(now.clone())),
            renew_time: Some(now),
            lease_transitions: Some(if ours || old.is_none() { transitions } else { transitions + 1 }),
            ..LeaseSpec::default()
        }
    }
}

fn holder(lease: &Lease) -> Option<&str> {
    lease.spec.as_ref()?.holder_identity.as_deref()
}

impl std::fmt::Debug for Elector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Elector").field("name", &self.name).field("identity", &self.identity).finish_non_exhaustive()
    }
}
