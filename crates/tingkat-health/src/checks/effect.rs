//! Whether the tiers are of use.

use super::latency::is_enough;
use crate::buckets::exact;
use crate::check::{Check, Group, Reading};
use crate::checks::{below, bytes};
use crate::field::{Field, number};
use crate::ring::{LONG, SHORT};
use crate::view::View;

use Reading::{Is, Skipped};

/// Fewer keys than this tell nothing about their lives.
const ENOUGH_KEYS: f64 = 100.0;

pub(super) const CHECKS: &[Check] = &[
    Check::entity("hit_ratio", Group::Effect, hit_ratio)
        .weight(5)
        .unit("%")
        .low()
        .over(LONG)
        .of_objective(|entity| below(entity.objective.hit_ratio * 100.0))
        .advice(hit_advice),
    Check::server("evictions", Group::Effect, evictions)
        .weight(4)
        .unit("% of keys a minute")
        .above(1.0, 10.0)
        .over(SHORT)
        .needs(&[Field::Evicted, Field::Keys])
        .advice(|view, share| {
            let most = view.read(Field::MaxMemory).unwrap_or_default();
            let share_shown = number(share);
            format!(
                "Redis throws {share_shown} % of its keys away each minute: what is asked for does not fit. \
                 Raise `maxmemory` from {} to about {}.",
                bytes(most),
                bytes(most * 1.5)
            )
        }),
    Check::server("keys_without_ttl", Group::Effect, without_ttl)
        .weight(2)
        .unit("% with an end")
        .below(80.0, 10.0)
        .needs(&[Field::Keys, Field::Expires])
        .advice(|view, _| {
            let keys = view.read(Field::Keys).unwrap_or_default();
            let ends = view.read(Field::Expires).unwrap_or_default();
            let policy = view.policy().unwrap_or_default();
            format!(
                "{} keys have no end and stay for ever under the policy {policy}. All of ours have one; find \
                 whose they are with `redis-cli --scan` and `TTL`, or set `maxmemory-policy allkeys-lfu`.",
                number((keys - ends).max(0.0))
            )
        }),
    Check::server("expired_stale", Group::Effect, |view| {
        Some(Is(view.read(Field::ExpiredStalePercent)?))
    })
    .weight(1)
    .unit("%")
    .above(10.0, 25.0)
    .needs(&[Field::ExpiredStalePercent])
    .advice(|_, share| {
        let share = number(share);
        format!("{share} % of the keys are past their end and still take room. Raise `active-expire-effort`.")
    }),
    Check::server("flushed", Group::Effect, |view| {
        Some(Is(view.grown(Field::FlushCalls, LONG)?.by))
    })
    .weight(2)
    .unit("calls")
    .fails(1.0)
    .over(LONG)
    .needs(&[Field::FlushCalls])
    .advice(|_, calls| {
        let calls = number(calls);
        format!(
            "Somebody ran FLUSHALL or FLUSHDB {calls} times within 5 minutes: Redis is empty, the database \
             answers meanwhile. `tingkat forget` empties the tiers in order; take the right away: \
             `-flushall -flushdb`."
        )
    }),
    Check::server("server_hit_ratio", Group::Effect, server_hits)
        .unit("%")
        .over(LONG)
        .needs(&[Field::KeyspaceHits, Field::KeyspaceMisses]),
    Check::server("keys_of_others", Group::Effect, others)
        .unit("%")
        .warns(10.0)
        .over(LONG)
        .needs(&[Field::KeysLookedAt, Field::KeysOfOthers])
        .advice(|_, share| {
            let share = number(share.round());
            format!(
                "{share} % of the keys belong to other applications: their growth evicts ours and their \
                 FLUSHALL empties us. Give the cache a server of its own."
            )
        }),
    Check::server("databases", Group::Effect, |view| {
        Some(Is(view.read(Field::Databases)?))
    })
    .unit("databases with keys")
    .warns(1.0)
    .needs(&[Field::Databases])
    .advice(|_, count| {
        let count = number(count);
        format!(
            "{count} databases of this server have keys: it is shared, and memory and FLUSHALL are for all of \
             them. Give the cache a server of its own."
        )
    }),
];

