//! Jobs: one pod each, which succeeds, fails or is kept running.
//!
//! Faithful: startTime and completionTime, the conditions of either end (with the `SuccessCriteriaMet`
//! and `FailureTarget` before them), the terminated container's message, suspended Jobs. Left out:
//! retries (one failure is the last), parallelism, indexes, tracking finalizers.

use serde_json::{Value, json};

use super::super::{store::now, write::text};
use super::{Sim, conditions, has_condition, lock};

impl Sim {
    pub(super) fn step_jobs(&self) {
        for job in self.living("batch", "Job").iter().filter(|job| !is_finished(job)) {
            if job["spec"]["suspend"] != true {
                self.step_job(job);
            }
        }
    }

    fn step_job(&self, job: &Value) {
        let name = text(job, "name");
        let Some(pod) = self.ensure_pod(job, &format!("{name}-0"), &job["spec"]["template"]) else {
            return;
        };
        let (held, failure) = {
            let knobs = lock(&self.knobs);
            (knobs.hold_jobs, (knobs.job_failure)(name))
        };
        if held {
            self.report_running(&pod, true);
            self.report_job(job, json!({"active": 1, "ready": 1}));
            return;
        }
        self.report_ended(&pod, failure.as_deref());
        let ended = match failure {
            Some(_) => json!({
                "active": null,
                "ready": 0,
                "failed": 1,
                "conditions": conditions(job, &[
                    ("FailureTarget", "True", "BackoffLimitExceeded", BACKOFF),
                    ("Failed", "True", "BackoffLimitExceeded", BACKOFF),
                ]),
            }),
            None => json!({
                "active": null,
                "ready": 0,
                "succeeded": 1,
                "completionTime": now(),
                "conditions": conditions(job, &[
                    ("SuccessCriteriaMet", "True", "CompletionsReached", REACHED),
                    ("Complete", "True", "CompletionsReached", REACHED),
                ]),
            }),
        };
        self.report_job(job, ended);
    }

    fn report_job(&self, job: &Value, mut status: Value) {
        let started = job["status"]["startTime"].clone();
        status["startTime"] = if started.is_null() { now().into() } else { started };
        status["terminating"] = 0.into();
        self.patch(job, Some("status"), json!({"status": status}));
    }

    pub(super) fn expire_jobs(&self) {
        for job in self.living("batch", "Job") {
            if is_finished(&job) && !job["spec"]["ttlSecondsAfterFinished"].is_null() {
                self.delete(&job);
            }
        }
    }
}

const BACKOFF: &str = "Job has reached the specified backoff limit";
const REACHED: &str = "Reached expected number of succeeded pods";

fn is_finished(job: &Value) -> bool {
    has_condition(job, "Complete") || has_condition(job, "Failed")
}
