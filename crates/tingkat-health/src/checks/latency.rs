//! How fast Redis answers, and what keeps it busy.

use crate::buckets::exact;
use crate::check::{Check, Group, Limits, Reading};
use crate::checks::millis;
use crate::field::{Field, number};
use crate::ring::{LONG, SHORT};
use crate::view::View;

use Reading::{Is, Skipped};

/// Fewer commands than this tell nothing about the slowest of a hundred.
const ENOUGH: u64 = 100;

/// A command that ran less often than this did not keep the server busy.
const ENOUGH_CALLS: f64 = 10.0;

pub(super) const CHECKS: &[Check] = &[
    Check::redis("round_trip_p99", Group::Latency, round_trip)
        .weight(6)
        .unit("ms")
        .above(5.0, 20.0)
        .over(SHORT)
        .advice(|_, value| {
            let value = number(value);
            format!(
                "One of a hundred round trips to Redis takes {value} ms or more; less than 1 ms is usual in \
                 one zone. Check the zone, the network, big values, and what else runs on both machines."
            )
        }),
    Check::server("command_time", Group::Latency, command_time)
        .weight(5)
        .unit("us")
        .above(500.0, 5_000.0)
        .over(SHORT)
        .advice(|view, value| {
            let slowest = slowest(view).map_or_else(String::new, |(name, _, _)| name.to_uppercase());
            let value = number(value.round());
            format!(
                "{slowest} takes {value} us a call, and everybody else waits meanwhile. Look for large values \
                 or collections, and for scripts that loop."
            )
        }),
    Check::server("fork_time", Group::Latency, fork_time)
        .weight(3)
        .unit("ms")
        .above(100.0, 500.0)
        .over(LONG)
        .needs(&[Field::ForkMicros, Field::Forks])
        .advice(|_, value| {
            let value = number(value.round());
            format!(
                "To save its data Redis stood still for {value} ms. A cache needs no snapshots: `save \"\"`; \
                 otherwise switch transparent huge pages off."
            )
        }),
    Check::server("cpu", Group::Latency, cpu)
        .weight(4)
        .unit("%")
        .above(65.0, 90.0)
        .over(SHORT)
        .advice(|view, value| {
            let busiest = busiest(view);
            let value = number(value.round());
            format!("The one thread that runs commands is {value} % busy{busiest}. Add nodes, or send it less.")
        }),
    Check::server("keys_command", Group::Latency, |view| {
        Some(Is(view.grown(Field::KeysCalls, LONG)?.by))
    })
    .weight(1)
    .unit("calls")
    .warns(0.0)
    .over(LONG)
    .needs(&[Field::KeysCalls])
    .advice(|_, calls| {
        let calls = number(calls);
        format!(
            "Somebody called KEYS {calls} times within 5 minutes; each call looks at every key while \
             everybody waits. Use SCAN, and take the right away: `-keys`."
        )
    }),
    Check::entity("latency", Group::Latency, latency)
        .weight(2)
        .unit("ms")
        .over(LONG)
        .of_objective(|entity| Limits {
            warning: Some(millis(entity.objective.p99)),
            critical: Some(millis(entity.objective.p99) * 5.0),
        })
        .advice(|view, value| {
            let (name, objective) = objective(view);
            let value = number(value);
            format!(
                "One of a hundred look-ups of `{name}` takes {value} ms or more; the objective is {objective} ms. \
                 Compare its loads with those of the others: a slow statement, a full queue, or Redis."
            )
        }),
    Check::server("command_p99", Group::Latency, |view| {
        Some(Is(view.read(Field::CommandP99)? / 1_000.0))
    })
    .unit("ms")
    .needs(&[Field::CommandP99]),
    Check::server("slow_log", Group::Latency, |view| {
        Some(Is(view.grown(Field::SlowCommands, SHORT)?.by))
    })
    .unit("entries")
    .over(SHORT)
    .needs(&[Field::SlowCommands]),
    Check::server("latency_events", Group::Latency, |view| {
        view.read(Field::LatencyWorst);
        Some(Is(view.grown(Field::LatencyEvents, LONG)?.by))
    })
    .unit("events")
    .warns(0.0)
    .over(LONG)
    .needs(&[Field::LatencyEvents])
    .advice(|view, count| {
        let worst = view.read(Field::LatencyWorst).map_or_else(String::new, |worst| {
            format!(", the worst of {} ms", number(worst))
        });
        format!(
            "The server itself saw {} moments within 5 minutes in which it stood still{worst}. `LATENCY DOCTOR` \
             says why.",
            number(count)
        )
    }),
    Check::server("network", Group::Latency, |view| {
        let bytes_in = view.grown(Field::BytesIn, SHORT)?.per_second();
        let bytes_out = view.grown(Field::BytesOut, SHORT)?.per_second();
        Some(Is((bytes_in + bytes_out) / 1_000_000.0))
    })
    .unit("MB/s")
    .over(SHORT)
    .needs(&[Field::BytesIn, Field::BytesOut]),
];

