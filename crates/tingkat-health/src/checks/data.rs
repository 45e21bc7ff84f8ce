//! Whether answers are true. These are no part of the score: a cache that is fast and wrong is no
//! better for being fast.

use crate::buckets::exact;
use crate::check::{Check, Reading};
use crate::checks::millis;
use crate::field::number;
use crate::look::Canary;
use crate::readiness::DataState;
use crate::ring::{LONG, SHORT};
use crate::view::View;

use Reading::{Is, Skipped};

pub(super) const CHECKS: &[Check] = &[
    Check::node("change_log", change_log)
        .fails(1.0)
        .advice(|view, _| match &view.look.observed.data {
            DataState::Critical { reasons } => format!(
                "Values may be older than promised: {}. `tingkat schema check` tells more, `tingkat schema \
                 install` mends it.",
                reasons.join("; ")
            ),
            DataState::Unknown | DataState::Whole => String::new(),
        }),
    Check::node("poll_age", poll_age)
        .unit("% of the bound")
        .above(60.0, 100.0)
        .advice(|view, _| {
            let age = view.look.data.poll_age.map_or(0.0, millis);
            let bound = millis(view.look.data.bound);
            format!(
                "The change log was last read {} ms ago; from {} ms on, answers are marked stale. Check the \
                 database and the way to it.",
                number(age.round()),
                number(bound)
            )
        }),
    Check::node("canary", canary)
        .unit("% of the bound")
        .above(100.0, 300.0)
        .advice(|view, share| {
            let took = share / 100.0 * millis(view.look.data.bound);
            format!(
                "A change that another node knew was not known here for {} ms. Compare what both call \
                 `incarnation` in /readyz, and their databases: they must follow the same change log.",
                number(took.round())
            )
        }),
    Check::node("audit", audit)
        .unit("entries")
        .fails(1.0)
        .over(LONG)
        .advice(|_, count| {
            let count = number(count);
            format!(
                "{count} entries differed from the database after a change was known. Something writes without \
                 the triggers, or a loader reads what they do not follow: `tingkat schema check`; until then \
                 `entity.<name>.mode = \"bypass\"`."
            )
        }),
    Check::node("stale_answers", stale)
        .unit("answers")
        .warns(0.0)
        .over(SHORT)
        .advice(|_, count| {
            let count = number(count);
            format!("{count} answers were marked stale within a minute: the database fails, or is shed for load.")
        }),
    Check::node("cold_resets", cold_resets)
        .unit("resets")
        .above(0.0, 4.0)
        .over(LONG)
        .advice(|_, count| {
            let count = number(count);
            format!(
                "This node began anew {count} times within 5 minutes, and each time everything is loaded again. \
                 The log says why: the database crashed, or too much changed at once."
            )
        }),
    Check::node("hung_loads", |view| {
        Some(Is(view.all_grown(SHORT, |it| it.hung_loads)?))
    })
    .unit("loads")
    .above(0.0, 10.0)
    .over(SHORT)
    .advice(|_, count| {
        let count = number(count);
        format!(
            "{count} loads were given up at their deadline within a minute: a statement hangs, or waits for a \
             lock. `pg_stat_activity` shows it."
        )
    }),
    Check::node("failed_loads", failed_loads)
        .unit("% of keys")
        .above(1.0, 20.0)
        .over(SHORT)
        .advice(|_, share| {
            let share = number(share);
            format!("{share} % of the keys that were loaded within a minute failed; the log has the errors.")
        }),
    Check::node("load_queue", load_queue)
        .unit("%")
        .above(50.0, 90.0)
        .advice(|view, share| {
            let share = number(share.round());
            let fullest = fullest(view).map_or_else(String::new, |(name, _)| name);
            format!(
                "The queue of loads of `{fullest}` is {share} % full; when it is full, requests are refused. \
                 Warm it, or raise `max_loads` of the entity if the database can take more."
            )
        }),
    Check::node("refused_entries", refused)
        .unit("entries")
        .over(LONG),
];

