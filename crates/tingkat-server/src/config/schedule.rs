//! When the tiers are warmed again: cron expressions, in the time of one place.

use std::fmt;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The longest schedule.
const MOST: usize = 16;

/// Cron expressions, and where their hours are told.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    expressions: Vec<Cron>,
    zone: TimeZone,
}

/// What is wrong with a schedule.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wrong(String);

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Schedule {
    /// Reads expressions, separated by `;`, each of five fields. One that never fires after `now_ms`
    /// is wrong.
    pub(crate) fn parse(text: &str, zone: &str, now_ms: u64) -> Result<Self, Wrong> {
        let zone = time_zone(zone)?;
        let parser = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .build();
        let mut expressions = Vec::new();
        for part in text.split(';').map(str::trim) {
            let cron = parser
                .parse(part)
                .map_err(|error| Wrong(format!("{part:?} is no cron expression: {error}")))?;
            expressions.push(cron);
        }
        if expressions.len() > MOST {
            return Err(Wrong(format!("at most {MOST} expressions are taken")));
        }
        let schedule = Self { expressions, zone };
        for (cron, part) in schedule.expressions.iter().zip(text.split(';')) {
            if schedule.next_of(cron, now_ms).is_none() {
                let part = part.trim();
                return Err(Wrong(format!("{part:?} never fires")));
            }
        }
        Ok(schedule)
    }

    /// When it fires next after a time; both in milliseconds since 1970.
    pub(crate) fn next(&self, after_ms: u64) -> Option<u64> {
        let next = self.expressions.iter();
        next.filter_map(|cron| self.next_of(cron, after_ms)).min()
    }

    /// The next times, at most so many.
    pub(crate) fn upcoming(&self, after_ms: u64, most: usize) -> Vec<u64> {
        std::iter::successors(self.next(after_ms), |ms| self.next(*ms))
            .take(most)
            .collect()
    }

    fn next_of(&self, cron: &Cron, after_ms: u64) -> Option<u64> {
        let after = Timestamp::from_millisecond(i64::try_from(after_ms).ok()?).ok()?;
        let after = after.to_zoned(self.zone.clone());
        let next = cron.find_next_occurrence(&after, false).ok()?;
        u64::try_from(next.timestamp().as_millisecond()).ok()
    }
}

/// Reads the name of a time zone.
pub(crate) fn time_zone(name: &str) -> Result<TimeZone, Wrong> {
    TimeZone::get(name).map_err(|_| Wrong(format!("there is no time zone {name:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(text: &str) -> u64 {
        let time: Timestamp = text.parse().unwrap();
        u64::try_from(time.as_millisecond()).unwrap()
    }

    fn text(ms: u64) -> String {
        let ms = i64::try_from(ms).unwrap();
        Timestamp::from_millisecond(ms).unwrap().to_string()
    }

    const NOW: &str = "2026-03-01T00:00:00Z";

    fn upcoming(schedule: &str, zone: &str, most: usize) -> Vec<String> {
        let schedule = Schedule::parse(schedule, zone, ms(NOW)).unwrap();
        schedule
            .upcoming(ms(NOW), most)
            .into_iter()
            .map(text)
            .collect()
    }

    /// The next two after a time.
    fn after(schedule: &str, zone: &str, from: &str) -> Vec<String> {
        let schedule = Schedule::parse(schedule, zone, ms(NOW)).unwrap();
        let next = schedule.upcoming(ms(from), 2).into_iter();
        next.map(text).collect()
    }

    #[test]
    fn hours_are_those_of_the_place() {
        assert_eq!(
            upcoming("30 6 * * *", "Asia/Kuala_Lumpur", 2),
            ["2026-03-01T22:30:00Z", "2026-03-02T22:30:00Z"]
        );
        assert_eq!(upcoming("30 6 * * *", "UTC", 1), ["2026-03-01T06:30:00Z"]);
    }

    #[test]
    fn several_expressions_fire_in_turn() {
        assert_eq!(
            upcoming("0 6 * * *; 0 */12 * * *", "UTC", 4),
            [
                "2026-03-01T06:00:00Z",
                "2026-03-01T12:00:00Z",
                "2026-03-02T00:00:00Z",
                "2026-03-02T06:00:00Z"
            ]
        );
    }

    /// New York goes from two to three on 8 March 2026, and from two to one on 1 November.
    #[test]
    fn a_clock_that_jumps_loses_no_run_and_makes_none_twice() {
        let next = |cron, from| after(cron, "America/New_York", from);
        // There is no half past two: it runs as soon as there is a time again.
        assert_eq!(
            next("30 2 * * *", "2026-03-08T00:00:00Z"),
            ["2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"]
        );
        assert_eq!(
            next("30 2 * * *", "2026-11-01T00:00:00Z"),
            ["2026-11-01T07:30:00Z", "2026-11-02T07:30:00Z"]
        );
        // It is half past one twice.
        assert_eq!(
            next("30 1 * * *", "2026-11-01T00:00:00Z"),
            ["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"]
        );
    }

    /// In Beirut the day of 29 March 2026 begins at one.
    #[test]
    fn a_day_without_midnight_has_its_run() {
        assert_eq!(
            after("0 0 * * *", "Asia/Beirut", "2026-03-28T12:00:00Z"),
            ["2026-03-28T22:00:00Z", "2026-03-29T21:00:00Z"]
        );
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (schedule, zone, words) in [
            ("0 0 31 2 *", "UTC", "\"0 0 31 2 *\" never fires"),
            ("0 6 * * *; 0 0 30 2 *", "UTC", "\"0 0 30 2 *\" never fires"),
            ("0 6 * *", "UTC", "\"0 6 * *\" is no cron expression"),
            ("61 6 * * *", "UTC", "\"61 6 * * *\" is no cron expression"),
            ("0 0 6 * * *", "UTC", "is no cron expression"),
            ("", "UTC", "is no cron expression"),
            (
                "0 6 * * *",
                "Asia/Kuala",
                "there is no time zone \"Asia/Kuala\"",
            ),
        ] {
            let wrong = Schedule::parse(schedule, zone, ms(NOW)).unwrap_err();
            assert!(wrong.to_string().contains(words), "{schedule:?}: {wrong}");
        }
    }
}