/// Of the commands of customers, where there are enough; else the middle one of our own questions.
fn round_trip(view: &View<'_>) -> Option<Reading> {
    if view.redis().is_none() {
        return Some(Skipped);
    }
    let tier = view.tier(SHORT)?;
    view.note("commands", tier.round_trips.count());
    view.note("failures", tier.failures);
    if tier.round_trips.count() >= ENOUGH {
        let micros = tier.round_trips.quantile(0.99)?;
        view.note("p99_us", format!("{micros:.0}"));
        return Some(Is(micros / 1_000.0));
    }
    let servers = view.redis()?.servers.iter();
    let mut answers: Vec<f64> = servers.filter_map(|server| server.answer_ms).collect();
    answers.sort_by(f64::total_cmp);
    let middle = answers.get(answers.len() / 2)?;
    view.note("info_ms", number(*middle));
    Some(Is(*middle))
}

/// The command that takes longest: its name, microseconds a call, calls.
fn slowest(view: &View<'_>) -> Option<(String, f64, f64)> {
    let costs = costs(view)?;
    let often = costs
        .into_iter()
        .filter(|(_, _, calls)| *calls >= ENOUGH_CALLS);
    often
        .map(|(name, micros, calls)| (name, micros / calls, calls))
        .max_by(|one, two| one.1.total_cmp(&two.1))
        .or_else(|| Some((String::new(), 0.0, 0.0)))
}

/// What each command cost: its name, microseconds, calls. Nothing where there is nothing to compare.
fn costs(view: &View<'_>) -> Option<Vec<(String, f64, f64)>> {
    let server = view.server?;
    let now = server.commands.as_ref()?;
    let costs = now.iter().filter_map(|command| {
        let grown = |of: fn(&crate::server::Command) -> f64| {
            view.ring.grown_by(&server.name, SHORT, |server| {
                let commands = server.commands.as_ref()?.iter();
                let mut named = commands.filter(|it| it.name == command.name);
                Some(named.next().map_or(0.0, of))
            })
        };
        let (calls, micros) = (grown(|it| it.calls)?.by, grown(|it| it.micros)?.by);
        Some((command.name.clone(), micros, calls))
    });
    // That there is something to compare with shows in any counter.
    let any = view.ring.grown_by(&server.name, SHORT, |server| {
        server.commands.as_ref().map(|_| 0.0)
    })?;
    view.spans(any.seconds);
    Some(costs.collect())
}

fn command_time(view: &View<'_>) -> Option<Reading> {
    let (name, micros, calls) = slowest(view)?;
    if !name.is_empty() {
        view.note("command", &name);
        view.note("calls", number(calls));
    }
    Some(Is(micros))
}

fn busiest(view: &View<'_>) -> String {
    let costs = costs(view).unwrap_or_default();
    let total: f64 = costs.iter().map(|(_, micros, _)| micros).sum();
    let most = costs.into_iter().max_by(|one, two| one.1.total_cmp(&two.1));
    match most {
        Some((name, micros, _)) if total > 0.0 => {
            let share = number((micros / total * 100.0).round());
            format!(", {share} % of that with {}", name.to_uppercase())
        }
        _ => String::new(),
    }
}

/// The last fork, if it was lately.
fn fork_time(view: &View<'_>) -> Option<Reading> {
    let micros = view.read(Field::ForkMicros)?;
    let forks = view.grown(Field::Forks, LONG)?;
    Some(Is(if forks.by > 0.0 {
        micros / 1_000.0
    } else {
        0.0
    }))
}

/// Of the thread that runs commands, where it is told apart.
fn cpu(view: &View<'_>) -> Option<Reading> {
    let both = |system, user| {
        let (system, user) = (view.grown(system, SHORT)?, view.grown(user, SHORT)?);
        Some(system.per_second() + user.per_second())
    };
    let has_main = view.server?.number(Field::CpuUserMain).is_some();
    let busy = if has_main {
        both(Field::CpuSystemMain, Field::CpuUserMain)?
    } else {
        both(Field::CpuSystem, Field::CpuUser)?
    };
    Some(Is(busy * 100.0))
}

/// All look-ups: those that memory answered count as below a microsecond.
fn latency(view: &View<'_>) -> Option<Reading> {
    let (before, now) = view.entity_ends(LONG)?;
    let mut answers = now.answers.since(&before.answers);
    answers.add(0, now.memory_hits.saturating_sub(before.memory_hits));
    view.note("look_ups", answers.count());
    if answers.count() < ENOUGH {
        return None;
    }
    let micros = answers.quantile(0.99)?;
    view.note("p99_us", format!("{micros:.0}"));
    Some(Is(micros / 1_000.0))
}

fn objective(view: &View<'_>) -> (String, String) {
    let entity = view.entity;
    let objective = entity.map_or(0.0, |entity| millis(entity.objective.p99));
    let name = entity.map_or_else(String::new, |entity| entity.name.clone());
    (name, number(objective))
}

/// So that the limit of a hundred is the same everywhere.
pub(super) fn is_enough(count: u64) -> bool {
    exact(count) >= exact(ENOUGH)
}
