//! Whether the workflows still decide as they once did: histories that were recorded are run again. Who changes a workflow
//! in a way that workflows under way would not survive finds it here, and gives it a new version or a patch marker.
//!
//! `hello history ID` prints the history of a workflow as it is kept here.
#![allow(clippy::unwrap_used, clippy::panic, reason = "these are tests")]

use hello::workflows::{Greeting, Visit};
use temporalio_client::WorkflowHistory;
use temporalio_sdk::workflow_replayer::{WorkflowReplayer, WorkflowReplayerOptions};

fn replayer() -> WorkflowReplayer {
    let options = WorkflowReplayerOptions::new().register_workflow::<Greeting>().unwrap();
    WorkflowReplayer::new(options.register_workflow::<Visit>().unwrap().build()).unwrap()
}

fn history(text: &str) -> WorkflowHistory {
    WorkflowHistory::from_json(text.as_bytes()).unwrap()
}

#[tokio::test]
async fn a_greeting_decides_as_it_did() {
    replayer().replay_workflow(history(include_str!("histories/greeting.json"))).await.unwrap();
}

#[tokio::test]
async fn a_visit_that_was_told_to_leave_decides_as_it_did() {
    replayer().replay_workflow(history(include_str!("histories/visit.json"))).await.unwrap();
}

#[tokio::test]
async fn a_history_of_other_code_is_noticed() {
    let other = include_str!("histories/greeting.json").replace("\"welcome\"", "\"farewell\"");
    let failed = replayer().replay_workflow(history(&other)).await.unwrap_err();
    assert!(failed.to_string().to_lowercase().contains("nondetermin"), "{failed}");
}
