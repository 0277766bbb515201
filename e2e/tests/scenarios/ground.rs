//! A Temporal cluster that the scenarios of workers share, each with a worker of its own on it.

use std::sync::{Arc, Weak};

use serde_json::{Value, json};
use tokio::sync::{Mutex, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock, RwLockReadGuard};

use super::bed::{Bed, OPERATOR_LIVES, full};
use super::cluster::{Cluster, Scene, VERSION, manifest};
use super::places::Place;

/// Whoever comes while another has it gets the same.
static SHARED: Mutex<Weak<Shared>> = Mutex::const_new(Weak::new());

struct Shared {
    namespace: String,
    uses: Arc<RwLock<()>>,
}

impl Drop for Shared {
    /// The last one removes it; what failed stays for a look.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let args = ["delete", "namespace", &self.namespace, "--wait=false"];
            let _ = Bed::get().kubectl(&self.namespace, &args);
        }
    }
}

/// The cluster, for one scenario.
pub struct Ground {
    /// The cluster.
    pub cluster: Cluster,
    _use: Use,
    _shared: Arc<Shared>,
    _operator: RwLockReadGuard<'static, ()>,
    _place: Place,
}

#[allow(dead_code, reason = "held, not looked at")]
enum Use {
    Beside(OwnedRwLockReadGuard<()>),
    Alone(OwnedRwLockWriteGuard<()>),
}

impl Ground {
    /// Beside other scenarios.
    pub async fn beside() -> Self {
        Self::enter("workers", async |uses| Use::Beside(uses.read_owned().await)).await
    }

    /// When all the others have ended: for whoever takes Temporal away.
    pub async fn alone() -> Self {
        Self::enter("workers-alone", async |uses| Use::Alone(uses.write_owned().await)).await
    }

    async fn enter(title: &str, turn: impl AsyncFnOnce(Arc<RwLock<()>>) -> Use) -> Self {
        Bed::get();
        let place = Place::take(title).await;
        // before the turn: who kills the operator waits for those who have this, and they may wait for each other
        let operator = OPERATOR_LIVES.read().await;
        let shared = shared().await;
        let used = turn(shared.uses.clone()).await;
        let client = Bed::get().client().await;
        let cluster = Cluster { namespace: shared.namespace.clone(), name: "main".to_owned(), client };
        Self { cluster, _use: used, _shared: shared, _operator: operator, _place: place }
    }
}

async fn shared() -> Arc<Shared> {
    let mut known = SHARED.lock().await;
    if let Some(shared) = known.upgrade() {
        return shared;
    }
    let scene = Scene::within("workers").await;
    scene.postgres().await;
    let mut spec = manifest(VERSION);
    spec["metrics"] = json!({"enabled": true, "prometheus": {"listenPort": 9090}});
    // what a user waits minutes for is to be seen in seconds
    let value = |value: Value| json!([{"value": value}]);
    spec["dynamicConfig"] = json!({"values": {
        "matching.wv.VersionDrainageStatusVisibilityGracePeriod": value("5s".into()),
        "matching.wv.VersionDrainageStatusRefreshInterval": value("5s".into()),
        "matching.PollerHistoryTTL": value("10s".into()),
        // who polls is known from when a poll began
        "matching.longPollExpirationInterval": value("5s".into()),
    }});
    if !full() {
        let problems = "system.numConsecutiveWorkflowTaskProblemsToTriggerSearchAttribute";
        spec["dynamicConfig"]["values"][problems] = value(3.into());
    }
    let (cluster, _) = scene.create("main", &spec).await;
    cluster.register_namespace().await;
    let shared = Arc::new(Shared { namespace: scene.namespace, uses: Arc::default() });
    *known = Arc::downgrade(&shared);
    shared
}
