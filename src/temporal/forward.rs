//! A connection to a frontend pod through the API server.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::future::{BoxFuture, Fuse, FutureExt};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, Portforwarder};
use kube::{Api, Client};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

use super::Target;

/// Opens port-forwards to the frontend of one target.
#[derive(Clone)]
pub(super) struct PodForward {
    client: Client,
    target: Target,
}

impl PodForward {
    pub(super) fn new(client: Client, target: Target) -> Self {
        Self { client, target }
    }

    /// Connects to the target's pod, or to any ready one.
    pub(super) async fn connect(self) -> io::Result<TokioIo<Tunnel>> {
        let pods: Api<Pod> = Api::namespaced(self.client, &self.target.cluster.namespace);
        let name = match &self.target.pod {
            Some(pod) => pod.name.clone(),
            None => ready_pod(&pods, &self.target.selector()).await?,
        };
        let mut forwarder = pods.portforward(&name, &[self.target.port]).await.map_err(io::Error::other)?;
        let port = self.target.port;
        let (Some(stream), Some(failure)) = (forwarder.take_stream(port), forwarder.take_error(port)) else {
            return Err(io::Error::other(format!("no stream to port {port} of pod {name}")));
        };
        Ok(TokioIo::new(Tunnel { stream, failure: failure.boxed().fuse(), forwarder }))
    }
}

async fn ready_pod(pods: &Api<Pod>, selector: &str) -> io::Result<String> {
    let list = pods.list(&ListParams::default().labels(selector)).await.map_err(io::Error::other)?;
    let ready = list.items.into_iter().find(is_ready).and_then(|pod| pod.metadata.name);
    ready.ok_or_else(|| io::Error::other(format!("no pod with {selector} is ready")))
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    pod.metadata.deletion_timestamp.is_none()
        && conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// A forwarded port. The forward ends with it.
pub(super) struct Tunnel {
    stream: DuplexStream,
    /// What the kubelet says when it cannot reach the port; the stream itself would only stay silent.
    failure: Fuse<BoxFuture<'static, Option<String>>>,
    forwarder: Portforwarder,
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.forwarder.abort();
    }
}

impl AsyncRead for Tunnel {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Poll::Ready(Some(text)) = self.failure.poll_unpin(cx) {
            return Poll::Ready(Err(io::Error::other(text)));
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(yaml: serde_json::Value) -> Pod {
        serde_json::from_value(yaml).unwrap()
    }

    #[test]
    fn only_a_ready_pod_is_asked() {
        let ready = serde_json::json!({"conditions": [{"type": "Ready", "status": "True"}]});
        assert!(is_ready(&pod(serde_json::json!({"status": ready}))));
        let going = serde_json::json!({"deletionTimestamp": "2026-11-24T00:00:00Z"});
        assert!(!is_ready(&pod(serde_json::json!({"metadata": going, "status": ready}))));
        let starting = serde_json::json!({"conditions": [{"type": "Ready", "status": "False"}]});
        assert!(!is_ready(&pod(serde_json::json!({"status": starting}))));
        assert!(!is_ready(&Pod::default()));
    }
}
