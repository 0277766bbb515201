//! Workflows on a real Temporal, with a greeter of the test's. It needs Temporal's command line tool, which brings a small
//! server: `TEMPORAL_CLI=$(command -v temporal) cargo test -- --ignored`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "these are tests")]

use std::sync::Arc;

use hello::activities::{Activities, Guest};
use hello::greeter::{Greeter, Speechless};
use hello::workflows::{Greeted, Greeting, Stay, Visit};
use temporalio_client::{WorkflowGetResultOptions, WorkflowSignalOptions, WorkflowStartOptions};
use temporalio_sdk::testing::{EphemeralExe, LocalWorkflowEnvironmentOptions, WorkflowEnvironment};
use temporalio_sdk::{Runtime, Worker, WorkerOptions};

struct Mock;

impl Greeter for Mock {
    fn welcome(&self, name: &str) -> Result<String, Speechless> {
        Ok(format!("<{name}>"))
    }

    fn farewell(&self, name: &str) -> Result<String, Speechless> {
        Ok(format!("</{name}>"))
    }
}

#[tokio::test]
#[ignore = "needs Temporal's command line tool"]
async fn workflows_say_what_their_activities_find() {
    let tool = std::env::var("TEMPORAL_CLI").expect("TEMPORAL_CLI names Temporal's command line tool");
    let options =
        LocalWorkflowEnvironmentOptions::builder().server_executable(EphemeralExe::ExistingPath(tool)).build();
    let server = WorkflowEnvironment::start_local(options).await.unwrap();
    let client = server.client().clone();
    let runtime = Runtime::from_current_tokio(Default::default()).unwrap();
    let activities = Activities { greeter: Arc::new(Mock), build: "b1".to_owned(), broken: false };
    let options = WorkerOptions::new("test").register_activities(activities);
    let options = options.register_workflow::<Greeting>().unwrap().register_workflow::<Visit>().unwrap().build();
    let mut worker = Worker::new(&runtime, client.clone(), options).unwrap();
    let stop = worker.shutdown_handle();

    let talk = async {
        let ada = || Guest { name: "Ada".to_owned(), seconds: 0.0 };
        let start = |id: &str| WorkflowStartOptions::new("test", id).build();
        let result = WorkflowGetResultOptions::default;
        let greeting = client.start_workflow(Greeting::run, ada(), start("greeting")).await.unwrap();
        let greeted: Greeted = greeting.get_result(result()).await.unwrap();
        assert_eq!((greeted.text.as_str(), greeted.activity_build.as_str()), ("<Ada>", "b1"));

        let stay = Stay { guest: ada(), at_most: 3600 };
        let visit = client.start_workflow(Visit::run, stay, start("visit")).await.unwrap();
        visit.signal(Visit::leave, (), WorkflowSignalOptions::default()).await.unwrap();
        let visited = visit.get_result(result()).await.unwrap();
        assert_eq!((visited.welcome.as_str(), visited.farewell.as_str()), ("<Ada>", "</Ada>"));
        stop();
    };
    let (ran, ()) = tokio::join!(worker.run(), talk);
    ran.unwrap();
    server.shutdown().await.unwrap();
}