fn change_log(view: &View<'_>) -> Option<Reading> {
    match &view.look.observed.data {
        DataState::Unknown => None,
        DataState::Whole => Some(Is(0.0)),
        DataState::Critical { reasons } => {
            for reason in reasons {
                view.note("reason", reason);
            }
            Some(Is(1.0))
        }
    }
}

fn poll_age(view: &View<'_>) -> Option<Reading> {
    let data = &view.look.data;
    if !data.has_log {
        return Some(Skipped);
    }
    let (age, bound) = (millis(data.poll_age?), millis(data.bound));
    view.note("poll_age_ms", number(age.round()));
    view.note("bound_ms", number(bound));
    (bound > 0.0).then(|| Is(age / bound * 100.0))
}

fn canary(view: &View<'_>) -> Option<Reading> {
    let data = &view.look.data;
    let took = match data.canary {
        Canary::Silent => return Some(Skipped),
        Canary::Seen(took) | Canary::Missing(took) => millis(took),
    };
    let is_seen = matches!(data.canary, Canary::Seen(_));
    view.note("seen", is_seen);
    view.note("ms", number(took.round()));
    let bound = millis(data.bound);
    (bound > 0.0).then(|| Is(took / bound * 100.0))
}

fn audit(view: &View<'_>) -> Option<Reading> {
    let (before, now) = view.ends(LONG)?;
    let audited = now.data.audited.saturating_sub(before.data.audited);
    let differing = now.data.differing.saturating_sub(before.data.differing);
    let shadow = view.all_grown(LONG, |it| it.differences)?;
    view.note("audited", audited);
    view.note("differing", differing);
    view.note("differing_in_shadow", number(shadow));
    if audited == 0 && differing == 0 && shadow == 0.0 {
        return None;
    }
    Some(Is(exact(differing) + shadow))
}

fn stale(view: &View<'_>) -> Option<Reading> {
    Some(Is(view.all_grown(SHORT, |it| it.stale_answers)?))
}

fn cold_resets(view: &View<'_>) -> Option<Reading> {
    let (before, now) = view.ends(LONG)?;
    let count = now.data.cold_resets.saturating_sub(before.data.cold_resets);
    Some(Is(exact(count)))
}

fn failed_loads(view: &View<'_>) -> Option<Reading> {
    let failed = view.all_grown(SHORT, |it| it.failed_keys)?;
    let loaded = view.all_grown(SHORT, |it| it.loaded_keys)?;
    view.note("failed_keys", number(failed));
    view.note("loaded_keys", number(loaded));
    // As if there were a hundred: one failure among three loads is none of a third.
    Some(Is(failed / loaded.max(100.0) * 100.0))
}

fn fullest(view: &View<'_>) -> Option<(String, f64)> {
    let shares = view.look.entities.iter().map(|it| {
        let share = exact(it.queued) / exact(it.most_queued.max(1)) * 100.0;
        (it.name.clone(), share)
    });
    shares.max_by(|one, two| one.1.total_cmp(&two.1))
}

#[expect(clippy::unnecessary_wraps, reason = "a measure of the table")]
fn load_queue(view: &View<'_>) -> Option<Reading> {
    let Some((name, share)) = fullest(view) else {
        return Some(Skipped);
    };
    let queued: u64 = view.look.entities.iter().map(|it| it.queued).sum();
    view.note("queued", queued);
    view.note("fullest", name);
    let overloads = view.all_grown(SHORT, |it| it.overloads).unwrap_or(0.0);
    view.note("refused_in_60s", number(overloads));
    // Who was refused has seen it full.
    Some(Is(if overloads > 0.0 { 100.0 } else { share }))
}

fn refused(view: &View<'_>) -> Option<Reading> {
    let changed = view.all_grown(LONG, |it| it.refused_changed)?;
    let floor = view.all_grown(LONG, |it| it.refused_floor)?;
    let incarnation = view.all_grown(LONG, |it| it.refused_incarnation)?;
    view.note("changed", number(changed));
    view.note("older_than_remembered", number(floor));
    view.note("of_another_log", number(incarnation));
    Some(Is(changed + floor + incarnation))
}
