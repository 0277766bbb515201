//! Calendars as sets of numbers, whatever ranges they are written in.

use std::collections::BTreeSet;

/// First and last year that servers know.
pub const YEARS: (i32, i32) = (2000, 2100);

/// Times by the calendar. An empty set matches nothing; `None` as the years matches all.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Calendar {
    /// 0 to 59.
    pub second: BTreeSet<i32>,
    /// 0 to 59.
    pub minute: BTreeSet<i32>,
    /// 0 to 23.
    pub hour: BTreeSet<i32>,
    /// 1 to 31.
    pub day_of_month: BTreeSet<i32>,
    /// 1 to 12.
    pub month: BTreeSet<i32>,
    /// 2000 to 2100.
    pub year: Option<BTreeSet<i32>>,
    /// 0 (Sunday) to 6.
    pub day_of_week: BTreeSet<i32>,
    /// What it is for.
    pub comment: String,
}

/// Midnight of every day.
impl Default for Calendar {
    fn default() -> Self {
        Self {
            second: [0].into(),
            minute: [0].into(),
            hour: [0].into(),
            day_of_month: (1..=31).collect(),
            month: (1..=12).collect(),
            year: None,
            day_of_week: (0..=6).collect(),
            comment: String::new(),
        }
    }
}

/// Every `step`-th number from `start` to `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first.
    pub start: i32,
    /// The last; an earlier one than the first is the first.
    pub end: i32,
    /// Less than 1 is 1.
    pub step: i32,
}

impl Range {
    /// The numbers in it that are not beyond any calendar's.
    pub fn numbers(self) -> impl Iterator<Item = i32> {
        let (start, end) = (self.start.max(0), self.end.clamp(self.start, self.start.max(YEARS.1)));
        let step = usize::try_from(self.step).unwrap_or(1).max(1);
        (start..=end).step_by(step)
    }

    /// The fewest ranges that are plain to read: one with a step when all numbers are in it, else runs.
    #[must_use]
    pub fn of(numbers: &BTreeSet<i32>) -> Vec<Self> {
        if let Some(stepped) = Self::stepped(numbers) {
            return vec![stepped];
        }
        let mut runs: Vec<Self> = Vec::new();
        for number in numbers.iter().copied() {
            match runs.last_mut() {
                Some(run) if run.end + 1 == number => run.end = number,
                _ => runs.push(Self { start: number, end: number, step: 1 }),
            }
        }
        runs
    }

    fn stepped(numbers: &BTreeSet<i32>) -> Option<Self> {
        let (start, end) = (*numbers.first()?, *numbers.last()?);
        let step = numbers.iter().nth(1)? - start;
        let range = Self { start, end, step };
        (numbers.len() > 2 && range.numbers().eq(numbers.iter().copied())).then_some(range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case(&[5], &[(5, 5, 1)])]
    #[case(&[0, 1, 2, 3], &[(0, 3, 1)])]
    #[case(&[0, 15, 30, 45], &[(0, 45, 15)])]
    #[case(&[1, 2, 3, 5], &[(1, 3, 1), (5, 5, 1)])]
    #[case(&[3, 9], &[(3, 3, 1), (9, 9, 1)])]
    #[case(&[], &[])]
    fn ranges_are_plain(#[case] numbers: &[i32], #[case] ranges: &[(i32, i32, i32)]) {
        let wanted: Vec<Range> =
            ranges.iter().map(|(start, end, step)| Range { start: *start, end: *end, step: *step }).collect();
        assert_eq!(Range::of(&numbers.iter().copied().collect()), wanted);
    }

    #[test]
    fn odd_ranges_are_read_as_servers_do() {
        let numbers = |start, end, step| Range { start, end, step }.numbers().collect::<Vec<_>>();
        assert_eq!(numbers(5, 0, 0), [5]);
        assert_eq!(numbers(1, 5, 2), [1, 3, 5]);
        assert_eq!(numbers(7, 3, -1), [7]);
        assert_eq!(numbers(2098, i32::MAX, 1), [2098, 2099, 2100]);
        assert_eq!(numbers(i32::MAX, 0, 1), [i32::MAX]);
    }

    proptest! {
        #[test]
        fn ranges_hold_just_the_numbers(numbers in prop::collection::btree_set(0..60i32, 0..60)) {
            let back: BTreeSet<i32> = Range::of(&numbers).into_iter().flat_map(Range::numbers).collect();
            prop_assert_eq!(back, numbers);
        }
    }
}
