//! This node, and what it knows of its neighbours: the change log, Redis, the database.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use tingkat::breaker::State;
use tingkat_health::{DataState, Readiness, RedisState, SourceState, Status};

use super::page::{Family, Number, Page};
use crate::app::App;

const BUILD: Family = Family::info("tingkat_build", "Which program this is");
const STATUS: Family = Family::gauge("tingkat_node_status", "1 at the verdict of /readyz");
const SOURCE: Family = Family::gauge("tingkat_source_state", "1 at the state of the database");
const DATA: Family = Family::gauge("tingkat_data_state", "1 at the state of the change log");
const POLL_AGE: Family = Family::gauge(
    "tingkat_feed_poll_age_seconds",
    "How long ago the last successful poll of the change log was sent",
);
const BOUND: Family = Family::gauge(
    "tingkat_feed_staleness_bound_seconds",
    "How old an answer may be that is not marked stale",
);
const ANCHORED: Family = Family::gauge(
    "tingkat_feed_anchored",
    "Whether the last successful poll is younger than the staleness bound",
);
const DEPS: Family = Family::gauge("tingkat_feed_deps", "Changes that are remembered, by dep");
const POLLS: Family = Family::counter(
    "tingkat_feed_polls",
    "Polls of the change log that came back",
);
const CHANGES: Family = Family::counter(
    "tingkat_feed_changes",
    "Changes that polls of the change log brought",
);
const COLD_RESETS: Family = Family::counter(
    "tingkat_feed_cold_resets",
    "How often everything was to be loaded again",
);
const INCARNATION: Family = Family::info("tingkat_feed", "The change log that is followed");
const REDIS: Family = Family::gauge("tingkat_redis_state", "1 at the state of Redis");
const CALLS: Family = Family::counter(
    "tingkat_redis_calls",
    "Round trips to Redis, by what they were for",
);
const FAILURES: Family = Family::counter(
    "tingkat_redis_call_failures",
    "Round trips to Redis that failed, by how",
);
const BREAKER: Family = Family::gauge(
    "tingkat_redis_breaker_state",
    "1 where the breaker stands that leaves Redis alone, one for everything and one for writes alone",
);
const OPENED: Family = Family::counter(
    "tingkat_redis_breaker_opened",
    "How often the breaker opened",
);

/// The commit of which this program was built, where whoever built it said so.
const COMMIT: &str = match option_env!("TINGKAT_COMMIT") {
    Some(commit) if !commit.is_empty() => commit,
    _ => "unknown",
};

pub(super) fn collect(app: &App, page: &mut Page<'_>) -> fmt::Result {
    let profile = if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    };
    let build = [
        ("version", env!("CARGO_PKG_VERSION")),
        ("commit", COMMIT),
        ("profile", profile),
    ];
    page.info(&BUILD, [build])?;
    observed(app, page)?;
    feed(app, page)?;
    redis(app, page)
}

/// A row for each state that there is, with 1 at the present one.
fn states<'a>(
    label: &'static str,
    all: &'a [&'static str],
    present: &'static str,
) -> impl Iterator<Item = ([(&'static str, &'static str); 1], Number)> + 'a {
    let row = move |state: &&'static str| ([(label, *state)], (*state == present).into());
    all.iter().map(row)
}

fn observed(app: &App, page: &mut Page<'_>) -> fmt::Result {
    let (status, source, data, redis) = {
        let observed = app.readiness.borrow();
        (
            Readiness::of(&observed).status.name(),
            observed.source.name(),
            observed.data.name(),
            observed.redis.name(),
        )
    };
    page.rows(&STATUS, states("status", &Status::NAMES, status))?;
    page.rows(&SOURCE, states("state", &SourceState::NAMES, source))?;
    page.rows(&DATA, states("state", &DataState::NAMES, data))?;
    page.rows(&REDIS, states("state", &RedisState::NAMES, redis))
}

fn feed(app: &App, page: &mut Page<'_>) -> fmt::Result {
    let Some(feed) = app.node.feed() else {
        return Ok(());
    };
    if let Some(incarnation) = feed.incarnation {
        let incarnation = incarnation.to_string();
        page.info(&INCARNATION, [[("incarnation", incarnation.as_str())]])?;
    }
    if let Some(age) = feed.poll_age {
        page.one(&POLL_AGE, age.as_secs_f64())?;
    }
    page.one(&BOUND, feed.bound.as_secs_f64())?;
    page.one(
        &ANCHORED,
        feed.poll_age.is_some_and(|age| age <= feed.bound),
    )?;
    page.one(&DEPS, feed.deps as u64)?;
    let heard = &app.metrics.0.heard;
    page.one(&POLLS, read(&heard.polls))?;
    page.one(&CHANGES, read(&heard.changes))?;
    page.one(&COLD_RESETS, read(&heard.cold_resets))
}

fn redis(app: &App, page: &mut Page<'_>) -> fmt::Result {
    let (Some(calls), Some([all, writes])) = (app.node.remote_calls(), app.node.breakers()) else {
        return Ok(());
    };
    let made = [
        ("read", &calls.reads),
        ("write", &calls.writes),
        ("hint", &calls.hints),
    ];
    let made = made.map(|(access, count)| ([("access", access)], count.get().into()));
    page.rows(&CALLS, made)?;
    let failed = [
        ("disconnected", &calls.disconnected),
        ("timeout", &calls.timed_out),
        ("write_refused", &calls.write_refused),
        ("refused", &calls.refused),
        ("part_away", &calls.part_away),
    ];
    let failed = failed.map(|(kind, count)| ([("kind", kind)], count.get().into()));
    page.rows(&FAILURES, failed)?;

    let breakers = [("all", all), ("writes", writes)];
    let stands = breakers.iter().flat_map(|(breaker, state)| {
        let states = [State::Closed, State::Open, State::HalfOpen];
        states.map(|one| {
            let labels = [("breaker", *breaker), ("state", name(one))];
            (labels, (one == *state).into())
        })
    });
    page.rows(&BREAKER, stands)?;
    let opened = breakers.iter().zip(&app.metrics.0.heard.opened);
    let opened = opened.map(|((breaker, _), count)| ([("breaker", *breaker)], read(count).into()));
    page.rows(&OPENED, opened)
}

const fn name(state: State) -> &'static str {
    match state {
        State::Closed => "closed",
        State::Open => "open",
        State::HalfOpen => "half_open",
    }
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
