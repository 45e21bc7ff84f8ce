//! What each cache has and did.

use std::fmt;
use std::sync::Arc;

use tingkat::Policy;
use tingkat::registry::AnyCache;
use tingkat::stats::{Histogram, Stats};

use super::page::{Family, Number, Page, Spread};
use crate::app::App;
use crate::caches::{mode, placement};

/// Below this power of two of a microsecond durations are not told apart: nothing here is as quick.
const FIRST_EDGE: f64 = 64e-6;

/// Where something is in the counters of a cache.
type Of<T> = fn(&Stats) -> T;

/// A family, its second label and its rows: the values of the label, each with where the number is.
struct Table<T: 'static> {
    family: Family,
    label: &'static str,
    rows: &'static [(&'static str, Of<T>)],
}

const LOOKUPS: Family = Family::counter(
    "tingkat_lookups",
    "Look-ups of a tier, by what came of them",
);

/// Tier, result, and where the number is.
type Lookup = (&'static str, &'static str, Of<u64>);

const LOOKUP_ROWS: [Lookup; 5] = [
    ("memory", "hit", |stats| stats.memory_hits.get()),
    ("memory", "miss", |stats| stats.memory_misses.get()),
    ("redis", "hit", |stats| stats.remote_hits.get()),
    ("redis", "miss", |stats| stats.remote_misses.get()),
    ("redis", "failure", |stats| stats.remote_failures.get()),
];

/// Families with another label beside the entity.
const COUNTERS_BY: &[Table<u64>] = &[
    Table {
        family: Family::counter(
            "tingkat_entries_refused",
            "Entries of a tier that were not served, as they are not known to be current or are none",
        ),
        label: "reason",
        rows: &[
            ("changed", |stats| stats.refused_changed.get()),
            ("floor", |stats| stats.refused_floor.get()),
            ("incarnation", |stats| stats.refused_incarnation.get()),
            ("undecodable", |stats| stats.undecodable.get()),
        ],
    },
    Table {
        family: Family::counter(
            "tingkat_redis_fills",
            "Entries on their way to Redis, by whether the lease still held",
        ),
        label: "result",
        rows: &[
            ("stored", |stats| stats.fills.get()),
            ("rejected", |stats| stats.fills_rejected.get()),
        ],
    },
];

/// Families whose only label is the entity.
const COUNTERS: &[(Family, Of<u64>)] = &[
    (
        Family::counter("tingkat_stale_answers", "Answers that were marked stale"),
        |stats| stats.stale_answers.get(),
    ),
    (
        Family::counter(
            "tingkat_absent_answers",
            "Answers that there is no such thing",
        ),
        |stats| stats.absent_answers.get(),
    ),
    (
        Family::counter(
            "tingkat_load_batches",
            "Calls of the source, each for one or more keys",
        ),
        |stats| stats.batches.get(),
    ),
    (
        Family::counter("tingkat_load_keys", "Keys that the source was asked for"),
        |stats| stats.loaded_keys.get(),
    ),
    (
        Family::counter(
            "tingkat_load_keys_failed",
            "Keys that the source was asked for and failed on",
        ),
        |stats| stats.failed_keys.get(),
    ),
    (
        Family::counter(
            "tingkat_loads_hung",
            "Loads that were given up at the hard deadline",
        ),
        |stats| stats.hung_loads.get(),
    ),
    (
        Family::counter(
            "tingkat_loads_overloaded",
            "Keys that were refused because the queue was full",
        ),
        |stats| stats.overloads.get(),
    ),
    (
        Family::counter(
            "tingkat_loads_joined",
            "Callers that joined the load of another",
        ),
        |stats| stats.joined.get(),
    ),
    (
        Family::counter(
            "tingkat_loads_overtaken",
            "Loads whose value had changed by the time they ended",
        ),
        |stats| stats.overtaken.get(),
    ),
    (
        Family::counter(
            "tingkat_loads_crowded",
            "Loads that saw too many transactions under way to be kept",
        ),
        |stats| stats.crowded.get(),
    ),
    (
        Family::counter("tingkat_refreshes", "Refreshes in the background"),
        |stats| stats.refreshes.get(),
    ),
    (
        Family::counter("tingkat_lease_waits", "Waits for the load of another node"),
        |stats| stats.lease_waits.get(),
    ),
    (
        Family::counter(
            "tingkat_memory_evictions",
            "Entries that memory had no room for",
        ),
        |stats| stats.evictions.get(),
    ),
    (
        Family::counter(
            "tingkat_memory_oversized",
            "Values that were too large for memory",
        ),
        |stats| stats.oversized.get(),
    ),
    (
        Family::counter(
            "tingkat_values_withheld",
            "Values that did not reach Redis because of a private field",
        ),
        |stats| stats.withheld.get(),
    ),
    (
        Family::counter(
            "tingkat_shadow_differences",
            "Answers that differed from the source in shadow mode",
        ),
        |stats| stats.differences.get(),
    ),
];

type Gauge = fn(&dyn AnyCache, &Policy) -> u64;

