//! What happened, in plain counters; names and labels are somebody else's business.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// So many threads have a cache line of their own in a counter that is touched on every hit.
const OWNED: usize = 16;

/// A counter on a cache line of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Line(AtomicU64);

/// A counter for a hot path: threads add on different cache lines, and where a line has one owner
/// it adds without locking the line, which would stall everything behind it.
#[derive(Debug, Default)]
pub struct Striped {
    lines: [Line; OWNED],
    shared: Line,
}

/// The line of a thread in every such counter, until the thread ends.
struct Place(usize);

/// The lines that have an owner.
static TAKEN: AtomicU32 = AtomicU32::new(0);

thread_local! {
    static PLACE: Place = Place::claim();
}

impl Place {
    fn claim() -> Self {
        // AcqRel: what the last owner of a line has counted is seen before the next one goes on.
        let claimed = TAKEN.fetch_update(Ordering::AcqRel, Ordering::Acquire, |taken| {
            let free = (!taken).trailing_zeros();
            ((free as usize) < OWNED).then(|| taken | 1 << free)
        });
        Self(claimed.map_or(OWNED, |taken| (!taken).trailing_zeros() as usize))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.0 < OWNED {
            TAKEN.fetch_and(!(1 << self.0), Ordering::AcqRel);
        }
    }
}

impl Striped {
    /// Adds one; how many this thread has counted here, or, without a line of its own, all such threads.
    pub(crate) fn add_one(&self) -> u64 {
        let place = PLACE.try_with(|place| place.0).unwrap_or(OWNED);
        if let Some(line) = self.lines.get(place) {
            // Nobody else writes this line.
            let count = line.0.load(Ordering::Relaxed);
            line.0.store(count.wrapping_add(1), Ordering::Relaxed);
            count
        } else {
            self.shared.0.fetch_add(1, Ordering::Relaxed)
        }
    }

    /// The sum over all threads.
    pub fn get(&self) -> u64 {
        let owned = self.lines.iter();
        owned
            .chain([&self.shared])
            .map(|line| line.0.load(Ordering::Relaxed))
            .sum()
    }
}

/// A counter.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds.
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// Takes away.
    pub(crate) fn sub(&self, count: u64) {
        self.0.fetch_sub(count, Ordering::Relaxed);
    }

    /// The count.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Durations by powers of two of a microsecond: bucket `n` counts those below `2^n` µs, the last one the rest.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; Self::BUCKETS],
    nanos: AtomicU64,
}

impl Histogram {
    /// From below 1 µs to about 8 s and beyond.
    pub const BUCKETS: usize = 24;

    /// Counts a duration.
    pub(crate) fn record(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let bucket = (u64::BITS - micros.leading_zeros()) as usize;
        if let Some(bucket) = self.buckets.get(bucket.min(Self::BUCKETS - 1)) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.nanos.fetch_add(
            u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX),
            Ordering::Relaxed,
        );
    }

    /// The counts per bucket, each with the bucket's upper edge; the last one has none.
    pub fn buckets(&self) -> impl Iterator<Item = (Option<Duration>, u64)> + '_ {
        self.buckets.iter().enumerate().map(|(index, count)| {
            let edge = (index + 1 < Self::BUCKETS).then(|| Duration::from_micros(1 << index));
            (edge, count.load(Ordering::Relaxed))
        })
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.buckets
            .iter()
            .map(|count| count.load(Ordering::Relaxed))
            .sum()
    }

    /// The sum of all durations.
    pub fn sum(&self) -> Duration {
        Duration::from_nanos(self.nanos.load(Ordering::Relaxed))
    }
}

/// Calls of the remote tier since the start, each a round trip at most, and how many failed.
#[derive(Debug, Default)]
pub struct RemoteCalls {
    /// That read.
    pub reads: Counter,
    /// That changed something.
    pub writes: Counter,
    /// That told other nodes of a change.
    pub hints: Counter,
    /// The connection was lost, or there was none.
    pub disconnected: Counter,
    /// No answer in time.
    pub timed_out: Counter,
    /// The server is up and refused to write.
    pub write_refused: Counter,
    /// The server answered with another error.
    pub refused: Counter,
    /// The part of the tier that has the key is away.
    pub part_away: Counter,
}

/// What happened to one entity on this node since the start.
#[derive(Debug, Default)]
pub struct Stats {
    /// Answered from memory, current.
    pub memory_hits: Striped,
    /// Not answered from memory.
    pub memory_misses: Counter,
    /// Answered from the remote tier.
    pub remote_hits: Counter,
    /// Not there, or not usable.
    pub remote_misses: Counter,
    /// Calls to the remote tier that failed or ran out of time.
    pub remote_failures: Counter,
    /// Bytes in the remote tier that were no entry of ours.
    pub undecodable: Counter,
    /// Entries refused because something they show has changed.
    pub refused_changed: Counter,
    /// Entries refused because they are older than what the node remembers.
    pub refused_floor: Counter,
    /// Entries refused because they are of another lifetime of the log.
    pub refused_incarnation: Counter,
    /// Answers that were marked stale.
    pub stale_answers: Counter,
    /// Answers that there is no such thing.
    pub absent_answers: Counter,
    /// Callers that joined another caller's load.
    pub joined: Counter,
    /// Calls to the source, each for one or more keys.
    pub batches: Counter,
    /// Keys asked from the source.
    pub loaded_keys: Counter,
    /// Keys that the source failed on.
    pub failed_keys: Counter,
    /// Loads given up at the hard deadline.
    pub hung_loads: Counter,
    /// Keys refused because the queue was full.
    pub overloads: Counter,
    /// Refreshes in the background.
    pub refreshes: Counter,
    /// Loads whose value had changed by the time they ended.
    pub overtaken: Counter,
    /// Entries written to the remote tier.
    pub fills: Counter,
    /// Fills that another node's lease or fill had overtaken.
    pub fills_rejected: Counter,
    /// Waits for another node's load.
    pub lease_waits: Counter,
    /// Entries that memory had no room for.
    pub evictions: Counter,
    /// Loads that saw too many transactions under way to be kept.
    pub crowded: Counter,
    /// Values too large for the memory tier.
    pub oversized: Counter,
    /// Values that did not reach the remote tier because of a private field.
    pub withheld: Counter,
    /// Answers of the cache that differed from the source's, in shadow mode.
    pub differences: Counter,
    /// Loads under way.
    pub loads_running: Counter,
    /// Keys waiting for a load.
    pub loads_queued: Counter,
    /// How long the source took, per batch.
    pub load_time: Histogram,
    /// How long the remote tier took, by what came of it. A hit in memory is counted and not timed:
    /// to read a precise clock twice costs as much as the hit.
    pub remote_time: Histogram,
    /// The same where it had nothing, or nothing usable.
    pub remote_miss_time: Histogram,
    /// The same where it failed.
    pub remote_failure_time: Histogram,
    /// How long callers waited for what the source had.
    pub source_time: Histogram,
    /// The same where the source said that there is none.
    pub source_absent_time: Histogram,
    /// The same where they got an error, other than that nothing is cached.
    pub failure_time: Histogram,
    /// The same where a stale value stood in, at once or in the end.
    pub stale_time: Histogram,
}
