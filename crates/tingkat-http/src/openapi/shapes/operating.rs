//! What operators see and say.

use serde::Deserialize;
use utoipa::ToSchema;

super::adder! {
    Forget Forgotten CacheList CacheSummary Asked Loads CacheDetail Mode Placement CachePolicy
    CacheCounts CacheLatency Quantiles CacheKey InRedis RedisKeyState Held
    ChangesEvent Change ChangeKind ResetEvent ResetReason
}

/// One thing to forget: `keys` or a `pattern` of an `entity`, `tags`, or `all`, with an `entity` or of
/// everything.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Forget {
    #[schema(required = false)]
    entity: String,
    #[schema(required = false, min_items = 1, max_items = 1000)]
    keys: Vec<String>,
    /// With `*` at either end, such as `50*`.
    #[schema(required = false)]
    pattern: String,
    /// Such as `state:SGR`.
    #[schema(required = false, min_items = 1, max_items = 1000)]
    tags: Vec<String>,
    #[schema(required = false)]
    all: bool,
}

/// What every node has forgotten by now.
#[derive(ToSchema)]
struct Forgotten {
    forgotten: Forget,
}

/// All caches of this node.
#[derive(ToSchema)]
struct CacheList {
    items: Vec<CacheSummary>,
    /// Always null: they are one page.
    #[schema(required = true)]
    next: Option<String>,
}

/// `shadow` answers from the source and compares; `bypass` goes straight to the source.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum Mode {
    Cache,
    Shadow,
    Bypass,
}

/// A cache and what it did since the node started.
#[derive(ToSchema)]
struct CacheSummary {
    entity: String,
    mode: Mode,
    entries: u64,
    bytes: u64,
    /// How many bytes it may have in memory.
    memory_bytes: u64,
    /// Keys that customers want most, which are evicted last.
    favourites: u64,
    /// The share of look-ups that a tier answered; null before the first one.
    #[schema(required = true, minimum = 0, maximum = 1)]
    hit_ratio: Option<f64>,
    memory: Asked,
    redis: Asked,
    source: Loads,
    stale_answers: u64,
    absent_answers: u64,
}

/// How often a tier was asked.
#[derive(ToSchema)]
struct Asked {
    hits: u64,
    misses: u64,
    #[schema(required = true, minimum = 0, maximum = 1)]
    hit_ratio: Option<f64>,
}

/// What was loaded from the source.
#[derive(ToSchema)]
struct Loads {
    batches: u64,
    keys: u64,
    failed_keys: u64,
    running: u64,
    queued: u64,
}

/// A cache with everything that is known of it.
#[derive(ToSchema)]
struct CacheDetail {
    entity: String,
    mode: Mode,
    entries: u64,
    bytes: u64,
    /// How many bytes it may have in memory.
    memory_bytes: u64,
    /// Keys that customers want most, which are evicted last.
    favourites: u64,
    /// The share of look-ups that a tier answered; null before the first one.
    #[schema(required = true, minimum = 0, maximum = 1)]
    hit_ratio: Option<f64>,
    memory: Asked,
    redis: Asked,
    source: Loads,
    stale_answers: u64,
    absent_answers: u64,
    policy: CachePolicy,
    counts: CacheCounts,
    latency: CacheLatency,
}

/// Which tiers keep values.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum Placement {
    Both,
    Memory,
    Redis,
    Nowhere,
}

/// How a cache is set up. Durations are in milliseconds.
#[derive(ToSchema)]
struct CachePolicy {
    placement: Placement,
    strict: bool,
    fresh_for_ms: u64,
    stale_for_ms: u64,
    absent_for_ms: u64,
    soft_deadline_ms: u64,
    hard_deadline_ms: u64,
    max_loads: u64,
    max_queue: u64,
    max_batch: u64,
    max_value_bytes: u64,
}

/// How often something happened since the node started.
#[derive(ToSchema)]
struct CacheCounts {
    joined: u64,
    refreshes: u64,
    overloads: u64,
    hung_loads: u64,
    evictions: u64,
    oversized: u64,
    crowded: u64,
    withheld: u64,
    overtaken: u64,
    fills: u64,
    fills_rejected: u64,
    lease_waits: u64,
    redis_failures: u64,
    undecodable: u64,
    refused_changed: u64,
    refused_floor: u64,
    refused_incarnation: u64,
    differences: u64,
}

/// How long things took.
#[derive(ToSchema)]
struct CacheLatency {
    redis_hit: Quantiles,
    source: Quantiles,
    load: Quantiles,
    failure: Quantiles,
}

/// Upper edges of powers of two of a microsecond; null where nothing is known.
#[derive(ToSchema)]
struct Quantiles {
    count: u64,
    #[schema(required = true)]
    p50_us: Option<u64>,
    #[schema(required = true)]
    p99_us: Option<u64>,
}

/// What the tiers have under a key.
#[derive(ToSchema)]
struct CacheKey {
    entity: String,
    key: String,
    /// Whether the node knows what changed; null without a change log.
    #[schema(required = true)]
    anchored: Option<bool>,
    #[schema(required = true)]
    memory: Option<Held>,
    redis: InRedis,
}

/// What Redis has. `bytes` and `entry` are there in the states that have them.
#[derive(ToSchema)]
struct InRedis {
    state: RedisKeyState,
    #[schema(required = true)]
    bytes: Option<u64>,
    #[schema(required = true)]
    entry: Option<Held>,
}

/// What is under the key in Redis; `unused`: the entity is not kept there.
#[derive(ToSchema)]
enum RedisKeyState {
    #[schema(rename = "unused")]
    Unused,
    #[schema(rename = "unknown")]
    Unknown,
    #[schema(rename = "nothing")]
    Nothing,
    #[schema(rename = "being loaded")]
    BeingLoaded,
    #[schema(rename = "load failed")]
    LoadFailed,
    #[schema(rename = "foreign")]
    Foreign,
    #[schema(rename = "entry")]
    Entry,
}

/// An entry.
#[derive(ToSchema)]
struct Held {
    /// False: the entry says that there is no such thing.
    has_value: bool,
    age_ms: u64,
    fresh_for_ms: u64,
    stale_for_ms: u64,
    bytes: u64,
    /// What it depends on.
    deps: Vec<String>,
    /// What its load had seen of the change log.
    position: String,
    /// Whether it would be served as current.
    accepted: bool,
    /// Why not.
    #[schema(required = true)]
    refusal: Option<String>,
}

/// The data of an event `changes`: these deps are different now, each once.
#[derive(ToSchema)]
struct ChangesEvent {
    #[schema(min_items = 1, max_items = 500)]
    changes: Vec<Change>,
}

/// A change. `forget` and `expire` are the same for a page cache; a `pattern` is an entity and a glob.
#[derive(ToSchema)]
struct Change {
    kind: ChangeKind,
    /// Such as `product:7`, `postcode:50*`, `product.*` for all products, or `*` for everything.
    dep: String,
}

/// What is done with what depends on it.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum ChangeKind {
    Forget,
    Expire,
    Pattern,
}

/// The data of an event `reset`: nobody knows what was missed, so purge everything.
#[derive(ToSchema)]
struct ResetEvent {
    reason: ResetReason,
}

/// Why: no cursor was given, the database began a new life, or the cursor is older than what is
/// remembered.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum ResetReason {
    NoCursor,
    Incarnation,
    CursorTooOld,
}
