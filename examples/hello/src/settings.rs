//! What a worker is told by its environment. Where Temporal is (`TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`,
//! `TEMPORAL_TLS_…`, `TEMPORAL_API_KEY`) the SDK reads itself, see [`crate::connection`].

use std::net::SocketAddr;

use clap::Parser;
use temporalio_common::worker::{VersioningBehavior, WorkerDeploymentOptions, WorkerDeploymentVersion};

use crate::greeter::Language;

/// Polls Temporal and greets.
#[derive(Clone, Debug, Parser)]
#[command(name = "hello-worker", version)]
pub struct Settings {
    /// Task queue of the workflows that stay on the version they began on. Those that move to the newest version are on
    /// the same name with `-moving` at its end.
    #[arg(long, env = "TASK_QUEUE", default_value = "hello")]
    pub task_queue: String,
    /// The Worker Deployment that this worker belongs to. Versioned when it and the build id are given.
    #[arg(long, env = "TEMPORAL_DEPLOYMENT_NAME")]
    pub deployment: Option<String>,
    /// The build that this worker is.
    #[arg(long, env = "TEMPORAL_WORKER_BUILD_ID")]
    pub build_id: Option<String>,
    /// Language of the greetings: en, de or fr.
    #[arg(long, env = "HELLO_LANGUAGE", default_value = "en")]
    pub language: Language,
    /// Activities at a time, on each task queue.
    #[arg(long, env = "HELLO_SLOTS", default_value_t = 20)]
    pub slots: usize,
    /// How this build is broken, to see what becomes of it: 1, and the workflow Check finds it so; `tasks`, and it does
    /// not know the workflow Greeting.
    #[arg(long, env = "HELLO_BROKEN", default_value = "0")]
    pub broken: String,
    /// Seconds that activities may go on after the end was asked for.
    #[arg(long, env = "HELLO_DRAIN_SECONDS", default_value_t = 20)]
    pub drain_seconds: u64,
    /// Where /healthz and /readyz are.
    #[arg(long, env = "HEALTH_ADDRESS", default_value = "0.0.0.0:8080")]
    pub health: SocketAddr,
}

/// A task queue and what its workflows do when a new version comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// Whether its workflows stay or move.
    pub behavior: VersioningBehavior,
}

impl Settings {
    /// The task queues that this worker polls. The SDK takes one behaviour for each worker, hence two of them.
    pub fn queues(&self) -> [Queue; 2] {
        let queue = |name: String, behavior| Queue { name, behavior };
        [
            queue(self.task_queue.clone(), VersioningBehavior::Pinned),
            queue(moving(&self.task_queue), VersioningBehavior::AutoUpgrade),
        ]
    }

    /// The version that this worker is, when it is versioned.
    pub fn version(&self) -> Option<WorkerDeploymentVersion> {
        let name = self.deployment.as_deref().filter(|name| !name.is_empty())?;
        let build = self.build_id.as_deref().filter(|build| !build.is_empty())?;
        Some(WorkerDeploymentVersion::builder().deployment_name(name).build_id(build).build())
    }

    /// How Temporal routes work to this worker, for one of its queues.
    pub fn deployment_options(&self, behavior: VersioningBehavior) -> WorkerDeploymentOptions {
        match self.version() {
            Some(version) => WorkerDeploymentOptions::new(version)
                .use_worker_versioning(true)
                .default_versioning_behavior(behavior)
                .build(),
            None => WorkerDeploymentOptions::from_build_id(env!("CARGO_PKG_VERSION").to_owned()),
        }
    }

    /// Whether this build is to be found broken.
    pub fn is_broken(&self) -> bool {
        self.broken == "1"
    }

    /// Whether this build has forgotten a workflow, so that its tasks fail.
    pub fn is_forgetful(&self) -> bool {
        self.broken == "tasks"
    }
}

/// The task queue beside `queue` whose workflows move to the newest version.
pub fn moving(queue: &str) -> String {
    format!("{queue}-moving")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(args: &[&str]) -> Settings {
        Settings::try_parse_from([&["hello-worker"], args].concat()).unwrap()
    }

    #[test]
    fn a_worker_is_versioned_when_it_knows_deployment_and_build() {
        let both = settings(&["--deployment", "team/hello", "--build-id", "b1"]);
        let version = both.version().unwrap();
        assert_eq!((version.deployment_name.as_str(), version.build_id.as_str()), ("team/hello", "b1"));
        let options = both.deployment_options(VersioningBehavior::Pinned);
        assert!(options.use_worker_versioning);
        assert_eq!(options.default_versioning_behavior, Some(VersioningBehavior::Pinned));

        for half in [&["--deployment", "team/hello"][..], &["--build-id", "b1", "--deployment", ""]] {
            assert!(!settings(half).deployment_options(VersioningBehavior::Pinned).use_worker_versioning, "{half:?}");
        }
    }

    #[test]
    fn workflows_stay_on_one_queue_and_move_on_the_other() {
        let [stay, go] = settings(&["--task-queue", "orders"]).queues();
        assert_eq!((stay.name.as_str(), stay.behavior), ("orders", VersioningBehavior::Pinned));
        assert_eq!((go.name.as_str(), go.behavior), ("orders-moving", VersioningBehavior::AutoUpgrade));
    }
}
