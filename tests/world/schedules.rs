//! The schedules of the simulated Temporal.

use super::SimTemporal;
use temporal_operator::schedule::{Change, Found};
use temporal_operator::temporal::{Answer, NewSchedule, ScheduleRef, Schedules, Target};

impl Schedules for SimTemporal {
    fn describe_schedule<'a>(&'a self, target: &'a Target, which: &'a ScheduleRef) -> Answer<'a, Option<Found>> {
        self.schedules.describe_schedule(target, which)
    }

    fn create_schedule<'a>(
        &'a self,
        target: &'a Target,
        which: &'a ScheduleRef,
        new: &'a NewSchedule,
    ) -> Answer<'a, ()> {
        self.ends.write(|| self.schedules.create_schedule(target, which, new))
    }

    fn update_schedule<'a>(&'a self, target: &'a Target, which: &'a ScheduleRef, change: &'a Change) -> Answer<'a, ()> {
        self.ends.write(|| self.schedules.update_schedule(target, which, change))
    }

    fn delete_schedule<'a>(&'a self, target: &'a Target, which: &'a ScheduleRef) -> Answer<'a, ()> {
        self.ends.write(|| self.schedules.delete_schedule(target, which))
    }
}
