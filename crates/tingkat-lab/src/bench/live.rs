//! What can be seen of a phase while it runs. Lanes hand each part of the course over when they are
//! through with it, so that looking on costs nothing between two parts.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::number::{micros, real, real_size, share};
use super::recorder::{PARTS, Part};
use super::words::{count, count_of, percent, time};

/// How often somebody is told.
pub(super) const TOLD_EVERY: Duration = Duration::from_millis(250);

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
}

impl std::fmt::Display for Now {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (p50, p99) = (time(self.p50), time(self.p99));
        write!(f, "{}/s  p50 {p50}  p99 {p99}", count(self.rate))?;
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
#[derive(Debug, Default)]
pub(super) struct Live(Mutex<Heard>);

#[derive(Debug, Default)]
struct Heard {
    /// The last ones, by their place in the course.
    parts: BTreeMap<usize, Part>,
    errors: u64,
}

impl Live {
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
    pub(super) fn now(&self, length: Duration) -> Option<Now> {
        let heard = self.heard();
        let (place, part) = heard.parts.first_key_value()?;
        let answered = part.times.len();
        let known: u64 = part.by_tier.iter().take(3).sum();
        let [memory, redis, database, _] = part.by_tier;
        let at = |quantile| match answered {
            0 => 0.0,
            _ => micros(part.times.value_at_quantile(quantile)),
        };
        Some(Now {
            done: real_size(place + 1) / real_size(PARTS),
            rate: real(answered) * real_size(PARTS) / length.as_secs_f64().max(1e-9),
            p50: at(0.5),
            p99: at(0.99),
            tiers: (known > 0).then(|| [memory, redis, database].map(|it| share(it, known))),
            errors: heard.errors,
        })
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        let live = Arc::new(Live::default());
        let length = Duration::from_mins(1);
        assert_eq!(live.now(length), None);
        // Each part is handed over when the next one begins.
        lane(&live, Tier::Memory, 4, 30);
        lane(&live, Tier::Database, 3, 10);
        let now = live.now(length).unwrap();
        assert_eq!(
            now.to_string(),
            "40/s  p50 1.02 ms  p99 1.02 ms  memory 75.0 %  redis 0.0 %  database 25.0 %  20 errors"
        );
        assert!((now.done - 2.0 / 60.0).abs() < 1e-9, "{now:?}");
    }
}
