//! Connections to frontends: how they are reached, and how long they are kept.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyper_util::rt::TokioIo;
use kube::Client;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Endpoint;

use super::entry::Pass;
use super::forward::PodForward;
use super::{ClusterRef, Target, TemporalError};

/// A connection that nobody has used for this long is closed. The server closes them after about 5 minutes too
/// (`frontend.keepAliveMaxConnectionAge`).
const IDLE: Duration = Duration::from_secs(180);

/// Most connections that are kept; each takes some 40 KiB. Of more clusters the one that has not been used for longest is
/// closed, and made anew when it is its turn.
const MOST: usize = 100;

/// How long the lookup of a name may take.
const LOOKUP: Duration = Duration::from_secs(2);

/// A connection, with what each call on it brings along.
pub(super) type Channel = InterceptedService<tonic::transport::Channel, Pass>;

/// How frontends are reached.
#[derive(Clone)]
pub enum Reach {
    /// From inside the Kubernetes cluster: by the Service's DNS name or the pod's address.
    Service,
    /// From outside: by a port-forward through the API server to a ready frontend pod.
    PortForward(Client),
}

/// Makes connections and keeps one for each target.
pub(super) struct Dialer {
    reach: Reach,
    kept: Mutex<BTreeMap<Target, Kept>>,
    /// Counts the connections made.
    made: AtomicU64,
}

struct Kept {
    channel: Channel,
    /// Tells this connection from a later one to the same target.
    made: u64,
    used: Instant,
}

/// A connection in use.
pub(super) struct Line {
    pub(super) channel: Channel,
    made: u64,
}

impl Dialer {
    pub(super) fn new(reach: Reach) -> Self {
        Self { reach, kept: Mutex::default(), made: AtomicU64::default() }
    }

    /// The connection to a target. A new one connects on its first call, not here.
    pub(super) fn line(&self, target: &Target, call: &'static str) -> Result<Line, TemporalError> {
        self.line_at(target, call, Instant::now())
    }

    fn line_at(&self, target: &Target, call: &'static str, now: Instant) -> Result<Line, TemporalError> {
        let mut kept = self.lock();
        kept.retain(|_, line| now.saturating_duration_since(line.used) < IDLE);
        if let Some(line) = kept.get_mut(target) {
            line.used = now;
            return Ok(Line { channel: line.channel.clone(), made: line.made });
        }
        let channel = self.open(target).map_err(|error| TemporalError::Protocol {
            call,
            detail: format!("{} is not an address: {error}", target.authority()),
        })?;
        let made = self.made.fetch_add(1, Ordering::Relaxed);
        if kept.len() >= MOST {
            // whoever is in a call on it has a share of it until that ends
            let oldest = kept.iter().min_by_key(|(_, line)| line.used).map(|(target, _)| target.clone());
            oldest.and_then(|target| kept.remove(&target));
        }
        kept.insert(target.clone(), Kept { channel: channel.clone(), made, used: now });
        Ok(Line { channel, made })
    }

    /// Does not hand this connection out again: the next call resolves the name anew and may meet another pod.
    pub(super) fn hang_up(&self, target: &Target, line: &Line) {
        let mut kept = self.lock();
        if kept.get(target).is_some_and(|now| now.made == line.made) {
            kept.remove(target);
        }
    }

    /// Closes every connection to a cluster.
    pub(super) fn forget(&self, cluster: &ClusterRef) {
        self.lock().retain(|target, _| target.cluster != *cluster);
    }

    /// The one place that knows how to connect. A Temporal that no resource describes has an address that leads there from
    /// everywhere.
    fn open(&self, target: &Target) -> Result<Channel, tonic::transport::Error> {
        let authority = target.authority();
        let endpoint = match &target.entry {
            Some(entry) => entry.endpoint(&authority)?,
            None => Endpoint::from_shared(format!("http://{authority}"))?,
        };
        let endpoint = endpoint.user_agent(concat!("temporal-operator/", env!("CARGO_PKG_VERSION")))?;
        let channel = match &self.reach {
            Reach::PortForward(client) if target.entry.is_none() => {
                let forward = PodForward::new(client.clone(), target.clone());
                endpoint.connect_with_connector_lazy(tower::service_fn(move |_| forward.clone().connect()))
            }
            Reach::Service | Reach::PortForward(_) => {
                endpoint.connect_with_connector_lazy(tower::service_fn(move |_| connect(authority.clone())))
            }
        };
        let pass = target.entry.as_ref().map(|entry| entry.pass()).unwrap_or_default();
        Ok(InterceptedService::new(channel, pass))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Target, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }
}

/// Connects by name. The lookup has a deadline of its own, within the call's: where the cluster's DNS is away, the resolver
/// tries for up to half a minute, and the call would end without saying why.
async fn connect(authority: String) -> io::Result<TokioIo<TcpStream>> {
    let why = match timeout(LOOKUP, lookup_host(&authority)).await {
        Ok(Ok(found)) => {
            let addresses: Vec<SocketAddr> = found.collect();
            let stream = TcpStream::connect(addresses.as_slice()).await?;
            stream.set_nodelay(true)?;
            return Ok(TokioIo::new(stream));
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer of the DNS server within {LOOKUP:?}"),
    };
    Err(io::Error::other(format!("the name {authority} cannot be looked up: {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_that_is_not_known_is_named() {
        let error = connect("nothing.invalid:7233".to_owned()).await.err().unwrap().to_string();
        assert!(error.starts_with("the name nothing.invalid:7233 cannot be looked up: "), "{error}");
    }

    #[tokio::test]
    async fn lines_are_kept_hung_up_forgotten_and_expire() {
        let dialer = Dialer::new(Reach::Service);
        let (one, two) = (Target::frontend("ns", "one", 1), Target::frontend("ns", "two", 1));
        let first = dialer.line(&one, "X").unwrap();
        assert_eq!(first.made, dialer.line(&one, "X").unwrap().made);
        dialer.hang_up(&one, &first);
        let second = dialer.line(&one, "X").unwrap();
        assert_ne!(first.made, second.made);
        dialer.hang_up(&one, &first);
        assert_eq!(second.made, dialer.line(&one, "X").unwrap().made, "an old line does not close a new one");

        dialer.line(&two, "X").unwrap();
        dialer.forget(&one.cluster);
        assert_eq!(dialer.len(), 1);
        dialer.line_at(&one, "X", Instant::now() + IDLE).unwrap();
        assert_eq!(dialer.len(), 1);
    }

    #[tokio::test]
    async fn of_many_the_least_used_is_closed() {
        let dialer = Dialer::new(Reach::Service);
        let (start, target) = (Instant::now(), |number: usize| Target::frontend("ns", format!("c{number}"), 1));
        let line =
            |number, seconds| dialer.line_at(&target(number), "X", start + Duration::from_secs(seconds)).unwrap();
        let first = line(0, 0);
        (1..MOST).for_each(|number| drop(line(number, 1)));
        assert_eq!(line(0, 2).made, first.made);
        line(MOST, 3);
        assert_eq!(dialer.len(), MOST);
        assert_eq!(line(0, 4).made, first.made, "it was used since");
    }

    #[tokio::test]
    async fn a_bad_name_is_a_bug() {
        let error = Dialer::new(Reach::Service).line(&Target::frontend("n s", "a", 1), "X").err().unwrap();
        assert_eq!(error.class(), "Protocol");
    }
}
