//! Schemas that several fields of a schedule share.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

/// A Go duration in hours, minutes, seconds and milliseconds, of so few digits that no sum of them leaves 292 years.
pub const DURATION: &str =
    "^([0-9]{1,6}([.][0-9]{1,9})?h)?([0-9]{1,7}([.][0-9]{1,9})?m)?([0-9]{1,9}([.][0-9]{1,9})?s)?([0-9]{1,9}ms)?$";

/// A Go duration.
pub fn duration(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "minLength": 1,
        "maxLength": 32,
        "x-kubernetes-validations": [{
            "rule": format!("self.matches('{DURATION}')"),
            "message": "must be a Go duration of hours, minutes and seconds, not negative, such as 1h30m; a day is 24h",
        }],
    })
}

/// A whole number, or a decimal one as a string.
pub fn decimal(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"x-kubernetes-int-or-string": true, "maxLength": 16})
}

/// At most 64 JSON values of any kind.
pub fn inputs(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 64,
        "items": {"x-kubernetes-preserve-unknown-fields": true, "nullable": true},
    })
}

/// Lists of ranges, each between the same bounds.
macro_rules! ranges {
    ($($name:ident: $min:literal to $max:literal, $text:literal;)*) => {$(
        #[doc = $text]
        pub fn $name(_: &mut SchemaGenerator) -> Schema {
            ranges($min, $max)
        }
    )*};
}

ranges! {
    seconds: 0 to 59, "Ranges of seconds or minutes.";
    hours: 0 to 23, "Ranges of hours.";
    days_of_month: 1 to 31, "Ranges of days of a month.";
    months: 1 to 12, "Ranges of months.";
    years: 2000 to 2100, "Ranges of years; servers know none before or after.";
    days_of_week: 0 to 6, "Ranges of days of a week.";
}

/// An end of 0 counts as none, which is how the Go operator's clients write it.
fn ranges(min: i32, max: i32) -> Schema {
    let number = |min: i32, text: &str| -> Value {
        json!({"type": "integer", "format": "int32", "minimum": min, "maximum": max, "description": text})
    };
    json_schema!({
        "type": "array",
        "maxItems": 60,
        "items": {
            "type": "object",
            "properties": {
                "start": number(min, "The first number. Default: the least there is."),
                "end": number(0, "The last number. Default: `start`."),
                "step": number(0, "Every how many-th number counts. Default 1."),
            },
            "x-kubernetes-validations": [{
                "rule": format!("!has(self.end) || self.end == 0 || self.end >= (has(self.start) ? self.start : {min})"),
                "message": "end: must not be before start; write two ranges to go over the end",
            }],
        },
    })
}
