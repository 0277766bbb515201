//! An operator that is killed before and after the answer to each write of a change, to the API server and to Temporal.

use super::{OPERATOR, World};
use crate::fake_api::Cut;
use std::fmt::Debug;
use std::time::Duration;
use tokio::time::timeout;

/// A change that an operator carries out.
pub trait Change: Copy + Debug {
    /// What there is in the end, without what differs from run to run.
    type End: PartialEq + Debug;

    /// The world as it is before the change.
    async fn before(self) -> World;
    /// The change.
    fn make(self, world: &World);
    /// Waits until it is carried out.
    async fn done(self, world: &World);
    /// What there is then.
    fn end(self, world: &World) -> Self::End;
}

/// Kills an operator at each write, starts another, and expects the end that an undisturbed one reaches; that end. The change
/// takes so many writes at `least`.
pub async fn converges<C: Change>(change: C, least: usize) -> C::End {
    let world = change.before().await;
    let told = world.temporal.ends.writes();
    let operator = world.operator();
    change.make(&world);
    change.done(&world).await;
    let expected = change.end(&world);
    let writes = world.writes().iter().filter(|c| c.changed).count();
    let told = world.temporal.ends.writes() - told;
    drop(operator);
    assert!(writes >= least, "{change:?} takes only {writes} writes");
    for nth in 1..=writes {
        for cut in [Cut::BeforeAnswer, Cut::AfterAnswer] {
            let world = change.before().await;
            let kill = world.api.kill_after_matching(OPERATOR, nth, cut, |call| call.resource != "events");
            let first = world.operator();
            change.make(&world);
            let _ = timeout(Duration::from_secs(120), kill.fired()).await;
            drop(first);
            let _second = world.operator();
            change.done(&world).await;
            assert_eq!(change.end(&world), expected, "{change:?} killed {cut:?} write {nth} of {writes}");
        }
    }
    for (nth, carried_out) in (1..=told).flat_map(|nth| [(nth, false), (nth, true)]) {
        let world = change.before().await;
        world.temporal.ends.order(nth, carried_out);
        let first = world.operator();
        change.make(&world);
        let reached = timeout(Duration::from_secs(120), world.temporal.ends.reached()).await;
        assert!(reached.is_ok(), "{change:?}: write {nth} of {told} to Temporal never came");
        drop(first);
        let _second = world.operator();
        change.done(&world).await;
        let what = if carried_out { "carried out" } else { "lost" };
        assert_eq!(change.end(&world), expected, "{change:?} killed at write {nth} of {told} to Temporal, {what}");
    }
    expected
}
