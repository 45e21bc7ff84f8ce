//! A node that does not bear the loss of its Redis.

use std::time::Duration;

use tingkat_lab::verify::Group;

use super::{Break, How, break_all};
use crate::liar::{Asked, Lie};

/// Whether something is asked of a product that there is not, during the fault of this number.
fn is_during(asked: &Asked, fault: u8) -> bool {
    asked.path.contains(&format!("-absent-{fault}-"))
}

pub(super) const BREAKS: &[Break] = &[
    Break {
        name: "errors reach the caller while Redis refuses or is slow",
        fails: &["redis_refused", "redis_slow"],
        how: How::Lies(
            2,
            Lie::of(|asked, told, _| {
                if is_during(asked, 0) || is_during(asked, 3) {
                    told.becomes(503, "{\"code\":\"source_failed\"}");
                }
            }),
        ),
    },
    Break {
        name: "answers are late, marked or wrong while Redis is silent, resets or breaks off",
        fails: &["redis_black_hole", "redis_reset", "redis_cut"],
        how: How::Lies(
            2,
            Lie::of(|asked, told, _| {
                if is_during(asked, 2) {
                    told.pause = Duration::from_secs(3);
                }
                if is_during(asked, 1) {
                    told.headers.retain(|(name, _)| name != "cache-status");
                    let stale = "memory; hit; detail=stale".to_owned();
                    told.headers.push(("cache-status".to_owned(), stale));
                }
                if is_during(asked, 4) {
                    told.becomes(200, "{}");
                }
            }),
        ),
    },
    Break {
        name: "the node does not go through the proxy of the faults",
        fails: &[
            "redis_refused",
            "redis_reset",
            "redis_black_hole",
            "redis_slow",
            "redis_cut",
        ],
        how: How::Elsewhere,
    },
];

#[tokio::test]
async fn a_node_that_needs_its_redis_fails_the_check_of_the_fault_and_no_other() {
    break_all(BREAKS, &[Group::Failure]).await;
}
