//! `GET /v1/caches`: what each entity's cache has and did; `GET /v1/caches/{entity}`: one of them, with
//! how it is set up; `GET /v1/caches/{entity}/keys/{key}`: what the tiers have under a key, and whether
//! it would be served.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use tingkat::Mode;
use tingkat::certificate::Refusal;
use tingkat::policy::{Placement, Policy};
use tingkat::registry::{AnyCache, InRemote, Inspected};
use tingkat::stats::{Histogram, Stats};

use crate::app::App;
use crate::paging::Page;
use crate::problem::{Code, Problem, shortened};
use crate::query;
use crate::reply;

/// A cache and what it did since the node started.
#[derive(Serialize)]
struct Summary {
    entity: &'static str,
    mode: &'static str,
    entries: u64,
    bytes: u64,
    memory_bytes: u64,
    /// Keys that customers want most, which are evicted last.
    favourites: usize,
    /// The share of look-ups that a tier answered; null before the first one.
    hit_ratio: Option<f64>,
    memory: Asked,
    redis: Asked,
    source: Loads,
    stale_answers: u64,
    absent_answers: u64,
}

#[derive(Serialize)]
struct Asked {
    hits: u64,
    misses: u64,
    hit_ratio: Option<f64>,
}

#[derive(Serialize)]
struct Loads {
    batches: u64,
    keys: u64,
    failed_keys: u64,
    running: u64,
    queued: u64,
}

/// A cache with everything that is known of it.
#[derive(Serialize)]
struct Detail {
    #[serde(flatten)]
    summary: Summary,
    policy: Shown,
    counts: Counts,
    latency: Latency,
}

/// Durations in milliseconds.
#[derive(Serialize)]
struct Shown {
    placement: &'static str,
    strict: bool,
    fresh_for_ms: u64,
    stale_for_ms: u64,
    absent_for_ms: u64,
    soft_deadline_ms: u64,
    hard_deadline_ms: u64,
    max_loads: usize,
    max_queue: usize,
    max_batch: usize,
    max_value_bytes: usize,
}

#[derive(Serialize)]
struct Counts {
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

#[derive(Serialize)]
struct Latency {
    redis_hit: Quantiles,
    source: Quantiles,
    load: Quantiles,
    failure: Quantiles,
}

/// Upper edges of powers of two of a microsecond.
#[derive(Serialize)]
struct Quantiles {
    count: u64,
    p50_us: Option<u64>,
    p99_us: Option<u64>,
}

/// What the tiers have under a key.
#[derive(Serialize)]
struct Entry<'a> {
    entity: &'static str,
    key: &'a str,
    /// Whether the node knows of all changes up to a moment ago: while it does not, what is accepted is
    /// not known to be current. Null where there is no change log.
    anchored: Option<bool>,
    memory: Option<Held>,
    redis: Redis,
}

/// What Redis has: the entry is there in the state `entry` alone.
#[derive(Serialize)]
struct Redis {
    state: &'static str,
    bytes: Option<usize>,
    entry: Option<Held>,
}

#[derive(Serialize)]
struct Held {
    /// False: the entry says that there is no such thing.
    has_value: bool,
    age_ms: u64,
    fresh_for_ms: u64,
    stale_for_ms: u64,
    bytes: usize,
    deps: Vec<String>,
    position: String,
    /// Whether it has seen all changes that the node knows of, and if not, why.
    accepted: bool,
    refusal: Option<&'static str>,
}

/// All caches.
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    query::none(query.as_deref())?;
    let caches = app.node.registry().all();
    let items = caches.iter().map(|cache| Summary::of(&**cache)).collect();
    reply::of_now(StatusCode::OK, &Page::whole(items))
}

/// One cache.
pub(crate) async fn one(
    State(app): State<Arc<App>>,
    Path(entity): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    query::none(query.as_deref())?;
    reply::of_now(StatusCode::OK, &Detail::of(&*find(&app, &entity)?))
}

