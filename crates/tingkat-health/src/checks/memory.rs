//! Whether Redis has room for what it shall hold.

use crate::check::{Check, Group, Reading};
use crate::checks::bytes;
use crate::field::{Field, number};
use crate::ring::LONG;
use crate::view::View;

use Reading::{Is, Skipped};

/// Below this nothing is judged by its ratio: the server itself takes more than its keys.
const FRAGMENTS: f64 = 100.0 * 1024.0 * 1024.0;

/// A growth that was watched for less than this says nothing about tomorrow.
const TREND_SECONDS: f64 = 120.0;

/// Longer than anybody plans, in hours.
const NEVER: f64 = 24.0 * 365.0;

pub(super) const CHECKS: &[Check] = &[
    Check::server("memory_limit", Group::Memory, limit)
        .weight(4)
        .unit("%")
        .above(50.0, 90.0)
        .needs(&[Field::MaxMemory, Field::UsedMemory, Field::TotalSystemMemory])
        .advice(|view, share| {
            let used = view.read(Field::UsedMemory).unwrap_or_default();
            let all = view.read(Field::TotalSystemMemory).unwrap_or_default();
            let wanted = (used * 1.5).min(all * 0.75).max(FRAGMENTS);
            format!(
                "Redis has no limit and takes {} % of the machine's memory. Set `maxmemory` to about {} and \
                 `maxmemory-policy allkeys-lfu`.",
                number(share.round()),
                bytes(wanted)
            )
        }),
    Check::server("memory_cannot_evict", Group::Memory, cannot_evict)
        .weight(6)
        .unit("%")
        .above(70.0, 90.0)
        .needs(&[Field::UsedMemory, Field::MaxMemory])
        .advice(|view, share| {
            let policy = view.policy().unwrap_or_default();
            format!(
                "Memory is {} % full and the policy {policy} can not make room: at 100 % every write is \
                 refused. Set `maxmemory-policy allkeys-lfu`, or raise `maxmemory`.",
                number(share.round())
            )
        }),
    Check::server("memory_time_to_full", Group::Memory, time_to_full)
        .weight(2)
        .unit("h")
        .below(24.0, 2.0)
        .over(LONG)
        .needs(&[Field::UsedMemory, Field::MaxMemory])
        .advice(|_, hours| {
            let hours = number(hours);
            format!(
                "At the growth of the last minutes memory is full in {hours} hours, and nothing may be evicted. \
                 Set `maxmemory-policy allkeys-lfu`, or raise `maxmemory`."
            )
        }),
    Check::server("eviction_behind", Group::Memory, behind)
        .weight(2)
        .unit("ms")
        .above(0.0, 10_000.0)
        .needs(&[Field::EvictionExceeded])
        .advice(|_, value| {
            let value = number(value);
            format!(
                "Redis is over `maxmemory` for {value} ms and can not evict as fast as it is written to. Raise \
                 `maxmemory`, or `maxmemory-eviction-tenacity`."
            )
        }),
    Check::server("memory_fragmentation", Group::Memory, fragmentation)
        .weight(3)
        .above(1.5, 2.0)
        .needs(&[
            Field::FragmentationRatio,
            Field::FragmentationBytes,
            Field::UsedMemoryPeakPercent,
        ])
        .advice(|view, ratio| {
            let wasted = view.read(Field::FragmentationBytes).unwrap_or_default();
            format!(
                "Redis holds {} more than its keys need ({} times). Set `activedefrag yes`, or restart it at a \
                 quiet hour.",
                bytes(wasted),
                number(ratio)
            )
        }),
    Check::server("memory_swap", Group::Memory, swap)
        .weight(3)
        .below(1.0, 0.9)
        .needs(&[
            Field::FragmentationRatio,
            Field::UsedMemory,
            Field::UsedMemoryRss,
        ])
        .advice(|_, ratio| {
            let share = number(((1.0 - ratio) * 100.0).round());
            format!(
                "{share} % of what Redis holds is not in memory: the system has swapped it out. Give the \
                 machine more memory, or Redis a lower `maxmemory`."
            )
        }),
    Check::server("client_buffers", Group::Memory, client_buffers)
        .weight(2)
        .unit("KiB")
        .above(200.0, 1_024.0)
        .needs(&[Field::ClientBytes, Field::ConnectedClients])
        .advice(|_, value| {
            let value = number(value.round());
            format!(
                "Connections hold {value} KiB each on average. A client sends or reads too slowly, or asks for \
                 too much at once: `CLIENT LIST` names it by `omem` and `qbuf`."
            )
        }),
    Check::redis("big_values", Group::Memory, big_values)
        .weight(2)
        .unit("KiB")
        .above(100.0, 1_024.0)
        .over(LONG)
        .advice(|_, value| {
            let value = number(value.round());
            format!(
                "One of a hundred entries that this node writes has {value} KiB or more. Redis serves nobody \
                 else meanwhile: leave fields out, or lower `compress_above` of the entity."
            )
        }),
    Check::server("memory_used", Group::Memory, |view| {
        if view.read(Field::MaxMemory)? == 0.0 {
            return Some(Skipped);
        }
        Some(Is(view.fullness()?))
    })
    .unit("%")
    .needs(&[Field::UsedMemory, Field::MaxMemory]),
    Check::server("memory_left_over", Group::Memory, left_over)
        .warns(1.5)
        .needs(&[
            Field::FragmentationRatio,
            Field::FragmentationBytes,
            Field::UsedMemoryPeakPercent,
        ])
        .advice(|view, _| {
            let wasted = view.read(Field::FragmentationBytes).unwrap_or_default();
            let peak = view.read(Field::UsedMemoryPeakPercent).unwrap_or_default();
            format!(
                "Redis keeps {} from a time when it held more (now {} % of its peak). That is harmless; \
                 `MEMORY PURGE` gives it back.",
                bytes(wasted),
                number(peak.round())
            )
        }),
    Check::server("replica_buffers", Group::Memory, |view| {
        Some(Is(view.read(Field::ReplicaBytes)? / 1_048_576.0))
    })
    .unit("MiB")
    .above(10.0, 100.0)
    .needs(&[Field::ReplicaBytes])
    .advice(|_, value| {
        let value = number(value.round());
        format!("{value} MiB wait to be sent to replicas: one of them, or the way to it, is too slow.")
    }),
    Check::server("cached_scripts", Group::Memory, |view| {
        Some(Is(view.read(Field::CachedScripts)?))
    })
    .unit("scripts")
    .above(500.0, 1_000.0)
    .needs(&[Field::CachedScripts])
    .advice(|_, value| {
        let value = number(value);
        format!("{value} scripts are cached. Somebody makes a script for each call; arguments belong in ARGV.")
    }),
    Check::server("lazyfree_pending", Group::Memory, |view| {
        Some(Is(view.read(Field::LazyfreePending)?))
    })
    .unit("objects")
    .warns(10_000.0)
    .needs(&[Field::LazyfreePending])
    .advice(|_, value| {
        let value = number(value);
        format!("{value} removed values wait to be freed; the machine has too little CPU for that.")
    }),
];

