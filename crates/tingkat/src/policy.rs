//! For how long values are kept, how they are refreshed, and how the source is protected.

use std::time::Duration;

/// Which tiers hold an entity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Placement {
    /// The memory tier and the remote tier.
    #[default]
    Both,
    /// The memory tier alone.
    Memory,
    /// The remote tier alone.
    Remote,
    /// No tier: the answer goes to the callers of the load.
    Nowhere,
}

impl Placement {
    /// Whether the memory tier holds it.
    pub const fn in_memory(self) -> bool {
        matches!(self, Self::Both | Self::Memory)
    }

    /// Whether the remote tier holds it.
    pub const fn in_remote(self) -> bool {
        matches!(self, Self::Both | Self::Remote)
    }
}

/// How one entity is cached. The defaults are those of a product.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// A value this young needs no refresh.
    pub fresh_for: Duration,
    /// A value past `fresh_for` may stand in for a failing source for this long.
    pub stale_for: Duration,
    /// For how long "there is no such thing" is believed.
    pub absent_for: Duration,
    /// `fresh_for` is shortened by a random share of up to this much (0 to 1), so that values
    /// that were loaded together do not end together.
    pub jitter: f64,
    /// How eagerly a value is refreshed before its end: β of `XFetch`; 0 switches it off.
    pub early_refresh: f64,
    /// After this long a caller gets a stale value, if there is one, and the load goes on.
    pub soft_deadline: Duration,
    /// After this long a load is given up.
    pub hard_deadline: Duration,
    /// After a failure a stale value is served for this long before the source is asked again.
    pub retry_after: Duration,
    /// A value that is larger when encoded does not enter the memory tier.
    pub max_value_bytes: usize,
    /// The memory tier's size.
    pub memory_bytes: u64,
    /// Values that are larger when encoded are compressed in the remote tier.
    pub compress_above: usize,
    /// Which tiers hold the entity.
    pub placement: Placement,
    /// Never serve what is not known to be current.
    pub strict: bool,
    /// Loads that run at a time.
    pub max_loads: usize,
    /// Keys that wait for a load at a time; one more is refused.
    pub max_queue: usize,
    /// Keys in one load.
    pub max_batch: usize,
    /// How long the first key of a batch waits for company.
    pub batch_window: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            fresh_for: Duration::from_hours(1),
            stale_for: Duration::from_hours(24),
            absent_for: Duration::from_mins(1),
            jitter: 0.1,
            early_refresh: 1.0,
            soft_deadline: Duration::from_millis(250),
            hard_deadline: Duration::from_secs(5),
            retry_after: Duration::from_secs(1),
            max_value_bytes: 1 << 20,
            memory_bytes: 64 << 20,
            compress_above: 1 << 10,
            placement: Placement::Both,
            strict: false,
            max_loads: 8,
            max_queue: 10_000,
            max_batch: 200,
            batch_window: Duration::from_micros(500),
        }
    }
}
