//! The one table of checks, a file for each group. A row says what is measured, when that is bad,
//! and what to do; everything else in this crate is the same for all of them.

mod availability;
mod connections;
mod data;
mod effect;
mod errors;
mod latency;
mod memory;
mod persistence;
mod replication;

use std::time::Duration;

use crate::check::{Check, Group, Limits};

/// Every check.
pub fn all() -> impl Iterator<Item = &'static Check> {
    [
        availability::CHECKS,
        latency::CHECKS,
        memory::CHECKS,
        effect::CHECKS,
        connections::CHECKS,
        errors::CHECKS,
        replication::CHECKS,
        persistence::CHECKS,
        data::CHECKS,
    ]
    .into_iter()
    .flatten()
}

/// The check with this name.
pub fn find(id: &str) -> Option<&'static Check> {
    all().find(|check| check.id == id)
}

/// How much each group counts in the score, where servers go together and where one stands alone.
pub(crate) const fn weight_of(group: Group, is_several: bool) -> u32 {
    match group {
        Group::Availability => 25,
        Group::Latency | Group::Memory => 20,
        Group::Effect => 15,
        Group::Connections => 10,
        Group::Replication if is_several => 15,
        Group::Errors | Group::Replication | Group::Persistence => 5,
        Group::Data => 0,
    }
}

/// A time in milliseconds.
pub(crate) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// Bytes as people write them.
fn bytes(count: f64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut count, mut unit) = (count, "");
    for name in UNITS {
        unit = name;
        if count < 1024.0 {
            break;
        }
        if name != "TiB" {
            count /= 1024.0;
        }
    }
    let count = crate::field::number((count * 10.0).round() / 10.0);
    format!("{count} {unit}")
}

/// Limits below an objective; who expects nothing is never disappointed.
fn below(objective: f64) -> Limits {
    if objective <= 0.0 {
        return Limits::default();
    }
    Limits {
        warning: Some(objective),
        critical: Some(objective / 2.0),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_check_has_a_name_of_its_own_and_limits_in_order() {
        let mut seen = HashSet::new();
        for check in all() {
            assert!(seen.insert(check.id), "{} is there twice", check.id);
            let limits = check.limits;
            if let (Some(warning), Some(critical)) = (limits.warning, limits.critical) {
                let is_rising = critical > warning;
                let expected = check.bad == crate::check::Bad::High;
                assert_eq!(is_rising, expected, "{}", check.id);
            }
            assert!(
                check.weight == 0 || check.group != Group::Data,
                "{}",
                check.id
            );
        }
    }

    #[test]
    fn about_as_many_checks_count_as_a_server_answers() {
        let counts = all().filter(|check| check.weight > 0).count();
        assert!((28..=40).contains(&counts), "{counts}");
    }

    #[test]
    fn bytes_are_written_for_people() {
        let shown = [0.0, 1_023.0, 1_024.0, 1_572_864.0, 5e15].map(bytes);
        assert_eq!(shown, ["0 B", "1023 B", "1 KiB", "1.50 MiB", "4547.50 TiB"]);
    }
}
