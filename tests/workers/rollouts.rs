//! Versions that get their share step by step.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_version_on_which_workflows_fail_loses_its_share_for_good() {
    let world = ready().await;
    let _operator = world.operator();
    let steps = json!([{"percent": 50, "pause": "10m"}]);
    world.api.put(&worker(&json!({"rollout": {"strategy": "Progressive", "steps": steps}})));
    says(&world, Phase::Ready, "pod of version 1.0-").await;
    edit(&world, &image("2.0"));
    says(&world, Phase::Pending, "50 % of them to version 2.0").await;
    let target = status(&world).target.unwrap();
    world.temporal.workers.take_writes();

    world.temporal.workers.bad.lock().unwrap().insert(target.clone());
    says(&world, Phase::Failed, "the workflow tasks of workflow order-7 fail on it").await;
    sleep(Duration::from_secs(600)).await;
    assert_eq!(world.temporal.workers.take_writes(), ["SetRamping(None, 0.0)"], "it is not tried again");
    assert_eq!(status(&world).ramp.map(|ramp| (ramp.build_id, ramp.percent)), Some((target, 0)));
}