const GAUGES: &[(Family, Gauge)] = &[
    (
        Family::gauge("tingkat_loads_running", "Loads under way"),
        |cache, _| cache.stats().loads_running.get(),
    ),
    (
        Family::gauge(
            "tingkat_loads_running_limit",
            "Loads that may be under way at a time",
        ),
        |_, policy| policy.max_loads as u64,
    ),
    (
        Family::gauge("tingkat_loads_queued", "Keys that wait for a load"),
        |cache, _| cache.stats().loads_queued.get(),
    ),
    (
        Family::gauge(
            "tingkat_loads_queued_limit",
            "Keys that may wait for a load at a time",
        ),
        |_, policy| policy.max_queue as u64,
    ),
    (
        Family::gauge("tingkat_memory_entries", "Entries in memory"),
        |cache, _| cache.entries(),
    ),
    (
        Family::gauge(
            "tingkat_memory_bytes",
            "Bytes in memory, as they are charged",
        ),
        |cache, _| cache.bytes(),
    ),
    (
        Family::gauge(
            "tingkat_memory_limit_bytes",
            "Bytes that the entries in memory may take",
        ),
        |_, policy| policy.memory_bytes,
    ),
    (
        Family::gauge(
            "tingkat_memory_favourites",
            "Keys that customers want most, which are evicted last",
        ),
        |cache, _| cache.favourites() as u64,
    ),
];

const HISTOGRAMS: &[Table<Spread>] = &[
    Table {
        family: Family::histogram(
            "tingkat_redis_lookup_duration_seconds",
            "How long Redis took to answer a look-up, by what came of it",
        ),
        label: "result",
        rows: &[
            ("hit", |stats| spread(&stats.remote_time)),
            ("miss", |stats| spread(&stats.remote_miss_time)),
            ("failure", |stats| spread(&stats.remote_failure_time)),
        ],
    },
    Table {
        family: Family::histogram(
            "tingkat_source_lookup_duration_seconds",
            "How long callers waited for what no tier had, by what they got",
        ),
        label: "result",
        rows: &[
            ("found", |stats| spread(&stats.source_time)),
            ("absent", |stats| spread(&stats.source_absent_time)),
            ("stale", |stats| spread(&stats.stale_time)),
            ("failure", |stats| spread(&stats.failure_time)),
        ],
    },
];

const LOAD_TIME: Family = Family::histogram(
    "tingkat_load_duration_seconds",
    "How long the source took for a batch",
);

const CACHE: Family = Family::info("tingkat_cache", "How an entity is cached");

pub(super) fn collect(app: &App, page: &mut Page<'_>) -> fmt::Result {
    let caches = app.node.registry().all();
    page.info(
        &CACHE,
        caches.iter().map(|cache| {
            [
                ("entity", cache.name()),
                ("mode", mode(cache.mode())),
                ("placement", placement(cache.policy().placement)),
            ]
        }),
    )?;
    let rows = caches.iter().flat_map(|cache| {
        LOOKUP_ROWS.iter().map(|(tier, result, number)| {
            let labels = [
                ("entity", cache.name()),
                ("tier", *tier),
                ("result", *result),
            ];
            (labels, number(cache.stats()).into())
        })
    });
    page.rows(&LOOKUPS, rows)?;
    for table in COUNTERS_BY {
        let numbers = cells(&caches, table).map(|(labels, number)| (labels, number.into()));
        page.rows(&table.family, numbers)?;
    }
    for (family, number) in COUNTERS {
        page.rows(family, each(&caches, |cache| number(cache.stats())))?;
    }
    for (family, number) in GAUGES {
        page.rows(
            family,
            each(&caches, |cache| number(cache, &cache.policy())),
        )?;
    }
    for table in HISTOGRAMS {
        page.spreads(&table.family, cells(&caches, table).filter(is_filled))?;
    }
    let load_times = caches
        .iter()
        .map(|cache| ([("entity", cache.name())], spread(&cache.stats().load_time)));
    page.spreads(&LOAD_TIME, load_times.filter(is_filled))
}

/// A row for each cache.
fn each<'a>(
    caches: &'a [Arc<dyn AnyCache>],
    number: impl Fn(&dyn AnyCache) -> u64 + 'a,
) -> impl Iterator<Item = ([(&'static str, &'static str); 1], Number)> + 'a {
    let row =
        move |cache: &'a Arc<dyn AnyCache>| ([("entity", cache.name())], number(&**cache).into());
    caches.iter().map(row)
}

/// The rows of a table for each cache.
fn cells<'a, T>(
    caches: &'a [Arc<dyn AnyCache>],
    table: &'a Table<T>,
) -> impl Iterator<Item = ([(&'static str, &'static str); 2], T)> + 'a {
    caches.iter().flat_map(|cache| {
        table.rows.iter().map(|(value, number)| {
            let labels = [("entity", cache.name()), (table.label, *value)];
            (labels, number(cache.stats()))
        })
    })
}

/// Of what never happened two dozen zeros are left out.
fn is_filled<L>((_, spread): &(L, Spread)) -> bool {
    spread.buckets.iter().any(|(_, count)| *count > 0)
}

fn spread(histogram: &Histogram) -> Spread {
    let mut buckets: Vec<(f64, u64)> = Vec::with_capacity(Histogram::BUCKETS);
    let mut quick = 0;
    for (edge, count) in histogram.buckets() {
        let edge = edge.map_or(f64::INFINITY, |edge| edge.as_secs_f64());
        if edge < FIRST_EDGE {
            quick += count;
        } else {
            buckets.push((edge, count + std::mem::take(&mut quick)));
        }
    }
    Spread {
        sum: histogram.sum().as_secs_f64(),
        buckets,
    }
}
