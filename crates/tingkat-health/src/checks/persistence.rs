//! Whether Redis saves what it should; a cache may as well save nothing.

use crate::check::{Check, Group, Reading};
use crate::field::{Field, number};
use crate::ring::SHORT;
use crate::view::View;

use Reading::{Is, Skipped};

pub(super) const CHECKS: &[Check] = &[
    Check::server("save_failed", Group::Persistence, |view| {
        Some(Is(view.read(Field::SaveFailed)?))
    })
    .weight(3)
    .warns(0.0)
    .needs(&[Field::SaveFailed])
    .advice(|_, _| {
        "The last snapshot failed; by default Redis then refuses all writes. For a cache: `save \"\"`, or \
         `stop-writes-on-bgsave-error no`. Otherwise look into its log and at its disk."
            .to_owned()
    }),
    Check::server("aof_failed", Group::Persistence, aof)
        .weight(2)
        .fails(1.0)
        .needs(&[Field::AofEnabled])
        .advice(|_, _| {
            "The append-only file can not be written. For a cache: `appendonly no`. Otherwise free its disk."
                .to_owned()
        }),
    Check::server("aof_delayed", Group::Persistence, |view| {
        if view.read(Field::AofEnabled)? == 0.0 {
            return Some(Skipped);
        }
        Some(Is(view.grown(Field::AofDelayed, SHORT)?.by))
    })
    .unit("writes")
    .warns(0.0)
    .over(SHORT)
    .needs(&[Field::AofEnabled])
    .advice(|_, count| {
        let count = number(count);
        format!("{count} writes waited for the disk within a minute. For a cache: `appendonly no`.")
    }),
    Check::server("last_save", Group::Persistence, |view| {
        let now = view.read(Field::ServerTime)? / 1_000_000.0;
        Some(Is((now - view.read(Field::LastSave)?).max(0.0) / 3_600.0))
    })
    .unit("h")
    .needs(&[Field::ServerTime, Field::LastSave]),
    Check::server("save_running", Group::Persistence, |view| {
        Some(Is(view.read(Field::SaveRunning)?.max(0.0)))
    })
    .unit("s")
    .above(600.0, 1_200.0)
    .needs(&[Field::SaveRunning])
    .advice(|_, seconds| {
        let seconds = number(seconds);
        format!("A snapshot has been under way for {seconds} s; the disk is too slow for it.")
    }),
];

fn aof(view: &View<'_>) -> Option<Reading> {
    if view.read(Field::AofEnabled)? == 0.0 {
        return Some(Skipped);
    }
    Some(Is(view.read(Field::AofWriteFailed)?))
}