/// Of the machine, where the server has no limit of its own.
fn limit(view: &View<'_>) -> Option<Reading> {
    if view.read(Field::MaxMemory)? > 0.0 {
        return Some(Skipped);
    }
    let (used, all) = (
        view.read(Field::UsedMemory)?,
        view.read(Field::TotalSystemMemory)?,
    );
    (all > 0.0).then(|| Is(used / all * 100.0))
}

fn cannot_evict(view: &View<'_>) -> Option<Reading> {
    if view.read(Field::MaxMemory)? == 0.0 {
        return Some(Skipped);
    }
    let share = view.fullness()?;
    Some(Is(if view.can_evict()? { 0.0 } else { share }))
}

fn time_to_full(view: &View<'_>) -> Option<Reading> {
    if view.read(Field::MaxMemory)? == 0.0 {
        return Some(Skipped);
    }
    if view.can_evict()? {
        return Some(Is(NEVER));
    }
    let (used, most) = (view.read(Field::UsedMemory)?, view.read(Field::MaxMemory)?);
    let room = most - used;
    if room <= 0.0 {
        return Some(Is(0.0));
    }
    let name = &view.server?.name;
    let memory = |server: &crate::server::Server| server.number(Field::UsedMemory);
    let grown = view.ring.grown_by(name, LONG, memory)?;
    view.spans(grown.seconds);
    if grown.seconds < TREND_SECONDS {
        return None;
    }
    view.note("growth_per_second", format!("{:.0}", grown.per_second()));
    if grown.by <= 0.0 {
        return Some(Is(NEVER));
    }
    Some(Is((room / grown.per_second() / 3_600.0).min(NEVER)))
}

fn behind(view: &View<'_>) -> Option<Reading> {
    let exceeded = view.read(Field::EvictionExceeded)?;
    // Where nothing may be evicted the server counts this as well.
    Some(Is(if view.can_evict()? { exceeded } else { 0.0 }))
}

/// The ratio, as far as the bytes are worth a word: at the floor they are as bad as a ratio of 1.5.
fn worth(view: &View<'_>) -> Option<f64> {
    let ratio = view.read(Field::FragmentationRatio)?;
    let wasted = view.read(Field::FragmentationBytes)?;
    Some(ratio.min(1.0 + 0.5 * wasted.max(0.0) / FRAGMENTS))
}

/// Whether the server held much more once.
fn is_after_a_peak(view: &View<'_>) -> Option<bool> {
    Some(view.read(Field::UsedMemoryPeakPercent)? <= 66.0)
}

fn fragmentation(view: &View<'_>) -> Option<Reading> {
    let worth = worth(view)?;
    Some(Is(if is_after_a_peak(view)? { 1.0 } else { worth }))
}

fn left_over(view: &View<'_>) -> Option<Reading> {
    let worth = worth(view)?;
    Some(Is(if is_after_a_peak(view)? { worth } else { 1.0 }))
}

fn swap(view: &View<'_>) -> Option<Reading> {
    // Some services tell a resident size of 0: nobody knows it.
    view.read(Field::UsedMemoryRss).filter(|rss| *rss > 0.0)?;
    let (ratio, used) = (
        view.read(Field::FragmentationRatio)?,
        view.read(Field::UsedMemory)?,
    );
    Some(Is(if used > FRAGMENTS {
        ratio
    } else {
        ratio.max(1.0)
    }))
}

fn client_buffers(view: &View<'_>) -> Option<Reading> {
    let (held, clients) = (
        view.read(Field::ClientBytes)?,
        view.read(Field::ConnectedClients)?,
    );
    Some(Is(held / clients.max(1.0) / 1_024.0))
}

fn big_values(view: &View<'_>) -> Option<Reading> {
    if view.redis().is_none() {
        return Some(Skipped);
    }
    let written = view.tier(LONG)?.written;
    view.note("written", written.count());
    let p99 = written.quantile(0.99)?;
    view.note("p99_bytes", format!("{p99:.0}"));
    Some(Is(p99 / 1_024.0))
}
