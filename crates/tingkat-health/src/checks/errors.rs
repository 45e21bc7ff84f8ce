//! Whether Redis refuses what it is asked.

use crate::buckets::exact;
use crate::check::{Check, Group, Reading};
use crate::field::{Field, number};
use crate::ring::SHORT;
use crate::view::View;

use Reading::{Is, Skipped};

/// Failures are judged as if there were at least so many calls: one among three is none of a third.
const FEW_CALLS: u64 = 100;

/// Errors are judged as if there were at least so many commands: on a server that rests, a few of
/// them mean nothing.
const FEW_COMMANDS: f64 = 10_000.0;

pub(super) const CHECKS: &[Check] = &[
    Check::server("writes_refused", Group::Errors, refused)
        .weight(6)
        .unit("writes")
        .above(0.0, 60.0)
        .over(SHORT)
        .needs(&[
            Field::RefusedOom,
            Field::RefusedMisconf,
            Field::RefusedReadOnly,
        ])
        .caps(39)
        .advice(|view, count| {
            let count = number(count);
            let of = |field| view.grown(field, SHORT).map_or(0.0, |grown| grown.by);
            let reasons = [
                (Field::RefusedOom, "OOM: memory is full, raise `maxmemory` or set `maxmemory-policy allkeys-lfu`"),
                (Field::RefusedMisconf, "MISCONF: it can not save its data, set `stop-writes-on-bgsave-error no` or free its disk"),
                (Field::RefusedReadOnly, "READONLY: this is a replica, point `redis.url` to the primary or to the Sentinels"),
            ];
            let most = reasons.into_iter().max_by(|one, two| of(one.0).total_cmp(&of(two.0)));
            let reason = most.map_or("", |(_, reason)| reason);
            format!("Redis refused {count} writes within a minute ({reason}).")
        }),
    Check::server("error_replies", Group::Errors, replies)
        .weight(3)
        .unit("% of commands")
        .above(0.1, 1.0)
        .over(SHORT)
        .needs(&[Field::OtherErrors, Field::Commands])
        .advice(|view, share| {
            let errors = view.grown(Field::OtherErrors, SHORT).map_or(0.0, |it| it.by);
            format!(
                "{} of the commands failed within a minute ({} %); `INFO errorstats` says how.",
                number(errors),
                number(share)
            )
        }),
    Check::redis("tier_failures", Group::Errors, failures)
        .weight(3)
        .unit("% of our calls")
        .above(1.0, 50.0)
        .over(SHORT)
        .advice(|_, share| {
            let share = number(share);
            format!(
                "{share} % of our own calls to Redis failed or took too long within a minute; the database \
                 answers instead. Look at the way to it, at `redis_budget` beside `round_trip_p99`, and into the log."
            )
        }),
    Check::server("denied", Group::Errors, |view| {
        Some(Is(view.grown(Field::Denied, SHORT)?.by))
    })
    .unit("commands")
    .warns(0.0)
    .over(SHORT)
    .needs(&[Field::Denied])
    .advice(|_, count| {
        let count = number(count);
        format!(
            "{count} commands or logins of somebody were denied within a minute (NOPERM, NOAUTH, WRONGPASS); \
             `ACL LOG` says whose."
        )
    }),
];

fn refused(view: &View<'_>) -> Option<Reading> {
    let fields = [
        Field::RefusedOom,
        Field::RefusedMisconf,
        Field::RefusedReadOnly,
    ];
    let counts: Option<Vec<f64>> = fields
        .into_iter()
        .map(|field| Some(view.grown(field, SHORT)?.by))
        .collect();
    Some(Is(counts?.into_iter().sum()))
}

fn replies(view: &View<'_>) -> Option<Reading> {
    let errors = view.grown(Field::OtherErrors, SHORT)?.by;
    let commands = view.grown(Field::Commands, SHORT)?.by;
    Some(Is(errors / commands.max(FEW_COMMANDS) * 100.0))
}

/// Of our own calls; nothing where none was made.
fn failures(view: &View<'_>) -> Option<Reading> {
    if view.redis().is_none() {
        return Some(Skipped);
    }
    let tier = view.tier(SHORT)?;
    let calls = tier.round_trips.count() + tier.failures;
    view.note("calls", calls);
    view.note("failures", tier.failures);
    (calls > 0).then(|| Is(exact(tier.failures) / exact(calls.max(FEW_CALLS)) * 100.0))
}