/// What the tiers have under a key of a cache.
pub(crate) async fn key(
    State(app): State<Arc<App>>,
    Path((entity, key)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    query::none(query.as_deref())?;
    let cache = find(&app, &entity)?;
    let malformed =
        |error: tingkat::error::KeyError| Problem::new(Code::KeyMalformed, error.to_string());
    let memory = cache.inspect(&key).map_err(malformed)?;
    let redis = cache.inspect_remote(&key).await.map_err(malformed)?;
    let feed = app.node.feed();
    let anchored = feed.map(|feed| feed.poll_age.is_some_and(|age| age <= feed.bound));
    reply::of_now(
        StatusCode::OK,
        &Entry {
            entity: cache.name(),
            key: &key,
            anchored,
            memory: memory.map(Held::of),
            redis: Redis::of(redis),
        },
    )
}

/// The cache of an entity.
pub(crate) fn find(app: &App, entity: &str) -> Result<Arc<dyn AnyCache>, Problem> {
    let registry = app.node.registry();
    registry.find(entity).ok_or_else(|| {
        let known: Vec<&str> = registry.all().iter().map(|cache| cache.name()).collect();
        let detail = format!(
            "found {:?}; the member `known_entities` has every entity",
            shortened(entity)
        );
        Problem::new(Code::EntityUnknown, detail).with("known_entities", known)
    })
}

impl Summary {
    fn of(cache: &dyn AnyCache) -> Self {
        let stats = cache.stats();
        let memory = Asked::of(stats.memory_hits.get(), stats.memory_misses.get());
        let redis = Asked::of(stats.remote_hits.get(), stats.remote_misses.get());
        let asked = memory.hits + memory.misses;
        Self {
            entity: cache.name(),
            mode: mode(cache.mode()),
            entries: cache.entries(),
            bytes: cache.bytes(),
            memory_bytes: cache.policy().memory_bytes,
            favourites: cache.favourites(),
            hit_ratio: ratio(memory.hits + redis.hits, asked),
            memory,
            redis,
            source: Loads {
                batches: stats.batches.get(),
                keys: stats.loaded_keys.get(),
                failed_keys: stats.failed_keys.get(),
                running: stats.loads_running.get(),
                queued: stats.loads_queued.get(),
            },
            stale_answers: stats.stale_answers.get(),
            absent_answers: stats.absent_answers.get(),
        }
    }
}

impl Asked {
    fn of(hits: u64, misses: u64) -> Self {
        Self {
            hits,
            misses,
            hit_ratio: ratio(hits, hits + misses),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share of counts, for people")]
fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| (part as f64 / whole as f64).min(1.0))
}

impl Detail {
    fn of(cache: &dyn AnyCache) -> Self {
        let stats = cache.stats();
        Self {
            summary: Summary::of(cache),
            policy: Shown::of(&cache.policy()),
            counts: Counts::of(stats),
            latency: Latency {
                redis_hit: Quantiles::of(&stats.remote_time),
                source: Quantiles::of(&stats.source_time),
                load: Quantiles::of(&stats.load_time),
                failure: Quantiles::of(&stats.failure_time),
            },
        }
    }
}

impl Shown {
    fn of(policy: &Policy) -> Self {
        Self {
            placement: placement(policy.placement),
            strict: policy.strict,
            fresh_for_ms: millis(policy.fresh_for),
            stale_for_ms: millis(policy.stale_for),
            absent_for_ms: millis(policy.absent_for),
            soft_deadline_ms: millis(policy.soft_deadline),
            hard_deadline_ms: millis(policy.hard_deadline),
            max_loads: policy.max_loads,
            max_queue: policy.max_queue,
            max_batch: policy.max_batch,
            max_value_bytes: policy.max_value_bytes,
        }
    }
}

impl Counts {
    fn of(stats: &Stats) -> Self {
        Self {
            joined: stats.joined.get(),
            refreshes: stats.refreshes.get(),
            overloads: stats.overloads.get(),
            hung_loads: stats.hung_loads.get(),
            evictions: stats.evictions.get(),
            oversized: stats.oversized.get(),
            crowded: stats.crowded.get(),
            withheld: stats.withheld.get(),
            overtaken: stats.overtaken.get(),
            fills: stats.fills.get(),
            fills_rejected: stats.fills_rejected.get(),
            lease_waits: stats.lease_waits.get(),
            redis_failures: stats.remote_failures.get(),
            undecodable: stats.undecodable.get(),
            refused_changed: stats.refused_changed.get(),
            refused_floor: stats.refused_floor.get(),
            refused_incarnation: stats.refused_incarnation.get(),
            differences: stats.differences.get(),
        }
    }
}

impl Quantiles {
    fn of(histogram: &Histogram) -> Self {
        let count = histogram.count();
        let at = |percent: u64| {
            let wanted = (count * percent).div_ceil(100).max(1);
            let mut seen = 0;
            let bucket = histogram.buckets().find(|(_, count)| {
                seen += count;
                seen >= wanted
            });
            // Beyond the last edge nothing is known.
            let edge = bucket.and_then(|(edge, _)| edge)?;
            u64::try_from(edge.as_micros()).ok()
        };
        Self {
            count,
            p50_us: at(50),
            p99_us: at(99),
        }
    }
}

impl Redis {
    fn of(found: InRemote) -> Self {
        let state = match &found {
            InRemote::Unused => "unused",
            InRemote::Unknown => "unknown",
            InRemote::Nothing => "nothing",
            InRemote::Lease => "being loaded",
            InRemote::Failure => "load failed",
            InRemote::Foreign { .. } => "foreign",
            InRemote::Entry { .. } => "entry",
        };
        let (bytes, entry) = match found {
            InRemote::Entry { entry, bytes } => (Some(bytes), Some(Held::of(entry))),
            InRemote::Foreign { bytes } => (Some(bytes), None),
            InRemote::Unused
            | InRemote::Unknown
            | InRemote::Nothing
            | InRemote::Lease
            | InRemote::Failure => (None, None),
        };
        Self {
            state,
            bytes,
            entry,
        }
    }
}

impl Held {
    fn of(inspected: Inspected) -> Self {
        Self {
            has_value: inspected.has_value,
            age_ms: millis(inspected.age),
            fresh_for_ms: millis(inspected.fresh_for),
            stale_for_ms: millis(inspected.stale_for),
            bytes: inspected.bytes,
            deps: inspected.deps,
            position: inspected.position,
            accepted: inspected.refused.is_none(),
            refusal: inspected.refused.map(refusal),
        }
    }
}

const fn refusal(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Forgotten => "something that it shows has changed",
        Refusal::Expired => "something that it shows was expired",
        Refusal::Floor => "it is older than what this node remembers of the change log",
        Refusal::Incarnation => "it is of another life of the change log",
    }
}

pub(crate) const fn placement(placement: Placement) -> &'static str {
    match placement {
        Placement::Both => "both",
        Placement::Memory => "memory",
        Placement::Remote => "redis",
        Placement::Nowhere => "nowhere",
    }
}

pub(crate) const fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Cache => "cache",
        Mode::Shadow => "shadow",
        Mode::Bypass => "bypass",
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
