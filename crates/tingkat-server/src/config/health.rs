//! How often it is looked, from where on a check warns, and when somebody is told.

use std::time::Duration;

use tingkat_health::check::Bad;
use tingkat_health::{Check, Limits, Objective, Patience, Thresholds, checks};

use super::problem::Problem;
use super::settings::Settings;

/// What health is judged by.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Health {
    /// How often it is looked.
    pub(crate) interval: Duration,
    /// How often the facts of the shop are counted.
    pub(crate) facts: Duration,
    /// So many changed keys are compared with the database at each look.
    pub(crate) audits: usize,
    pub(crate) thresholds: Thresholds,
    pub(crate) patience: Patience,
    /// What is expected of each cache, by its name.
    objectives: Vec<(&'static str, Objective)>,
}

impl Health {
    pub(super) fn of(settings: &Settings) -> Self {
        let thresholds = with_limits().fold(Thresholds::default(), |all, check| {
            all.with(check, limits(settings, check))
        });
        let objectives = settings.entities().map(|entity| {
            let at = |name: &str| format!("entity.{}.objective.{name}", entity.section);
            let objective = Objective {
                hit_ratio: settings.share(&at("hit_ratio")),
                p99: settings.time(&at("p99")),
                counts: COUNTED.contains(&entity.section),
            };
            (entity.name, objective)
        });
        Self {
            interval: settings.time("health.interval"),
            facts: settings.time("health.facts"),
            audits: settings.size("health.audits"),
            thresholds,
            patience: Patience {
                warning: settings.count("alerts.warning_after"),
                critical: settings.count("alerts.critical_after"),
                leave: settings.count("alerts.leave_factor"),
            },
            objectives: objectives.collect(),
        }
    }

    /// Whether a key that changes under way is about this.
    pub(crate) fn is_about(path: &str) -> bool {
        let begins = ["health.", "alerts."].iter().any(|it| path.starts_with(it));
        begins || (path.starts_with("entity.") && path.contains(".objective."))
    }

    /// What is expected of a cache.
    pub(crate) fn objective(&self, entity: &str) -> Objective {
        let found = self.objectives.iter().find(|(name, _)| *name == entity);
        found.map_or_else(Objective::default, |(_, objective)| *objective)
    }
}

/// Of these a miss of the objective lowers the score: they are what customers look up.
const COUNTED: [&str; 2] = ["product", "postcode"];

/// The checks that have limits of their own; those of a cache follow from its objective.
pub(crate) fn with_limits() -> impl Iterator<Item = &'static Check> {
    checks::all().filter(|check| check.limits != Limits::default())
}

fn limits(settings: &Settings, check: &Check) -> Limits {
    let of = |name: &str, own: Option<f64>| {
        own.map(|_| settings.share(&format!("health.thresholds.{}.{name}", check.id)))
    };
    Limits {
        warning: of("warning", check.limits.warning),
        critical: of("critical", check.limits.critical),
    }
}

/// A value is a warning before it is critical.
pub(super) fn check(settings: &Settings, problems: &mut Vec<Problem>) {
    for check in with_limits() {
        let limits = limits(settings, check);
        let (Some(warning), Some(critical)) = (limits.warning, limits.critical) else {
            continue;
        };
        let (is_right, than) = match check.bad {
            Bad::High => (warning <= critical, "at most"),
            Bad::Low => (warning >= critical, "at least"),
        };
        if is_right {
            continue;
        }
        let at = |name: &str| format!("health.thresholds.{}.{name}", check.id);
        let (path, other) = (at("warning"), at("critical"));
        let rank = |path: &str| settings.get(path).map(|it| it.origin.rank());
        let (path, other, wrong, right, than) = if rank(&other) > rank(&path) {
            let than = if than == "at most" {
                "at least"
            } else {
                "at most"
            };
            (other, path, critical, warning, than)
        } else {
            (path, other, warning, critical, than)
        };
        let origin = settings.get(&path).map(|it| it.origin.clone());
        let name = |path: &str| {
            let origin = settings.get(path).map(|it| it.origin.name_of(path));
            origin.unwrap_or_else(|| path.to_owned())
        };
        let (told, other) = (name(&path), name(&other));
        let message = format!("{told}: expected {than} {other} ({right}), found {wrong}");
        let help = format!("a warning comes before it is critical: change {told} or {other}");
        problems.push(Problem::new(&path, origin, message).helped(Some(help)));
    }
}
