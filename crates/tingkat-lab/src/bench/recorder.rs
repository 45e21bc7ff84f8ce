//! What a lane writes down: how long each kind of operation took, by the tier that answered.

use std::sync::Arc;
use std::time::Duration;

use hdrhistogram::Histogram;
use tingkat::ports::Tick;

use super::live::Live;
use super::number::nanos;
use super::subject::{Kind, Operation, Outcome, State, Tier};

/// Longer than any operation takes.
const LONGEST_NANOS: u64 = 60_000_000_000;

/// Parts that a phase is cut into for its course over time.
pub(super) const PARTS: usize = 60;

/// An operation that was sent later than this after it was due was sent late.
pub(super) const LATE: Duration = Duration::from_millis(5);

/// Three digits from a nanosecond to a minute.
pub(super) fn histogram() -> Histogram<u64> {
    bounded(3)
}

fn bounded<C: hdrhistogram::Counter>(digits: u8) -> Histogram<C> {
    // Refused only for bounds that make no sense; these do, and without them it would grow.
    Histogram::new_with_bounds(1, LONGEST_NANOS, digits)
        .unwrap_or_else(|_| unreachable!("the bounds are constants"))
}

/// One kind of operation with one outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Class {
    pub(super) kind: Kind,
    pub(super) tier: Tier,
    pub(super) state: State,
}

impl Class {
    pub(super) fn of(operation: &Operation, outcome: Outcome) -> Self {
        Self {
            kind: operation.kind(),
            tier: outcome.tier,
            state: outcome.state,
        }
    }
}

/// How long the operations of a class took.
pub(super) struct Cell {
    pub(super) class: Class,
    /// From when it was sent.
    pub(super) service: Histogram<u64>,
    /// From when it should have been sent.
    pub(super) response: Histogram<u64>,
}

/// A part of the course.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) times: Histogram<u32>,
    pub(super) by_tier: [u64; 4],
    pub(super) errors: u64,
}

impl Part {
    /// Adds what another lane did meanwhile.
    pub(super) fn add(&mut self, other: &Self) {
        // Both have the same bounds.
        let _ = self.times.add(&other.times);
        self.errors += other.errors;
        for (count, more) in self.by_tier.iter_mut().zip(other.by_tier) {
            *count += more;
        }
    }
}

/// An operation that has ended.
pub(super) struct Flown {
    pub(super) operation: Operation,
    pub(super) outcome: Outcome,
    /// When it should have been sent.
    pub(super) intended: Tick,
    /// When it was sent.
    pub(super) began: Tick,
    pub(super) ended: Tick,
    /// What an import has written, with the versions now.
    pub(super) imported: Vec<(usize, i64)>,
}

/// What one lane, or all of them, wrote down.
pub(super) struct Recorder {
    /// A handful, so that looking through them costs nothing.
    pub(super) cells: Vec<Cell>,
    pub(super) parts: Vec<Part>,
    start: Tick,
    part: Duration,
    live: Option<Arc<Live>>,
    /// By how much answers were older than the newest write that had returned, of keys that were written.
    pub(super) staleness: Histogram<u64>,
    /// Answers that were older than the subject promises, and not marked.
    pub(super) beyond_bound: u64,
    pub(super) sent: u64,
    /// Of those, such that were not answered at once.
    pub(super) waited: u64,
    /// Keys that were looked up.
    pub(super) looked_up: u64,
    /// Sent late because the generator was.
    pub(super) late: u64,
    /// Sent late because too many were under way.
    pub(super) held: u64,
    /// The most that were waited for at the same time.
    pub(super) under_way: u64,
    /// Not answered when the phase was given up.
    pub(super) unfinished: u64,
    pub(super) last_ended: Tick,
    /// For how long the subject had the lane while volleys were timed.
    pub(super) in_volleys: Duration,
}

impl Recorder {
    pub(super) fn new(start: Tick, length: Duration) -> Self {
        let parts = u32::try_from(PARTS).unwrap_or(1);
        Self {
            cells: Vec::new(),
            parts: Vec::new(),
            start,
            part: (length / parts).max(Duration::from_millis(1)),
            live: None,
            staleness: histogram(),
            beyond_bound: 0,
            sent: 0,
            waited: 0,
            looked_up: 0,
            late: 0,
            held: 0,
            under_way: 0,
            unfinished: 0,
            last_ended: start,
            in_volleys: Duration::ZERO,
        }
    }

