//! The keys of health and alerts. The limits are those of the table of checks.

use std::time::Duration;

use super::Key;
use super::table::{key, number, time};
use crate::config::kind::Kind;

pub(super) fn keys() -> Vec<Key> {
    [looks(), thresholds(), alerts()]
        .into_iter()
        .flatten()
        .collect()
}

fn looks() -> Vec<Key> {
    vec![
        key(
            "health.interval",
            time(Duration::from_millis(100), Duration::from_mins(1)),
            "10s",
            "How often it is looked how Redis, the caches and the data are; a round trip to each server",
        ),
        key(
            "health.facts",
            time(Duration::from_secs(1), Duration::from_hours(24)),
            "1m",
            "How often the facts of the shop are counted: active products, low stock, promotions about to end",
        ),
        key(
            "health.audits",
            number(0, 100),
            "4",
            "So many keys that were changed are compared with the database at each look; 0 for none",
        ),
    ]
}

/// The limits of all checks, as docs/health.md explains them.
fn thresholds() -> Vec<Key> {
    let most = Kind::Share { most: 1e12 };
    let of = |id: &str, name: &str, limit: Option<f64>, sentence: &'static str| {
        let path = format!("health.thresholds.{id}.{name}");
        limit.map(|limit| key(&path, most, &limit.to_string(), sentence).reloads())
    };
    let keys = crate::config::with_limits().flat_map(|check| {
        let limits = check.limits;
        let warning = "From past this value on it is a warning";
        let critical = "From this value on it is critical";
        let warning = of(check.id, "warning", limits.warning, warning);
        [warning, of(check.id, "critical", limits.critical, critical)]
    });
    keys.flatten().collect()
}

fn alerts() -> Vec<Key> {
    let looks = number(1, 1_000);
    let keys = [
        key(
            "alerts.warning_after",
            looks,
            "3",
            "So many looks in a row make a warning an alert",
        ),
        key(
            "alerts.critical_after",
            looks,
            "2",
            "So many make what is critical one",
        ),
        key(
            "alerts.leave_factor",
            looks,
            "2",
            "An alert ends after so many times as many good looks in a row",
        ),
    ];
    keys.map(Key::reloads).to_vec()
}