fn hit_ratio(view: &View<'_>) -> Option<Reading> {
    let (before, now) = view.entity_ends(LONG)?;
    let of = |count: fn(&crate::look::Entity) -> u64| count(now).saturating_sub(count(before));
    let memory = of(|it| it.memory_hits);
    let redis = of(|it| it.redis_hits);
    let asked = memory + of(|it| it.memory_misses);
    let redis_asked = redis + of(|it| it.redis_misses);
    view.note("look_ups", asked);
    if asked > 0 {
        let ratio = |part, whole| number(part / whole * 100.0);
        view.note("memory_percent", ratio(exact(memory), exact(asked)));
        if redis_asked > 0 {
            view.note("redis_percent", ratio(exact(redis), exact(redis_asked)));
        }
    }
    if !is_enough(asked) {
        return None;
    }
    // Those who join a load are asked for in memory alone.
    Some(Is((exact(memory + redis) / exact(asked) * 100.0).min(100.0)))
}

/// What is the likeliest reason, by what else was seen.
fn hit_advice(view: &View<'_>, ratio: f64) -> String {
    let Some((before, now)) = view.entity_ends(LONG) else {
        return String::new();
    };
    let refused = now.refused_changed.saturating_sub(before.refused_changed);
    let misses = now.memory_misses.saturating_sub(before.memory_misses);
    let is_full = now.bytes.saturating_mul(10) > now.room_bytes.saturating_mul(9);
    let is_away = view.redis().is_some_and(|redis| !redis.is_usable);
    let why = if is_away {
        "Redis does not answer, so that each node loads for itself.".to_owned()
    } else if refused.saturating_mul(2) > misses {
        format!(
            "{refused} entries were refused as changed: something writes the same rows again and again."
        )
    } else if is_full {
        format!(
            "Memory is full: raise `memory_bytes` of the entity from {}.",
            bytes(exact(now.room_bytes))
        )
    } else {
        "Warm it, raise `fresh_for`, or lower the objective if each key is asked for but once."
            .to_owned()
    };
    format!(
        "{} % of the look-ups of `{}` are answered by a tier; the objective is {} %. {why}",
        number(ratio.round()),
        now.name,
        number((now.objective.hit_ratio * 100.0).round())
    )
}

fn evictions(view: &View<'_>) -> Option<Reading> {
    let evicted = view.grown(Field::Evicted, SHORT)?;
    let keys = view.read(Field::Keys)?;
    Some(Is(evicted.by / (keys + evicted.by).max(1.0) * 100.0))
}

/// Where keys without an end may stay for ever.
fn without_ttl(view: &View<'_>) -> Option<Reading> {
    let (keys, ends) = (view.read(Field::Keys)?, view.read(Field::Expires)?);
    if view.policy()?.starts_with("allkeys") {
        return Some(Skipped);
    }
    Some(Is(if keys < ENOUGH_KEYS {
        100.0
    } else {
        ends / keys * 100.0
    }))
}

fn server_hits(view: &View<'_>) -> Option<Reading> {
    let hits = view.grown(Field::KeyspaceHits, LONG)?.by;
    let asked = hits + view.grown(Field::KeyspaceMisses, LONG)?.by;
    Some(if asked > 0.0 {
        Is(hits / asked * 100.0)
    } else {
        Skipped
    })
}

fn others(view: &View<'_>) -> Option<Reading> {
    let seen = view.grown(Field::KeysLookedAt, LONG)?.by;
    let others = view.grown(Field::KeysOfOthers, LONG)?.by;
    Some(if seen > 0.0 {
        Is(others / seen * 100.0)
    } else {
        Skipped
    })
}
