use super::*;

fn definition() -> Definition {
    let calendar = Calendar { hour: [8, 12, 16].into(), year: Some([2027].into()), ..Calendar::default() };
    Definition {
        times: Times {
            calendars: [calendar, Calendar { comment: "noon".into(), ..Calendar::default() }].into(),
            intervals: [Interval { every: Duration::from_secs(3600), offset: Duration::from_millis(1500) }].into(),
            excluded: [Calendar { month: [12].into(), ..Calendar::default() }].into(),
            start: Timestamp::new(1_800_000_000, 0).ok(),
            end: Timestamp::new(1_900_000_000, 5).ok(),
            jitter: Duration::from_secs(60),
            time_zone: "Europe/Paris".into(),
        },
        workflow: Workflow {
            id: Some("report".into()),
            type_: "Report".into(),
            task_queue: "reports".into(),
            inputs: vec![Input::Json(serde_json::json!({"a": [1, null]})), Input::Json(Value::Null)],
            run_timeout: Duration::from_secs(60),
            retry: Some(Retry { coefficient: 1.5, attempts: 3, fatal: vec!["Broken".into()], ..Retry::default() }),
            memo: BTreeMap::from([("why".into(), Input::Json("because".into()))]),
            search_attributes: Map::from_iter([("Team".into(), "a".into())]),
            ..Workflow::default()
        },
        policy: Policy { overlap: 3, pause_on_failure: true, ..Policy::default() },
        search_attributes: Some(Map::from_iter([("Team".into(), "b".into())])),
    }
}

/// What a server would answer to a description.
fn answer(schedule: Schedule, definition: &Definition) -> DescribeScheduleResponse {
    let mut indexed_fields = definition.search_attributes.as_ref().map(attributes).unwrap_or_default();
    for payload in indexed_fields.values_mut() {
        payload.metadata.insert("type".into(), b"Keyword".to_vec());
    }
    indexed_fields.insert("TemporalSchedulePaused".into(), json(&Value::Bool(false)));
    DescribeScheduleResponse {
        schedule: Some(schedule),
        search_attributes: Some(SearchAttributes { indexed_fields }),
        ..DescribeScheduleResponse::default()
    }
}

#[test]
fn what_is_sent_is_what_is_read() {
    let (definition, state) = (definition(), State { notes: "n".into(), limited: true, remaining: 3, paused: true });
    let found = found(answer(laid_over(Schedule::default(), &definition, &state, "id"), &definition));
    assert_eq!((found.definition, found.state), (definition, state));
}

#[test]
fn what_no_manifest_can_say_is_handed_back() {
    let other = NewWorkflowExecutionInfo {
        workflow_id: "of-others".into(),
        user_metadata: vec![10, 1, 65],
        priority: vec![8, 2],
        ..NewWorkflowExecutionInfo::default()
    };
    let base = Schedule {
        spec: Some(ScheduleSpec { timezone_data: b"TZif".to_vec(), ..ScheduleSpec::default() }),
        action: Some(ScheduleAction { action: Some(Action::StartWorkflow(other)) }),
        policies: Some(SchedulePolicies { keep_original_workflow_id: true, ..SchedulePolicies::default() }),
        state: None,
    };
    let raw = found(answer(base, &Definition::default())).raw;
    let wanted =
        Definition { workflow: Workflow { type_: "T".into(), ..Workflow::default() }, ..Definition::default() };
    let sent = laid_over(Schedule::decode(raw.as_slice()).unwrap(), &wanted, &State::default(), "id");
    assert_eq!(sent.spec.unwrap().timezone_data, b"TZif");
    assert!(sent.policies.unwrap().keep_original_workflow_id);
    let Some(Action::StartWorkflow(info)) = sent.action.unwrap().action else { panic!("no workflow") };
    assert_eq!(
        (info.workflow_id.as_str(), info.user_metadata, info.priority),
        ("of-others", vec![10, 1, 65], vec![8, 2])
    );
    assert_eq!(info.workflow_type.unwrap().name, "T");
}

#[test]
fn a_new_workflow_is_named_after_the_schedule() {
    let sent = laid_over(Schedule::default(), &Definition::default(), &State::default(), "nightly");
    let Some(Action::StartWorkflow(info)) = sent.action.unwrap().action else { panic!("no workflow") };
    assert_eq!(info.workflow_id, "nightly");
}

#[test]
fn values_of_others_are_known_by_their_encoding() {
    let payload = |encoding: &str| Payload {
        metadata: HashMap::from([(ENCODING.to_owned(), encoding.as_bytes().to_vec())]),
        data: b"x".to_vec(),
    };
    assert_eq!(input(&payload(NULL)), Input::Json(Value::Null));
    assert_eq!(input(&payload("binary/encrypted")), Input::Other("binary/encrypted".into()));
    assert_eq!(input(&payload(JSON)), Input::Other(JSON.into()));
}

#[test]
fn policies_that_a_server_leaves_out_are_its_defaults() {
    assert_eq!(policy(SchedulePolicies::default()), Policy::default());
}
