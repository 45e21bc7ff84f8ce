//! What the engine needs from outside: a remote tier, a source, a change log and a clock.
//!
//! The engine has no network code. Calls behind these traits are boxed: next to a round trip the
//! box costs nothing, and a cache stays one type whatever stands behind it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;

use crate::certificate::{Certificate, Change, Dep, Incarnation, Position};
use crate::error::{LogError, RemoteError, SourceError};
use crate::policy::Placement;

/// A point on this node's monotonic clock; means nothing on another node or after a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tick(u64);

impl Tick {
    /// The point this many nanoseconds after the clock's own beginning.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the clock's own beginning.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The point `duration` later, or the last point there is.
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanos(duration)))
    }

    /// The point `duration` earlier, or the first point there is.
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(duration)))
    }

    /// How long after `earlier` this is; zero when it is not.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// Without the 128 bits of `as_nanos`: a hit does this.
const fn nanos(duration: Duration) -> u64 {
    duration
        .as_secs()
        .saturating_mul(1_000_000_000)
        .saturating_add(duration.subsec_nanos() as u64)
}

/// Time as the engine sees it; tests move it by hand.
pub trait Clock: Send + Sync + 'static {
    /// Monotonic time.
    fn now(&self) -> Tick;

    /// Monotonic time of the kernel's coarse clock: a few milliseconds behind, several times cheaper.
    fn coarse(&self) -> Tick;

    /// Monotonic time that goes on while the machine is suspended.
    fn boot(&self) -> Tick {
        self.now()
    }

    /// Milliseconds since 1970, for the times in stored envelopes; may jump.
    fn wall_ms(&self) -> u64;

    /// Completes `duration` from now.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// The first 17 bytes of a cell: its kind and its id; what compare-and-set compares.
pub type CellHead = [u8; 17];

/// What became of the wish to load a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acquired {
    /// The lease is ours.
    Granted,
    /// The cell holds something else, which comes along.
    Held(Bytes),
}

/// The redis tier: untrusted storage plus a lease server. It is never asked whether a value is true.
///
/// Every call ends within the implementation's own deadline and never queues while disconnected.
/// A dropped future abandons the answer; the command may still be carried out.
pub trait Remote: Send + Sync + 'static {
    /// The cell under `key`.
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, RemoteError>>;

    /// The cells under `keys`, in their order; one round trip per slot group.
    fn get_many<'a>(
        &'a self,
        keys: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<Option<Bytes>>, RemoteError>>;

    /// Writes `lease` if the cell is absent, or its first 17 bytes (or all, if it has fewer) are
    /// still `refused`.
    fn acquire<'a>(
        &'a self,
        key: &'a str,
        refused: Option<&'a [u8]>,
        lease: Bytes,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<Acquired, RemoteError>>;

    /// Writes `cell` if the present one still begins with `expected`; tells whether it did.
    fn fill<'a>(
        &'a self,
        key: &'a str,
        expected: &'a CellHead,
        cell: Bytes,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<bool, RemoteError>>;

    /// Extends a lease that still begins with `lease`; tells whether it did.
    fn renew<'a>(
        &'a self,
        key: &'a str,
        lease: &'a CellHead,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<bool, RemoteError>>;

    /// Writes `cell` if nothing is there; tells whether it did.
    fn set_if_absent<'a>(
        &'a self,
        key: &'a str,
        cell: Bytes,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<bool, RemoteError>>;

    /// Writes cells unconditionally, pipelined.
    fn set_many(
        &self,
        cells: Vec<(String, Bytes, Duration)>,
    ) -> BoxFuture<'_, Result<(), RemoteError>>;

    /// Removes cells.
    fn remove<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<(), RemoteError>>;

    /// Within what time every call ends by itself, with an answer or an error; nothing where that is
    /// not known. A caller who may wait for so long needs no timer of his own.
    fn patience(&self) -> Option<Duration> {
        None
    }

    /// Whether there is a connection at the moment. Without one nothing is asked, and nothing is
    /// held against the server: it has not failed anybody.
    fn is_connected(&self) -> bool {
        true
    }

    /// Whether the server answers; what a breaker probes with.
    fn ping(&self) -> BoxFuture<'_, Result<(), RemoteError>>;

    /// Wakes the feeds of the other nodes; best effort, carries no truth.
    fn hint(&self, hint: Hint) -> BoxFuture<'_, Result<(), RemoteError>>;
}

/// A wake-up for feeds: somebody committed a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hint {
    /// The log in which the change is.
    pub incarnation: Incarnation,
    /// A number that differs from hint to hint.
    pub n: u64,
}

/// One key that a source shall load.
#[derive(Debug)]
pub struct Wanted<K, V> {
    /// The key.
    pub key: K,
    /// The value that is cached now, though stale: a source may answer "not modified", or decide by it.
    pub known: Option<Arc<V>>,
}

