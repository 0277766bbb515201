//! What Kubernetes' probes ask: `/healthz`, whether the process answers, and `/readyz`, whether it takes work.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;

/// Whether the worker takes work. All clones are one.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// From now on it does, or does not.
    pub fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Relaxed);
    }

    fn status(&self) -> StatusCode {
        if self.0.load(Ordering::Relaxed) { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
    }
}

/// Answers probes until the process ends.
pub async fn serve(address: SocketAddr, readiness: Readiness) -> Result<()> {
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
    axum::serve(listener, routes(readiness)).await.context("the probes are not answered any more")
}

fn routes(readiness: Readiness) -> Router {
    Router::new()
        .route("/healthz", get(|| async { StatusCode::OK }))
        .route("/readyz", get(|State(readiness): State<Readiness>| async move { readiness.status() }))
        .with_state(readiness)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_ready_only_between_its_start_and_its_end() {
        let readiness = Readiness::default();
        assert_eq!(readiness.status(), StatusCode::SERVICE_UNAVAILABLE);
        let other = readiness.clone();
        other.set(true);
        assert_eq!(readiness.status(), StatusCode::OK);
        other.set(false);
        assert_eq!(readiness.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
}
