//! How the tiers are warmed.

use std::path::PathBuf;
use std::time::Duration;

use tingkat::warm::{Limits, Wish};

use super::schedule::Schedule;
use super::settings::Settings;
use crate::cli;
use tingkat::clock::SystemClock;
use tingkat::ports::Clock as _;

/// The section `warm`.
#[derive(Clone, Debug)]
pub(crate) struct Warm {
    pub(crate) on_start: bool,
    pub(crate) deadline: Duration,
    pub(crate) top: usize,
    pub(crate) limits: Limits,
    pub(crate) schedule: Option<Schedule>,
    pub(crate) jitter: Duration,
    /// Keys of each entity that an account is kept of.
    pub(crate) accesses: usize,
    pub(crate) snapshot: Option<PathBuf>,
}

impl Warm {
    pub(super) fn of(settings: &Settings) -> Self {
        let zone = settings.text("warm.time_zone").unwrap_or("UTC");
        let schedule = settings.text("warm.schedule");
        Self {
            on_start: settings.flag("warm.on_start").unwrap_or(false),
            deadline: settings.time("warm.deadline"),
            top: settings.size("warm.top"),
            limits: Limits {
                concurrency: settings.size("warm.concurrency"),
                per_second: settings.number("warm.rate"),
                timeout: settings.time("warm.timeout"),
                bytes: settings.number("warm.bytes"),
            },
            // The keys take nothing else.
            schedule: schedule
                .and_then(|text| Schedule::parse(text, zone, SystemClock.wall_ms()).ok()),
            jitter: settings.time("warm.jitter"),
            accesses: settings.size("warm.accesses"),
            snapshot: settings.text("warm.snapshot").map(PathBuf::from),
        }
    }

    /// What a run takes unless somebody says otherwise.
    pub(crate) fn wish(&self) -> Wish {
        Wish {
            top: self.top,
            limits: self.limits,
            ..Wish::default()
        }
    }

    /// What a run by the command takes.
    pub(crate) fn limits(&self, arguments: &cli::Warm) -> Limits {
        Limits {
            concurrency: arguments.concurrency.unwrap_or(self.limits.concurrency),
            per_second: arguments.rate.unwrap_or(self.limits.per_second),
            timeout: arguments.timeout.unwrap_or(self.limits.timeout),
            bytes: arguments.bytes.unwrap_or(self.limits.bytes),
        }
    }
}
