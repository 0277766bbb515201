//! Which frontend to ask, and its address.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::{ClusterRef, Entry, Role};

/// One frontend pod.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodRef {
    /// Name of the pod.
    pub name: String,
    /// Its address, as in the ring.
    pub ip: IpAddr,
}

/// A Worker Deployment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerRef {
    /// The namespace in Temporal.
    pub namespace: String,
    /// Its name.
    pub deployment: String,
}

/// Whom to ask: any frontend of a cluster, or one frontend pod.
///
/// A frontend reports its own version only, so that a rollout asks the pods one by one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    /// The cluster's resource.
    pub cluster: ClusterRef,
    /// [`Role::Frontend`] or [`Role::InternalFrontend`].
    pub role: Role,
    /// gRPC port of that role.
    pub port: u16,
    /// `None`: any ready one, through the Service.
    pub pod: Option<PodRef>,
    /// How to come in, where no resource describes the Temporal.
    pub entry: Option<Arc<Entry>>,
}

impl Target {
    /// Any frontend of a cluster.
    pub fn frontend(namespace: impl Into<String>, name: impl Into<String>, port: u16) -> Self {
        let cluster = ClusterRef { namespace: namespace.into(), name: name.into() };
        Self { cluster, role: Role::Frontend, port, pod: None, entry: None }
    }

    /// A Temporal that no resource describes.
    pub fn outside(cluster: ClusterRef, entry: Arc<Entry>) -> Self {
        Self { port: cluster.port(), cluster, role: Role::Frontend, pod: None, entry: Some(entry) }
    }

    /// Any internal frontend of the same cluster.
    pub fn internal(mut self, port: u16) -> Self {
        self.role = Role::InternalFrontend;
        self.port = port;
        self
    }

    /// One pod of the same cluster and role.
    pub fn on_pod(&self, name: impl Into<String>, ip: IpAddr) -> Self {
        Self { pod: Some(PodRef { name: name.into(), ip }), ..self.clone() }
    }

    /// `host:port` as seen from inside the Kubernetes cluster: the pod's, or the Service's
    /// (`<cluster>-<role>.<namespace>.svc`, completed by the resolver's search list), or that of a Temporal that no resource
    /// describes.
    pub fn authority(&self) -> String {
        match (&self.pod, self.cluster.address()) {
            (Some(pod), _) => SocketAddr::new(pod.ip, self.port).to_string(),
            (None, Some(address)) => address.to_owned(),
            (None, None) => format!("{}-{}.{}.svc:{}", self.cluster.name, self.role, self.cluster.namespace, self.port),
        }
    }

    /// Label selector of the frontend pods.
    pub fn selector(&self) -> String {
        format!("app.kubernetes.io/name={},app.kubernetes.io/component={}", self.cluster.name, self.role)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let any = Target::frontend("prod", "orders", 7233);
        assert_eq!(any.authority(), "orders-frontend.prod.svc:7233");
        assert_eq!(any.clone().internal(7236).authority(), "orders-internal-frontend.prod.svc:7236");
        assert_eq!(any.on_pod("p", "10.0.0.7".parse().unwrap()).authority(), "10.0.0.7:7233");
        assert_eq!(any.on_pod("p", "fd00::7".parse().unwrap()).authority(), "[fd00::7]:7233");
        assert_eq!(any.selector(), "app.kubernetes.io/name=orders,app.kubernetes.io/component=frontend");
        assert_eq!(any.cluster.to_string(), "prod/orders");
        let outside = Target::frontend("", "h.example.com:7233", 7233);
        assert_eq!(
            (outside.authority(), outside.cluster.to_string()),
            ("h.example.com:7233".into(), outside.authority())
        );
    }
}
