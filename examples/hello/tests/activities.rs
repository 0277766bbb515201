//! The activities, with a greeter that the test has put in the place of the real one.
#![allow(clippy::unwrap_used, clippy::panic, reason = "these are tests")]

use std::sync::{Arc, Mutex};

use hello::activities::{Activities, Guest, Words};
use hello::greeter::{Greeter, Speechless};
use temporalio_sdk::activities::ActivityError;
use temporalio_sdk::testing::{ActivityEnvironment, ActivityEnvironmentError};

/// Remembers whom it was asked for, and knows no words for some of them.
#[derive(Default)]
struct Mock {
    asked: Mutex<Vec<String>>,
}

impl Greeter for Mock {
    fn welcome(&self, name: &str) -> Result<String, Speechless> {
        self.asked.lock().unwrap().push(name.to_owned());
        if name == "Nobody" { Err(Speechless(name.to_owned())) } else { Ok(format!("<{name}>")) }
    }

    fn farewell(&self, _: &str) -> Result<String, Speechless> {
        Ok("</>".to_owned())
    }
}

fn with(greeter: Arc<Mock>, broken: bool) -> ActivityEnvironment {
    let activities = Activities { greeter, build: "b1".to_owned(), broken };
    ActivityEnvironment::builder().register_activities(activities).build()
}

fn guest(name: &str, seconds: f64) -> Guest {
    Guest { name: name.to_owned(), seconds }
}

#[tokio::test]
async fn a_guest_is_told_what_the_greeter_finds_and_which_build_said_it() {
    let mock = Arc::new(Mock::default());
    let said = with(mock.clone(), false).run(Activities::welcome, guest("Ada", 0.01)).await.unwrap();
    assert_eq!(said, Words { text: "<Ada>".to_owned(), build: "b1".to_owned() });
    assert_eq!(*mock.asked.lock().unwrap(), ["Ada"]);
}

#[tokio::test]
async fn what_will_never_work_is_not_tried_again() {
    let failed = with(Arc::default(), false).run(Activities::welcome, guest("Nobody", 0.0)).await;
    let Err(ActivityEnvironmentError::Activity(ActivityError::Application(failure))) = failed else {
        panic!("{failed:?}");
    };
    assert!(failure.is_non_retryable());
    assert!(failure.to_string().contains("Nobody"), "{failure}");
}

#[tokio::test]
async fn an_activity_ends_soon_when_its_worker_does() {
    let environment = with(Arc::default(), false);
    environment.cancel();
    let ended = environment.run(Activities::farewell, guest("Ada", 3600.0)).await;
    assert!(matches!(ended, Err(ActivityEnvironmentError::Activity(ActivityError::Cancelled { .. }))), "{ended:?}");
}

#[tokio::test]
async fn only_a_broken_build_fails_its_inspection() {
    assert_eq!(with(Arc::default(), false).run(Activities::inspect, ()).await.unwrap(), "b1");
    assert!(with(Arc::default(), true).run(Activities::inspect, ()).await.is_err());
}
