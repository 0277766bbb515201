//! `schedule.spec`: when the workflow is started.

use super::words;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When the workflow is started: at every time that any calendar, interval or cron string names and no excluded calendar
/// does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = (
    "!has(self.startAt) || !has(self.endAt) || self.startAt <= self.endAt",
    "spec.startAt: is after endAt, so that the schedule would never act; give a later end"
))]
#[x_kube(validation = (
    "!has(self.timezoneName) || !has(self.crons) || self.crons.all(c, !c.matches('^ *(CRON_)?TZ=') || c.contains('TZ=' + self.timezoneName + ' '))",
    "spec.timezoneName: a cron string names another time zone; name it once"
))]
pub struct TimesSpec {
    /// Times by the calendar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub calendars: Option<Vec<CalendarSpec>>,
    /// Times at even distances.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub intervals: Option<Vec<IntervalSpec>>,
    /// Cron strings of 5 fields (minute, hour, day of the month, month, day of the week), 6 (and year) or 7 (and second, the
    /// first); `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`; `@every 1h30m/10m`. `CRON_TZ=Europe/Paris ` may stand
    /// before it, the same before all, and `# a comment` behind it. Both days must match where both are given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 256)))]
    #[x_kube(validation = (
        "self.all(c, c.matches('^ *((CRON_)?TZ=[^ ]+ +)?(@(yearly|annually|monthly|weekly|daily|midnight|hourly)|@every [0-9][0-9a-z./]*|[-0-9A-Za-z*/,]+([ \\t]+[-0-9A-Za-z*/,]+){4,6})[ \\t]*(#.*)?$'))",
        "spec.crons: each must have 5, 6 or 7 fields as in '0 12 * * MON-FRI', or be @hourly, @daily, @weekly, @monthly, @yearly or '@every 30m'"
    ))]
    pub crons: Option<Vec<String>>,
    /// Times by the calendar that are left out. A time is left out when all of it matches, seconds too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub exclude_calendars: Option<Vec<CalendarSpec>>,
    /// Nothing before this time, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_at: Option<Time>,
    /// Nothing after this time, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_at: Option<Time>,
    /// Up to how much later than named a workflow is started, at random but not beyond the next time: a Go duration. Default
    /// 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "words::duration")]
    pub jitter: Option<String>,
    /// The time zone of calendars and cron strings, by its IANA name. Default UTC. An hour that a change of clocks leaves out
    /// is left out, one that it repeats comes twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    #[x_kube(validation = (
        "self.matches('^([A-Za-z][-A-Za-z0-9_+]*(/[A-Za-z0-9][-A-Za-z0-9_+]*)*)?$')",
        "spec.timezoneName: must be an IANA name such as Europe/Paris or UTC, not an offset"
    ))]
    pub timezone_name: Option<String>,
}

/// Times at even distances, counted from 1970: `every` 1 hour with an `offset` of 19 minutes is 19 minutes past each hour.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = (
    "!has(self.offset) || duration(self.offset) < duration(self.every)",
    "intervals: offset must be less than every; take whole distances off it"
))]
pub struct IntervalSpec {
    /// The distance, a Go duration of at least `1s`.
    #[schemars(schema_with = "words::duration")]
    #[x_kube(validation = (
        "duration(self) >= duration('1s')",
        "intervals.every: must be at least 1s, the shortest distance that Temporal keeps"
    ))]
    pub every: String,
    /// How much later than whole distances, a Go duration less than `every`. Default 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "words::duration")]
    pub offset: Option<String>,
}

/// Times by the calendar: all whose parts are each in one of the ranges given for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CalendarSpec {
    /// Seconds, 0 to 59. Default 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "words::seconds")]
    pub second: Option<Vec<RangeSpec>>,
    /// Minutes, 0 to 59. Default 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "words::seconds")]
    pub minute: Option<Vec<RangeSpec>>,
    /// Hours, 0 to 23. Default 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "words::hours")]
    pub hour: Option<Vec<RangeSpec>>,
    /// Days of the month, 1 to 31. Default all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "words::days_of_month")]
    pub day_of_month: Option<Vec<RangeSpec>>,
    /// Months, 1 to 12. Default all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "words::months")]
    pub month: Option<Vec<RangeSpec>>,
    /// Years, 2000 to 2100. Default all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "words::years")]
    pub year: Option<Vec<RangeSpec>>,
    /// Days of the week, 0 (Sunday) to 6. Default all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "words::days_of_week")]
    pub day_of_week: Option<Vec<RangeSpec>>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 200))]
    pub comment: Option<String>,
}

/// Every `step`-th number from `start` to `end`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RangeSpec {
    /// The first number. Default: the least there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<i32>,
    /// The last number. Default: `start`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<i32>,
    /// Every how many-th number counts. Default 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<i32>,
}
