//! One look at everything: what the servers told, what the tier, the caches and the feed counted.

use std::time::Duration;

use crate::buckets::Buckets;
use crate::readiness::Observed;
use crate::server::Server;

/// What one look saw. Counts are since the node began; whoever wants rates compares two looks.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// When, on a clock that only goes forward.
    pub at: Duration,
    /// The same in milliseconds since 1970, for people.
    pub wall_ms: u64,
    /// Redis, unless the node does without.
    pub redis: Option<Redis>,
    /// The caches of the node.
    pub entities: Vec<Entity>,
    /// The change log and what rests on it.
    pub data: Data,
    /// What else was seen of the neighbours.
    pub observed: Observed,
    /// What operators want to know about the things that are cached.
    pub facts: Vec<Fact>,
}

impl Look {
    /// A look at Redis alone, for whoever has no more.
    pub fn of_redis(at: Duration, redis: Redis) -> Self {
        Self {
            at,
            redis: Some(redis),
            ..Self::default()
        }
    }
}

/// A number about the things of an entity, such as how many run low.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// The entity.
    pub entity: String,
    /// What is counted.
    pub name: String,
    /// How many there are.
    pub value: u64,
}

/// Redis as a node sees it.
#[derive(Clone, Debug, Default)]
pub struct Redis {
    /// Each server; one, or the nodes of a cluster.
    pub servers: Vec<Server>,
    /// The Sentinels, where there are any.
    pub sentinels: Option<Sentinels>,
    /// Whether commands can be sent at all, as the tier itself says.
    pub is_usable: bool,
    /// What of it, or why all of it, can not be used: a right that is missing, a part that is away.
    pub limit: Option<String>,
    /// Round trips of commands that were answered, in microseconds.
    pub round_trips: Buckets,
    /// Commands that failed or ran out of time.
    pub failures: u64,
    /// Bytes of what was written.
    pub written: Buckets,
}

/// What the Sentinels say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sentinels {
    /// How many of them are named.
    pub known: usize,
    /// How many answered.
    pub answering: usize,
    /// Whether enough of them see each other to name another master; nothing if nobody could ask.
    pub has_quorum: Option<bool>,
    /// Whether the one that was asked judges nothing for a while, since its clock leapt or it stood still.
    pub is_tilted: Option<bool>,
    /// What they think of the master.
    pub master: Option<MasterSeen>,
    /// How often a master was named, as they count it.
    pub epoch: Option<u64>,
}

/// What Sentinels think of a master.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MasterSeen {
    /// It answers them.
    Up,
    /// The one that was asked does not reach it.
    Suspected,
    /// Enough of them do not.
    Failed,
}

/// A cache and what is expected of it.
#[derive(Clone, Debug, Default)]
pub struct Entity {
    /// Its name.
    pub name: String,
    /// What is expected.
    pub objective: Objective,
    /// Look-ups that memory answered.
    pub memory_hits: u64,
    /// Look-ups that it did not.
    pub memory_misses: u64,
    /// Those of them that Redis answered.
    pub redis_hits: u64,
    /// And those that it did not.
    pub redis_misses: u64,
    /// Answers that there is no such thing.
    pub absent_answers: u64,
    /// Answers that were marked stale.
    pub stale_answers: u64,
    /// How long answers took that memory did not have, in microseconds.
    pub answers: Buckets,
    /// Entries in memory.
    pub entries: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Bytes that there is room for.
    pub room_bytes: u64,
    /// The mean age of some entries.
    pub mean_age: Option<Duration>,
    /// Entries refused because something they show has changed.
    pub refused_changed: u64,
    /// Entries refused because they are older than what the node remembers.
    pub refused_floor: u64,
    /// Entries refused because they are of another lifetime of the log.
    pub refused_incarnation: u64,
    /// Loads given up at their deadline.
    pub hung_loads: u64,
    /// Keys asked from the source.
    pub loaded_keys: u64,
    /// Keys that the source failed on.
    pub failed_keys: u64,
    /// Keys refused because the queue was full.
    pub overloads: u64,
    /// Keys that wait for a load.
    pub queued: u64,
    /// How many may wait.
    pub most_queued: u64,
    /// Answers of the cache that differed from the source's.
    pub differences: u64,
}

/// What is expected of a cache.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Objective {
    /// The share of look-ups that a tier answers.
    pub hit_ratio: f64,
    /// What 99 of 100 answers are faster than.
    pub p99: Duration,
    /// Whether a miss of it lowers the score; otherwise it is shown.
    pub counts: bool,
}

impl Default for Objective {
    fn default() -> Self {
        Self {
            hit_ratio: 0.5,
            p99: Duration::from_millis(10),
            counts: false,
        }
    }
}

/// The change log and what rests on it.
#[derive(Clone, Debug, Default)]
pub struct Data {
    /// Whether the node follows a change log.
    pub has_log: bool,
    /// How long ago its last successful poll was sent.
    pub poll_age: Option<Duration>,
    /// What that may be at most.
    pub bound: Duration,
    /// How often the node had to begin anew.
    pub cold_resets: u64,
    /// How long a change that another node knew of was not known here, at worst since the last look.
    pub canary: Canary,
    /// Entries that were compared with the database after a change.
    pub audited: u64,
    /// Those of them that differed.
    pub differing: u64,
}

/// Whether what one node knows reaches the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Canary {
    /// Nobody could look: no Redis to meet in, no other node, or nothing has been told yet.
    #[default]
    Silent,
    /// All that others told was known here within this time.
    Seen(Duration),
    /// Something that another node knew of for this long is not known here.
    Missing(Duration),
}