/// What a source found for one key.
#[derive(Clone, Debug)]
pub enum Found<V> {
    /// The value.
    Value(V),
    /// The source has no such thing; that is cached as well.
    Absent,
    /// The known value is still right; it is fresh again.
    NotModified,
    /// An answer for the callers of this load that must not be cached.
    Uncached(Option<V>),
    /// This key failed; others of the batch may not have.
    Failed(SourceError),
}

/// What a source found for one key, and how it wants it cached.
#[derive(Clone, Debug)]
pub struct Loaded<V> {
    /// The answer.
    pub found: Found<V>,
    /// What the answer shows besides its own key: rows, sets, tags.
    pub deps: Vec<Dep>,
    /// Instead of the policy's `fresh_for` (or `absent_for`).
    pub fresh_for: Option<Duration>,
    /// When the answer changes by itself, such as a price at the end of a promotion: it is fresh no
    /// longer than until then, and past its freshness never current, though no row of the log says so.
    pub changes_in: Option<Duration>,
    /// Instead of the policy's placement.
    pub placement: Option<Placement>,
}

impl<V> Loaded<V> {
    /// An answer cached as the policy says, with no deps but its own key.
    pub const fn new(found: Found<V>) -> Self {
        Self {
            found,
            deps: Vec::new(),
            fresh_for: None,
            changes_in: None,
            placement: None,
        }
    }

    /// A value.
    pub const fn value(value: V) -> Self {
        Self::new(Found::Value(value))
    }

    /// Nothing.
    pub const fn absent() -> Self {
        Self::new(Found::Absent)
    }

    /// Names what the answer shows besides its own key.
    pub fn deps(mut self, deps: impl IntoIterator<Item = Dep>) -> Self {
        self.deps.extend(deps);
        self
    }

    /// Chooses for how long the answer is fresh.
    pub const fn fresh_for(mut self, fresh_for: Duration) -> Self {
        self.fresh_for = Some(fresh_for);
        self
    }

    /// Says when the answer changes by itself.
    pub const fn changes_in(mut self, changes_in: Duration) -> Self {
        self.changes_in = Some(changes_in);
        self
    }

    /// Chooses the tiers.
    pub const fn placement(mut self, placement: Placement) -> Self {
        self.placement = Some(placement);
        self
    }
}

/// The answer to one batch.
#[derive(Clone, Debug)]
pub struct Batch<V> {
    /// What the load's own transaction saw; none where the source has no change log.
    pub certificate: Option<Certificate>,
    /// One answer per wanted key, in their order.
    pub loaded: Vec<Loaded<V>>,
}

/// The truth: a database, or whatever a loader asks.
pub trait Source<K, V>: Send + Sync + 'static {
    /// Whether batches come with the certificate of the load's own transaction. Where they do not,
    /// the engine polls the change log before it loads.
    fn certifies(&self) -> bool {
        false
    }

    /// Loads many keys in one go. The future is dropped at the hard deadline.
    fn load<'a>(
        &'a self,
        wanted: &'a [Wanted<K, V>],
    ) -> BoxFuture<'a, Result<Batch<V>, SourceError>>;
}

/// The answer to a poll of the change log.
#[derive(Clone, Debug)]
pub struct Poll {
    /// The log that answered.
    pub incarnation: Incarnation,
    /// What was visible to the poll.
    pub position: Position,
    /// Up to where the log was compacted.
    pub floor: Option<Position>,
    /// The changes that became visible since the previous position.
    pub changes: Vec<(u64, Change)>,
    /// There were more changes than the limit.
    pub overflow: bool,
}

/// All that a log still knows, for a node that starts or slept for too long.
#[derive(Clone, Debug)]
pub struct History {
    /// The poll that it is as of; its changes are those not yet compacted.
    pub poll: Poll,
    /// Compacted changes with the newest transaction of each.
    pub compacted: Vec<(u64, Change)>,
}

/// The transaction that a write became, for read-your-writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// The log in which it is.
    pub incarnation: Incarnation,
    /// Its transaction.
    pub xid: u64,
}

/// The log of changes in the store's own database.
pub trait ChangeLog: Send + Sync + 'static {
    /// The changes that became visible since `after`, at most `limit` of them.
    fn poll<'a>(
        &'a self,
        after: &'a Position,
        limit: usize,
    ) -> BoxFuture<'a, Result<Poll, LogError>>;

    /// All that is known of at most `limit` deps; of more nothing but the poll, with `overflow`.
    fn history(&self, limit: usize) -> BoxFuture<'_, Result<History, LogError>>;

    /// Gives the log another incarnation, if it still has this one: it was proven to be a restored copy.
    fn replace_incarnation(&self, seen: Incarnation) -> BoxFuture<'_, Result<(), LogError>>;

    /// Writes changes in a transaction of its own.
    fn append(&self, changes: Vec<Change>) -> BoxFuture<'_, Result<Written, LogError>>;
}
