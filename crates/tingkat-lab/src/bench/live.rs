//! What can be seen of a phase while it runs. Lanes hand each part of the course over when they are
//! through with it, so that looking on costs nothing between two parts; how far it is, and whether
//! answers come at all, is told by the clock.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tingkat::ports::Tick;

use super::number::{micros, nanos, real, share};
use super::recorder::Part;
use super::words::{count, count_of, percent, time};

/// Parts that a phase is cut into.
const PARTS_COUNT: u64 = super::recorder::PARTS as u64;

/// How often somebody is told.
pub(super) const TOLD_EVERY: Duration = Duration::from_millis(250);

/// Without an answer for so long it is said that there is none.
const SILENCE: Duration = Duration::from_secs(2);

/// What somebody who watches is told.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// Something begins.
    Begins(&'a str),
    /// How it goes.
    Goes(&'a Now),
}

/// How a phase goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Now {
    /// The share of the phase that is over.
    pub done: f64,
    /// Answers a second, lately.
    pub rate: f64,
    /// The middle of their times, in microseconds.
    pub p50: f64,
    /// What one of a hundred took at least.
    pub p99: f64,
    /// The share of memory, Redis and the database in the answers of which it is known.
    pub tiers: Option<[f64; 3]>,
    /// Errors since the phase began.
    pub errors: u64,
    /// There was no answer for so long, which is longer than usual.
    pub silent: Option<Duration>,
}

impl std::fmt::Display for Now {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(silent) = self.silent {
            write!(f, "no answers for {} s", silent.as_secs())?;
        } else {
            let (p50, p99) = (time(self.p50), time(self.p99));
            write!(f, "{}/s  p50 {p50}  p99 {p99}", count(self.rate))?;
        }
        if let Some([memory, redis, database]) = self.tiers.map(|it| it.map(percent)) {
            write!(f, "  memory {memory}  redis {redis}  database {database}")?;
        }
        if self.errors > 0 {
            write!(f, "  {} errors", count_of(self.errors))?;
        }
        Ok(())
    }
}

/// What the lanes of a phase have handed over.
#[derive(Debug)]
pub(super) struct Live {
    start: Tick,
    length: Duration,
    heard: Mutex<Heard>,
}

#[derive(Debug, Default)]
struct Heard {
    /// The last ones, by their place in the course.
    parts: BTreeMap<usize, Part>,
    errors: u64,
}

impl Live {
    pub(super) fn new(start: Tick, length: Duration) -> Self {
        Self {
            start,
            length,
            heard: Mutex::default(),
        }
    }

    /// Takes in a part that a lane is through with.
    pub(super) fn take(&self, place: usize, part: &Part) {
        let mut heard = self.heard();
        heard.errors += part.errors;
        heard
            .parts
            .entry(place)
            .and_modify(|known| known.add(part))
            .or_insert_with(|| part.clone());
        // One lane may be ahead of the others by one.
        while heard.parts.len() > 2 {
            heard.parts.pop_first();
        }
    }

    /// How it goes: by the last part but one where there are two, of which every lane has told.
    pub(super) fn now(&self, at: Tick) -> Now {
        let length = nanos(self.length).max(1);
        let elapsed = nanos(at.since(self.start));
        let heard = self.heard();
        // The part after the last one that was handed over had an answer, else it would not have been.
        let newest = heard.parts.last_key_value();
        let parts = newest.map_or(1, |(place, _)| place + 2);
        let answered_until = length / PARTS_COUNT * u64::try_from(parts).unwrap_or(PARTS_COUNT);
        let silent = Duration::from_nanos(elapsed.saturating_sub(answered_until));
        let mut now = Now {
            done: (real(elapsed) / real(length)).min(1.0),
            rate: 0.0,
            p50: 0.0,
            p99: 0.0,
            tiers: None,
            errors: heard.errors,
            silent: (silent >= SILENCE).then_some(silent),
        };
        let Some((_, part)) = heard
            .parts
            .first_key_value()
            .filter(|_| now.silent.is_none())
        else {
            return now;
        };
        let answered = part.times.len();
        let known: u64 = part.by_tier.iter().take(3).sum();
        let [memory, redis, database, _] = part.by_tier;
        let at = |quantile| match answered {
            0 => 0.0,
            _ => micros(part.times.value_at_quantile(quantile)),
        };
        now.rate = real(answered) * real(PARTS_COUNT) / (real(length) / 1e9);
        (now.p50, now.p99) = (at(0.5), at(0.99));
        now.tiers = (known > 0).then(|| [memory, redis, database].map(|it| share(it, known)));
        now
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::recorder::{Class, Recorder};
    use super::super::subject::{Kind, State, Tier};
    use super::*;
    use std::sync::Arc;
    use tingkat::ports::Tick;

    /// A lane that had so many answers of this tier in each of the first parts of a minute.
    fn lane(live: &Arc<Live>, tier: Tier, parts: u64, answers: usize) {
        let length = Duration::from_mins(1);
        let start = Tick::from_nanos(0);
        let mut record = Recorder::new(start, length).watched_by(live);
        let state = if tier == Tier::Database {
            State::Error
        } else {
            State::Current
        };
        let class = Class {
            kind: Kind::Read,
            tier,
            state,
        };
        for part in 0..parts {
            let ended = start.after(Duration::from_millis(part * 1_000 + 500));
            let began = start.after(Duration::from_millis(part * 1_000 + 499));
            for _ in 0..answers {
                record.record_volley(began, ended, 1, std::iter::once(class));
            }
        }
    }

    #[test]
    fn what_all_lanes_are_through_with_is_told() {
        let start = Tick::from_nanos(0);
        let at = |seconds| start.after(Duration::from_secs(seconds));
        let live = Arc::new(Live::new(start, Duration::from_mins(1)));
        assert_eq!(live.now(at(0)).to_string(), "0/s  p50 0 ns  p99 0 ns");
        // Each part is handed over when the next one begins.
        lane(&live, Tier::Memory, 4, 30);
        lane(&live, Tier::Database, 3, 10);
        let now = live.now(at(4));
        assert_eq!(
            now.to_string(),
            "40/s  p50 1.02 ms  p99 1.02 ms  memory 75.0 %  redis 0.0 %  database 25.0 %  20 errors"
        );
        assert!((now.done - 4.0 / 60.0).abs() < 1e-9, "{now:?}");
    }

    #[test]
    fn a_target_that_falls_silent_is_told_by_the_clock() {
        let start = Tick::from_nanos(0);
        let at = |seconds| start.after(Duration::from_secs(seconds));
        let live = Arc::new(Live::new(start, Duration::from_mins(1)));
        assert_eq!(live.now(at(30)).to_string(), "no answers for 29 s");
        // The last answer is in the fourth second.
        lane(&live, Tier::Memory, 4, 30);
        assert_eq!(live.now(at(5)).silent, None);
        let now = live.now(at(45));
        assert_eq!(now.to_string(), "no answers for 41 s");
        assert!((now.done - 0.75).abs() < 1e-9, "{now:?}");
    }
}
