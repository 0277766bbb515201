//! Cron strings as Temporal reads them (server 1.30 to 1.32 `service/worker/scheduler/calendar.go`).

use super::{Calendar, Interval, Range, calendar::YEARS, duration};
use std::collections::BTreeSet;
use std::time::Duration;

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const DAYS: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
const LONGEST_COMMENT: usize = 200;

/// What a cron string means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CronTimes {
    /// Times by the calendar.
    Calendar(Box<Calendar>),
    /// `@every`.
    Interval(Interval),
}

/// A field of a cron string.
struct Field {
    name: &'static str,
    min: i32,
    max: i32,
    names: &'static [&'static str],
    /// Fewest letters of a name, and the number of the first one.
    short: (usize, i32),
}

const fn field(name: &'static str, min: i32, max: i32) -> Field {
    Field { name, min, max, names: &[], short: (0, 0) }
}

/// The time zone that a cron string names, `""` when none, and its times.
///
/// # Errors
/// What is wrong with it, for behind the field's name.
pub fn parse(text: &str) -> Result<(String, CronTimes), String> {
    let (zone, rest) = split_zone(text.trim())?;
    let (times, comment) = rest.split_once('#').unwrap_or((rest, ""));
    let (times, comment) = (times.trim(), comment.trim());
    if let Some(interval) = times.strip_prefix("@every") {
        // a time zone says nothing here, and servers forget it
        return Ok((String::new(), CronTimes::Interval(every(interval.trim())?)));
    }
    if comment.len() > LONGEST_COMMENT {
        return Err(format!("the comment is longer than {LONGEST_COMMENT} characters"));
    }
    let mut calendar = calendar(predefined(times))?;
    comment.clone_into(&mut calendar.comment);
    Ok((zone.to_owned(), CronTimes::Calendar(Box::new(calendar))))
}

fn split_zone(text: &str) -> Result<(&str, &str), String> {
    if !text.starts_with("TZ=") && !text.starts_with("CRON_TZ=") {
        return Ok(("", text));
    }
    let (zone, rest) = text.split_once(' ').ok_or("nothing follows the time zone")?;
    Ok((zone.split_once('=').map_or("", |(_, zone)| zone), rest))
}

fn predefined(times: &str) -> &str {
    match times {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * 0",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        other => other,
    }
}

fn calendar(times: &str) -> Result<Calendar, String> {
    let fields: Vec<&str> = times.split_whitespace().collect();
    let (second, year, five) = match fields.as_slice() {
        five @ [_, _, _, _, _] => ("0", "*", five),
        [five @ .., year] if five.len() == 5 => ("0", *year, five),
        [second, five @ .., year] if five.len() == 5 => (*second, *year, five),
        _ => return Err(format!("has {} fields, not 5, 6 or 7", fields.len())),
    };
    let [minute, hour, day_of_month, month, day_of_week] = five else { return Err("has too few fields".to_owned()) };
    let month_field = Field { names: &MONTHS, short: (3, 1), ..field("month", 1, 12) };
    let day_field = Field { names: &DAYS, short: (2, 0), ..field("day of the week", 0, 7) };
    let year = (year != "*").then(|| field("year", YEARS.0, YEARS.1).numbers(year)).transpose()?;
    let days = day_field.numbers(day_of_week)?;
    Ok(Calendar {
        second: field("second", 0, 59).numbers(second)?,
        minute: field("minute", 0, 59).numbers(minute)?,
        hour: field("hour", 0, 23).numbers(hour)?,
        day_of_month: field("day of the month", 1, 31).numbers(day_of_month)?,
        month: month_field.numbers(month)?,
        year,
        // Sunday is 0, and 7 as well
        day_of_week: days.into_iter().map(|day| day % 7).collect(),
        comment: String::new(),
    })
}

impl Field {
    fn numbers(&self, text: &str) -> Result<BTreeSet<i32>, String> {
        let mut all = BTreeSet::new();
        for part in text.split(',') {
            all.extend(self.range(part)?.numbers());
        }
        Ok(all)
    }

    fn range(&self, part: &str) -> Result<Range, String> {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(self.step(step)?)),
            None => (part, None),
        };
        let (start, end) = match range.split_once('-') {
            _ if range == "*" => (self.min, self.max),
            Some((start, end)) => (self.number(start, self.min)?, self.number(end, self.min)?),
            // a step goes on to the last number there is
            None => {
                let start = self.number(range, self.min)?;
                (start, if step.is_some() { self.max } else { start })
            }
        };
        if end < start {
            return Err(format!("the {} {range:?} ends before it begins", self.name));
        }
        Ok(Range { start, end, step: step.unwrap_or(1) })
    }

    fn step(&self, text: &str) -> Result<i32, String> {
        let step = text.parse::<i32>().ok().filter(|step| *step >= 1);
        step.ok_or_else(|| format!("the {} has the step {text:?}, not a number of at least 1", self.name))
    }

    fn number(&self, text: &str, min: i32) -> Result<i32, String> {
        let number = self.named(text).or_else(|| text.parse::<i32>().ok());
        let fits = number.filter(|number| (min..=self.max).contains(number));
        fits.ok_or_else(|| format!("the {} {text:?} is not from {min} to {}", self.name, self.max))
    }

    /// The first name that begins so, as `MON` or `sept`.
    fn named(&self, text: &str) -> Option<i32> {
        let (fewest, first) = self.short;
        let text = text.to_lowercase();
        let named = |name: &&str| text.len() >= fewest.max(1) && name.starts_with(&text);
        let index = self.names.iter().position(named)?;
        i32::try_from(index).ok().map(|index| index + first)
    }
}

