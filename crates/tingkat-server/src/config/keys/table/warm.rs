//! The keys of warming.

use super::{DAY, HOUR, Key, MS, SECOND, key, number, size, time};
use crate::config::kind::Kind;

pub(super) fn keys() -> Vec<Key> {
    vec![
        key(
            "warm.on_start",
            Kind::Flag,
            "true",
            "Whether the tiers are warmed before the node is ready",
        ),
        key(
            "warm.deadline",
            time(MS, HOUR),
            "30s",
            "The node is ready after this long, though warming goes on",
        ),
        key(
            "warm.top",
            number(1, 1_000_000),
            "1000",
            "So many keys of each entity are warmed, the most wanted",
        ),
        key(
            "warm.concurrency",
            number(1, 1_000),
            "4",
            "Loads at a time, and never more than half of an entity's `max_loads`",
        ),
        key(
            "warm.rate",
            number(0, 1_000_000_000),
            "0",
            "Keys loaded in a second, over all entities; 0 for any number",
        ),
        key(
            "warm.timeout",
            time(SECOND, DAY),
            "5m",
            "How long a run may take",
        ),
        key(
            "warm.bytes",
            size(0, 1 << 40),
            "0B",
            "Bytes that a run loads, over all entities; 0 for any number",
        ),
        key(
            "warm.schedule",
            Kind::Schedule,
            "-",
            "When it is done again: cron expressions of five fields, separated by `;`; one node does it for all",
        ),
        key(
            "warm.time_zone",
            Kind::TimeZone,
            "Asia/Kuala_Lumpur",
            "Where the hours of the schedule are told",
        ),
        key(
            "warm.jitter",
            time(MS, HOUR),
            "30s",
            "A scheduled run begins so much later at most, by chance",
        ),
        key(
            "warm.accesses",
            number(0, 100_000),
            "1000",
            "So many keys of each entity an account is kept of, of what is looked up; 0 for none",
        ),
        key(
            "warm.snapshot",
            Kind::Path,
            "-",
            "The file in which a node that stops remembers what its memory held; without one, Redis",
        ),
    ]
}
