//! What is loaded ahead of demand, and what came of it.

use std::collections::BTreeMap;

use utoipa::ToSchema;

super::adder! {
    Warm WarmingBegun Warming WarmingRun WarmingReason WarmingReport WarmingEnd WarmingEntity
    AlreadyWarm WarmingFailure WarmingStopped WarmingChecked
}

/// What is to be warmed: `entities` with `top`, or `keys` by entity.
#[derive(serde::Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Warm {
    /// All of them where none is named.
    #[schema(required = false)]
    entities: Vec<String>,
    /// So many keys of each, the most wanted.
    #[schema(required = false, minimum = 1, maximum = 1_000_000)]
    top: u64,
    /// At most 10,000 together.
    #[schema(required = false)]
    keys: BTreeMap<String, Vec<String>>,
    /// Loads at a time.
    #[schema(required = false, minimum = 1, maximum = 1_000)]
    concurrency: u64,
    /// Keys loaded in a second; any number at 0.
    #[schema(required = false)]
    rate: u64,
    /// Bytes that are loaded; any number at 0.
    #[schema(required = false)]
    bytes: u64,
    #[schema(required = false, minimum = 1, maximum = 86_400_000)]
    timeout_ms: u64,
    /// Compare some of the keys with the source afterwards.
    #[schema(required = false)]
    validate: bool,
    /// Load nothing.
    #[schema(required = false)]
    dry_run: bool,
}

/// A run by its number.
#[derive(ToSchema)]
struct WarmingBegun {
    run: u64,
}

/// How it stands.
#[derive(ToSchema)]
struct Warming {
    #[schema(required = true)]
    running: Option<WarmingRun>,
    #[schema(required = true)]
    last: Option<WarmingRun>,
    next_runs: Vec<String>,
}

/// A run that goes on or has ended.
#[derive(ToSchema)]
struct WarmingRun {
    run: u64,
    reason: WarmingReason,
    #[schema(format = DateTime)]
    started_at: String,
    report: WarmingReport,
}

/// Who wanted it.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum WarmingReason {
    Start,
    Schedule,
    Request,
}

/// What it did so far, or in the end.
#[derive(ToSchema)]
struct WarmingReport {
    end: WarmingEnd,
    /// Every key is in Redis, or in memory if it belongs there alone, and nothing that was compared differs.
    success: bool,
    dry_run: bool,
    seconds: f64,
    entities: Vec<WarmingEntity>,
}

/// How it stands or ended.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum WarmingEnd {
    Running,
    Completed,
    TimedOut,
    BytesReached,
    Cancelled,
    ShutDown,
    Broken,
}

/// What it did for one entity.
#[derive(ToSchema)]
struct WarmingEntity {
    entity: String,
    wanted: u64,
    /// Nobody ranks its keys, and no look-ups are known. Left out otherwise.
    #[schema(required = false)]
    unranked: bool,
    duplicates: u64,
    malformed: u64,
    /// Left out if there are none.
    #[schema(required = false)]
    malformed_examples: Vec<String>,
    already_warm: AlreadyWarm,
    loaded: u64,
    absent: u64,
    not_in_redis: u64,
    /// Keys that Redis has and memory had no room for.
    not_in_memory: u64,
    failed: Vec<WarmingFailure>,
    left: u64,
    /// Left out unless it was left before its end.
    #[schema(required = false)]
    stopped: WarmingStopped,
    bytes: u64,
    seconds: f64,
    /// Left out unless some keys were compared.
    #[schema(required = false)]
    checked: WarmingChecked,
}

/// Keys by the tier that had them already.
#[derive(ToSchema)]
struct AlreadyWarm {
    memory: u64,
    redis: u64,
}

/// Keys that are in no tier.
#[derive(ToSchema)]
struct WarmingFailure {
    reason: String,
    keys: u64,
}

/// Why an entity was left.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum WarmingStopped {
    UnknownEntity,
    NotCached,
    NoOrder,
    Failing,
    MemoryFull,
    NothingThere,
}

/// What came of comparing keys with the source.
#[derive(ToSchema)]
struct WarmingChecked {
    same: u64,
    different: u64,
    missing: u64,
    unknown: u64,
}