    /// Hands each part over when it is through with it.
    pub(super) fn watched_by(mut self, live: &Arc<Live>) -> Self {
        self.live = Some(Arc::clone(live));
        self
    }

    /// How long a part of the course is.
    pub(super) const fn part_length(&self) -> Duration {
        self.part
    }

    pub(super) fn record(&mut self, flown: &Flown) {
        let service = nanos(flown.ended.since(flown.began));
        let response = nanos(flown.ended.since(flown.intended));
        let class = Class::of(&flown.operation, flown.outcome);
        self.record_times(class, service, response, flown.ended);
    }

    /// Writes down a volley `of` so many operations: each of those that were answered took the mean.
    pub(super) fn record_volley(
        &mut self,
        began: Tick,
        ended: Tick,
        of: usize,
        answered: impl Iterator<Item = Class>,
    ) {
        let took = ended.since(began);
        let count = u64::try_from(of).unwrap_or(u64::MAX).max(1);
        let mean = nanos(took) / count;
        self.in_volleys += took;
        self.sent += count;
        for class in answered {
            self.record_times(class, mean, mean, ended);
        }
    }

    fn record_times(&mut self, class: Class, service: u64, response: u64, ended: Tick) {
        let cell = self.cell(class);
        cell.service.saturating_record(service);
        cell.response.saturating_record(response);
        self.last_ended = self.last_ended.max(ended);
        if let Some(part) = self.part_at(ended) {
            part.times.saturating_record(response);
            let place = match class.tier {
                Tier::Memory => 0,
                Tier::Redis => 1,
                Tier::Database => 2,
                Tier::Unknown => 3,
            };
            if let Some(count) = part.by_tier.get_mut(place) {
                *count += 1;
            }
            part.errors += u64::from(class.state.is_failure());
        }
    }

    fn cell(&mut self, class: Class) -> &mut Cell {
        let place = self.cells.iter().position(|cell| cell.class == class);
        let place = place.unwrap_or_else(|| {
            self.cells.push(Cell {
                class,
                service: histogram(),
                response: histogram(),
            });
            self.cells.len() - 1
        });
        #[expect(
            clippy::indexing_slicing,
            reason = "the place was found, or made, two lines above"
        )]
        &mut self.cells[place]
    }

    /// The part in which an instant is; those after the phase's end, while it drains, are not kept.
    fn part_at(&mut self, at: Tick) -> Option<&mut Part> {
        let place = nanos(at.since(self.start)) / nanos(self.part).max(1);
        let place = usize::try_from(place).ok().filter(|it| *it < PARTS)?;
        while self.parts.len() <= place {
            if let (Some(live), Some(last)) = (&self.live, self.parts.last()) {
                live.take(self.parts.len() - 1, last);
            }
            self.parts.push(Part {
                times: bounded(1),
                by_tier: [0; 4],
                errors: 0,
            });
        }
        self.parts.get_mut(place)
    }

    /// Adds what another lane of the same phase wrote down.
    pub(super) fn add(&mut self, other: Self) {
        for cell in other.cells {
            let own = self.cell(cell.class);
            // Both have the same bounds.
            let _ = own.service.add(&cell.service);
            let _ = own.response.add(&cell.response);
        }
        for (place, part) in other.parts.into_iter().enumerate() {
            let Some(own) = self.parts.get_mut(place) else {
                self.parts.push(part);
                continue;
            };
            own.add(&part);
        }
        let _ = self.staleness.add(&other.staleness);
        self.beyond_bound += other.beyond_bound;
        self.sent += other.sent;
        self.waited += other.waited;
        self.looked_up += other.looked_up;
        self.late += other.late;
        self.held += other.held;
        // Lanes run at the same time.
        self.under_way += other.under_way;
        self.unfinished += other.unfinished;
        self.last_ended = self.last_ended.max(other.last_ended);
        self.in_volleys += other.in_volleys;
    }
}
