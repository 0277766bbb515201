//! Leader election by a Lease, as Kubernetes' own controllers do it: who holds it writes, the others stand by.
//!
//! Another holder's clock is never compared with ours: a lease counts as lapsed when it has not changed for its
//! duration *as watched from here*. The holder stops writing by its own clock well before that: [`fenced`] is the client
//! that sees to it.

use futures::future::Either;
use http::{Request, Response};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{ObjectMeta, PostParams};
use kube::client::Body;
use kube::{Api, Client};
use std::future::Future;
use std::pin::pin;
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
        self.remaining().is_some()
    }

    /// How long this process is the leader without a further renewal; `None` when it is not.
    fn remaining(&self) -> Option<Duration> {
        match *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Always => Some(Duration::MAX),
            State::Until(until) => until?.checked_duration_since(Instant::now()).filter(|d| !d.is_zero()),
        }
    }

    /// A request that is not begun without the leadership and given up at the moment it ends, renewals counted.
    async fn bound<T>(&self, sending: impl Future<Output = kube::Result<T>>) -> kube::Result<T> {
        let mut sending = pin!(sending);
        while let Some(remaining) = self.remaining() {
            let over = pin!(tokio::time::sleep(remaining));
            // the clock first: a process that was frozen in the middle sends nothing more
            if let Either::Right((answer, _)) = futures::future::select(over, sending.as_mut()).await {
                return answer;
            }
        }
        Err(kube::Error::Service(NotLeader.into()))
    }

    fn set(&self, until: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = State::Until(until);
    }
}

/// A write was not sent, or not waited for: another operator may be the leader.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("this operator is not the leader any more")]
pub struct NotLeader;

/// The same client, but for writes, which need the leadership: each is checked when it is sent, its repetitions
/// included, and given up when the leadership ends before the answer. Reads pass.
///
/// What is left is the way of a request from this check to the network: a process that is frozen exactly there, for
/// longer than the lease, sends that one request when it goes on. The API server has no means to refuse it.
#[must_use]
pub fn fenced(client: Client, leadership: Leadership) -> Client {
    let namespace = client.default_namespace().to_owned();
    let service = tower::service_fn(move |request: Request<Body>| {
        let (client, leadership) = (client.clone(), leadership.clone());
        async move {
            let answer: kube::Result<Response<Body>> = if request.method().is_safe() {
                client.send(request).await
            } else {
                leadership.bound(client.send(request)).await
            };
            answer
        }
    });
    Client::new(service, namespace)
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

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::api::{DeleteParams, Patch, PatchParams};
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Answers every request after five seconds.
    fn slow() -> (Client, Arc<AtomicU32>) {
        let count = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&count);
        let service = tower::service_fn(move |_: Request<Body>| {
            counted.fetch_add(1, Ordering::Relaxed);
            async {
                tokio::time::sleep(Duration::from_secs(5)).await;
                Ok::<_, std::io::Error>(Response::new(Body::from(br#"{"metadata": {"name": "a"}}"#.to_vec())))
            }
        });
        (Client::new(service, "ns"), count)
    }

    fn led(seconds: u64) -> Leadership {
        let leadership = Leadership::none();
        leadership.set(Some(Instant::now() + Duration::from_secs(seconds)));
        leadership
    }

    fn maps(client: Client, leadership: &Leadership) -> Api<ConfigMap> {
        Api::default_namespaced(fenced(client, leadership.clone()))
    }

    #[tokio::test(start_paused = true)]
    async fn without_the_leadership_nothing_is_written_and_everything_is_read() {
        let (client, count) = slow();
        let maps = maps(client, &Leadership::none());
        let patch = Patch::Apply(serde_json::json!({}));
        for refused in [
            maps.patch("a", &PatchParams::apply("t"), &patch).await.map(drop),
            maps.create(&PostParams::default(), &ConfigMap::default()).await.map(drop),
            maps.replace("a", &PostParams::default(), &ConfigMap::default()).await.map(drop),
            maps.delete("a", &DeleteParams::default()).await.map(drop),
        ] {
            assert!(refused.unwrap_err().to_string().contains("not the leader"));
        }
        assert_eq!(count.load(Ordering::Relaxed), 0, "nothing was sent");
        assert!(maps.get("a").await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_under_way_is_given_up_with_the_leadership() {
        let leadership = led(3);
        let maps = maps(slow().0, &leadership);
        let began = Instant::now();
        assert!(maps.create(&PostParams::default(), &ConfigMap::default()).await.is_err());
        assert_eq!(began.elapsed().as_secs(), 3);
        assert!(!leadership.held());
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewal_carries_a_write_under_way() {
        let leadership = led(3);
        let maps = maps(slow().0, &leadership);
        let writing = tokio::spawn(async move { maps.create(&PostParams::default(), &ConfigMap::default()).await });
        tokio::time::sleep(Duration::from_secs(2)).await;
        leadership.set(Some(Instant::now() + RENEW_DEADLINE));
        assert!(writing.await.unwrap().is_ok());
    }
}
