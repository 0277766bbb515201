//! An operator that is killed before and after the answer to each write of a change.

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
    let operator = world.operator();
    change.make(&world);
    change.done(&world).await;
    let expected = change.end(&world);
    let writes = world.writes().iter().filter(|c| c.changed).count();
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
    expected
}