/// `14h/3h`: distance and offset.
fn every(text: &str) -> Result<Interval, String> {
    let (every, offset) = text.split_once('/').unwrap_or((text, ""));
    let offset = if offset.is_empty() { Duration::ZERO } else { distance(offset)? };
    let interval = Interval { every: distance(every)?, offset };
    if interval.every < Duration::from_secs(1) {
        return Err("the distance is less than 1s".to_owned());
    }
    if interval.offset >= interval.every {
        return Err("the offset is not less than the distance".to_owned());
    }
    Ok(interval)
}

fn distance(text: &str) -> Result<Duration, String> {
    duration::with_days(text).ok_or_else(|| format!("{text:?} is not a duration such as 1h30m"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn calendar_of(text: &str) -> Calendar {
        match parse(text) {
            Ok((_, CronTimes::Calendar(calendar))) => *calendar,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[rstest]
    #[case("0 12 * * MON-WED,FRI", &[1, 2, 3, 5])]
    #[case("0 12 * * 5-7", &[0, 5, 6])]
    #[case("0 12 * * 3-7/3", &[3, 6])]
    #[case("0 12 * * 1-7/2", &[0, 1, 3, 5])]
    #[case("0 12 * * 7", &[0])]
    #[case("0 12 * * su,Saturday", &[0, 6])]
    #[case("@weekly", &[0])]
    #[case("0 12 * * *", &[0, 1, 2, 3, 4, 5, 6])]
    fn days_of_the_week(#[case] text: &str, #[case] days: &[i32]) {
        assert_eq!(calendar_of(text).day_of_week, days.iter().copied().collect());
    }

    #[test]
    fn fields_are_five_to_seven() {
        let noon = Calendar { hour: [12].into(), ..Calendar::default() };
        assert_eq!(calendar_of("0 12 * * *"), noon);
        let year = Calendar { year: Some([2027].into()), ..noon };
        assert_eq!(calendar_of(" 0 12 * * * 2027 # one year"), Calendar { comment: "one year".into(), ..year.clone() });
        assert_eq!(calendar_of("30 0 12 * * * 2027"), Calendar { second: [30].into(), ..year });
        assert_eq!(calendar_of("*/20 * * jan-mar *").minute, [0, 20, 40].into());
        assert_eq!(calendar_of("50/3 * * Sept *").minute, [50, 53, 56, 59].into());
    }

    #[test]
    fn a_time_zone_and_distances() {
        assert_eq!(parse("CRON_TZ=Europe/Paris 0 8 * * *").unwrap().0, "Europe/Paris");
        assert_eq!(parse("TZ=UTC @daily").unwrap().0, "UTC");
        let (zone, times) = parse("TZ=UTC @every 1d12h/90m").unwrap();
        let interval = Interval { every: Duration::from_secs(36 * 3600), offset: Duration::from_secs(5400) };
        assert_eq!((zone.as_str(), times), ("", CronTimes::Interval(interval)));
    }

    #[rstest]
    #[case("0 12 * *", "has 4 fields, not 5, 6 or 7")]
    #[case("0 0 12 * * * 2027 x", "has 8 fields, not 5, 6 or 7")]
    #[case("60 * * * *", "the minute \"60\" is not from 0 to 59")]
    #[case("0 25 * * *", "the hour \"25\" is not from 0 to 23")]
    #[case("0 0 0 * *", "the day of the month \"0\" is not from 1 to 31")]
    #[case("0 0 1 dezember *", "the month \"dezember\" is not from 1 to 12")]
    #[case("0 0 * * 8", "the day of the week \"8\" is not from 0 to 7")]
    #[case("0 0 * * * 1999", "the year \"1999\" is not from 2000 to 2100")]
    #[case("5-1 * * * *", "the minute \"5-1\" ends before it begins")]
    #[case("*/0 * * * *", "the minute has the step \"0\", not a number of at least 1")]
    #[case("1/2/3 * * * *", "the minute has the step \"2/3\", not a number of at least 1")]
    #[case("@every 10ms", "the distance is less than 1s")]
    #[case("@every 1h/1h", "the offset is not less than the distance")]
    #[case("@every soon", "\"soon\" is not a duration such as 1h30m")]
    #[case("@every 1e300h", "\"1e300h\" is not a duration such as 1h30m")]
    #[case("@every 999999999999999999h", "\"999999999999999999h\" is not a duration such as 1h30m")]
    #[case("TZ=UTC", "nothing follows the time zone")]
    fn what_is_wrong_is_told(#[case] text: &str, #[case] wrong: &str) {
        assert_eq!(parse(text).unwrap_err(), wrong);
    }
}
