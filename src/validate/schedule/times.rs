//! Rules of `schedule.spec`.

use super::{duration, optional_duration};
use crate::api::schedule::{CalendarSpec, IntervalSpec, RangeSpec, TimesSpec};
use crate::schedule::{Calendar, CronTimes, Interval, Range, Times, parse_cron};
use crate::validate::Problems;
use std::collections::BTreeSet;
use std::time::Duration;

const PATH: &str = "spec.schedule.spec";
const LONGEST_COMMENT: usize = 200;

/// Reads when the schedule acts.
pub(super) fn read(spec: Option<&TimesSpec>, problems: &mut Problems) -> Times {
    let Some(spec) = spec else { return Times::default() };
    let mut times = Times {
        calendars: calendars("calendars", spec.calendars.as_deref(), problems),
        excluded: calendars("excludeCalendars", spec.exclude_calendars.as_deref(), problems),
        intervals: intervals(spec.intervals.as_deref(), problems),
        start: spec.start_at.as_ref().map(|time| time.0),
        end: spec.end_at.as_ref().map(|time| time.0),
        jitter: optional_duration(&format!("{PATH}.jitter"), spec.jitter.as_deref(), problems),
        time_zone: time_zone(spec.timezone_name.as_deref(), problems),
    };
    if let (Some(start), Some(end)) = (times.start, times.end) {
        let message = "is after endAt, so that the schedule would never act; give a later end";
        problems.require(start <= end, &format!("{PATH}.startAt"), message);
    }
    crons(spec.crons.as_deref().unwrap_or_default(), &mut times, problems);
    times
}

/// Cron strings become calendars and intervals, as Temporal does it.
fn crons(texts: &[String], times: &mut Times, problems: &mut Problems) {
    let mut zones = BTreeSet::new();
    for (i, text) in texts.iter().enumerate() {
        match parse_cron(text) {
            Ok((zone, CronTimes::Calendar(calendar))) => {
                zones.insert(zone);
                times.calendars.insert(*calendar);
            }
            Ok((zone, CronTimes::Interval(interval))) => {
                zones.insert(zone);
                times.intervals.insert(interval);
            }
            Err(wrong) => problems.add(
                format!("{PATH}.crons[{i}]"),
                format!("{wrong}; write 5, 6 or 7 fields as in '0 12 * * MON-FRI', @daily or '@every 30m'"),
            ),
        }
    }
    problems.require(
        zones.len() <= 1,
        &format!("{PATH}.crons"),
        "name different time zones; name one in timezoneName and none here",
    );
    let Some(zone) = zones.into_iter().next().filter(|zone| !zone.is_empty()) else { return };
    problems.require(
        times.time_zone.is_empty() || times.time_zone == zone,
        &format!("{PATH}.timezoneName"),
        "a cron string names another time zone; name it once",
    );
    times.time_zone = time_zone(Some(&zone), problems);
}

fn time_zone(name: Option<&str>, problems: &mut Problems) -> String {
    let name = name.unwrap_or_default();
    let part = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_+".contains(c));
    let begins = name.chars().next().is_none_or(|c| c.is_ascii_alphabetic());
    problems.require(
        name.is_empty() || (begins && name.split('/').all(part)),
        &format!("{PATH}.timezoneName"),
        "must be an IANA name such as Europe/Paris or UTC, not an offset",
    );
    name.to_owned()
}

fn intervals(specs: Option<&[IntervalSpec]>, problems: &mut Problems) -> BTreeSet<Interval> {
    let mut all = BTreeSet::new();
    for (i, spec) in specs.unwrap_or_default().iter().enumerate() {
        let path = format!("{PATH}.intervals[{i}]");
        let every = duration(&format!("{path}.every"), &spec.every, problems);
        let offset = optional_duration(&format!("{path}.offset"), spec.offset.as_deref(), problems);
        problems.require(
            every >= Duration::from_secs(1),
            &format!("{path}.every"),
            "must be at least 1s, the shortest distance that Temporal keeps",
        );
        problems.require(
            offset < every,
            &format!("{path}.offset"),
            "must be less than every; take whole distances off it",
        );
        all.insert(Interval { every, offset });
    }
    all
}

fn calendars(field: &str, specs: Option<&[CalendarSpec]>, problems: &mut Problems) -> BTreeSet<Calendar> {
    let specs = specs.unwrap_or_default().iter().enumerate();
    specs.map(|(i, spec)| calendar(&format!("{PATH}.{field}[{i}]"), spec, problems)).collect()
}

fn calendar(path: &str, spec: &CalendarSpec, problems: &mut Problems) -> Calendar {
    let all = Calendar::default();
    let mut numbers = |name: &str, ranges: &Option<Vec<RangeSpec>>, (min, max): (i32, i32)| {
        let ranges = ranges.as_deref().filter(|ranges| !ranges.is_empty())?;
        let mut numbers = BTreeSet::new();
        for (i, range) in ranges.iter().enumerate() {
            numbers.extend(range_of(&format!("{path}.{name}[{i}]"), range, min, max, problems).numbers());
        }
        Some(numbers)
    };
    let calendar = Calendar {
        second: numbers("second", &spec.second, (0, 59)).unwrap_or(all.second),
        minute: numbers("minute", &spec.minute, (0, 59)).unwrap_or(all.minute),
        hour: numbers("hour", &spec.hour, (0, 23)).unwrap_or(all.hour),
        day_of_month: numbers("dayOfMonth", &spec.day_of_month, (1, 31)).unwrap_or(all.day_of_month),
        month: numbers("month", &spec.month, (1, 12)).unwrap_or(all.month),
        year: numbers("year", &spec.year, (2000, 2100)),
        day_of_week: numbers("dayOfWeek", &spec.day_of_week, (0, 6)).unwrap_or(all.day_of_week),
        comment: spec.comment.clone().unwrap_or_default(),
    };
    problems.require(
        calendar.comment.len() <= LONGEST_COMMENT,
        &format!("{path}.comment"),
        "at most 200 bytes; shorten it",
    );
    calendar
}

fn range_of(path: &str, spec: &RangeSpec, min: i32, max: i32, problems: &mut Problems) -> Range {
    let start = spec.start.unwrap_or(min);
    let end = spec.end.filter(|end| *end != 0).unwrap_or(start);
    let step = spec.step.unwrap_or(1);
    problems.require((min..=max).contains(&start), &format!("{path}.start"), &format!("must be from {min} to {max}"));
    problems.require(end <= max, &format!("{path}.end"), &format!("must be from {min} to {max}"));
    problems.require(
        end >= start,
        &format!("{path}.end"),
        "must not be before start; write two ranges to go over the end",
    );
    problems.require(step >= 0, &format!("{path}.step"), "must not be negative");
    Range { start, end, step }
}
