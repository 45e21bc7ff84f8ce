//! The way to an answer, as the header `Cache-Status` (RFC 9211).
//!
//! The members are the tiers in the order in which they were asked. A tier that was not asked, such
//! as Redis while its breaker is open, is not named.

use axum::http::HeaderValue;
use tingkat::{Tier, Trail};

/// The header for one answer.
pub(crate) fn cache_status(trail: &Trail) -> HeaderValue {
    HeaderValue::from_static(match (trail.tier, trail.stale) {
        (Tier::Memory, false) => "memory; hit",
        (Tier::Memory, true) => "memory; hit; detail=stale",
        (Tier::Remote, false) => "memory; fwd=uri-miss, redis; hit",
        (Tier::Remote, true) => "memory; fwd=uri-miss, redis; hit; detail=stale",
        (Tier::Source, _) => return from_source(trail),
    })
}

fn from_source(trail: &Trail) -> HeaderValue {
    let mut text = String::from("memory; fwd=uri-miss");
    if trail.searched_remote {
        text.push_str(", redis; fwd=uri-miss");
    }
    text.push_str(", source; fwd=uri-miss");
    for (is_so, parameter) in [
        (trail.stored, "; stored"),
        (trail.collapsed, "; collapsed"),
        (trail.stale, "; detail=stale"),
    ] {
        if is_so {
            text.push_str(parameter);
        }
    }
    // Visible ASCII is always a header value.
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("memory; fwd=uri-miss"))
}

/// What is true of many answers together: the farthest tier that was asked and the oldest age.
/// They are stale if one of them is, and stored or collapsed only if all that were loaded are.
pub(crate) fn together(trails: impl IntoIterator<Item = Trail>) -> Option<Trail> {
    trails.into_iter().reduce(|one, other| {
        let (far, near) = if distance(one.tier) < distance(other.tier) {
            (other, one)
        } else {
            (one, other)
        };
        let both_loaded = near.tier == Tier::Source;
        Trail {
            tier: far.tier,
            stale: one.stale || other.stale,
            collapsed: far.collapsed && (near.collapsed || !both_loaded),
            stored: far.stored && (near.stored || !both_loaded),
            age: one.age.max(other.age),
            searched_remote: one.searched_remote || other.searched_remote,
        }
    })
}

const fn distance(tier: Tier) -> u8 {
    match tier {
        Tier::Memory => 0,
        Tier::Remote => 1,
        Tier::Source => 2,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn trail(tier: Tier) -> Trail {
        Trail {
            tier,
            stale: false,
            collapsed: false,
            stored: tier == Tier::Source,
            age: Duration::ZERO,
            searched_remote: tier != Tier::Memory,
        }
    }

    fn text(trail: Trail) -> String {
        cache_status(&trail).to_str().unwrap().to_owned()
    }

    #[test]
    fn each_way_has_its_form() {
        let loaded = trail(Tier::Source);
        assert_eq!(text(trail(Tier::Memory)), "memory; hit");
        assert_eq!(
            text(trail(Tier::Remote)),
            "memory; fwd=uri-miss, redis; hit"
        );
        assert_eq!(
            text(loaded),
            "memory; fwd=uri-miss, redis; fwd=uri-miss, source; fwd=uri-miss; stored"
        );
        assert_eq!(
            text(Trail {
                searched_remote: false,
                ..loaded
            }),
            "memory; fwd=uri-miss, source; fwd=uri-miss; stored"
        );
        assert_eq!(
            text(Trail {
                collapsed: true,
                ..loaded
            }),
            "memory; fwd=uri-miss, redis; fwd=uri-miss, source; fwd=uri-miss; stored; collapsed"
        );
        assert_eq!(
            text(Trail {
                stored: false,
                searched_remote: false,
                ..loaded
            }),
            "memory; fwd=uri-miss, source; fwd=uri-miss"
        );
    }

    #[test]
    fn an_answer_that_is_not_known_to_be_current_says_so() {
        let stale = |tier| {
            text(Trail {
                stale: true,
                ..trail(tier)
            })
        };
        assert_eq!(stale(Tier::Memory), "memory; hit; detail=stale");
        assert_eq!(
            stale(Tier::Remote),
            "memory; fwd=uri-miss, redis; hit; detail=stale"
        );
        assert_eq!(
            stale(Tier::Source),
            "memory; fwd=uri-miss, redis; fwd=uri-miss, source; fwd=uri-miss; stored; detail=stale"
        );
    }

    #[test]
    fn a_batch_tells_of_its_farthest_answer() {
        let old = Trail {
            age: Duration::from_secs(9),
            ..trail(Tier::Memory)
        };
        let stale = Trail {
            stale: true,
            ..trail(Tier::Remote)
        };
        let loaded = trail(Tier::Source);
        for order in [
            [old, stale, loaded],
            [loaded, old, stale],
            [stale, loaded, old],
        ] {
            let whole = together(order).unwrap();
            assert_eq!(
                whole,
                Trail {
                    stale: true,
                    age: Duration::from_secs(9),
                    ..loaded
                }
            );
        }
        assert_eq!(together([]), None);
    }

    #[test]
    fn a_batch_is_collapsed_only_if_every_load_of_it_was() {
        let own = trail(Tier::Source);
        let joined = Trail {
            collapsed: true,
            ..own
        };
        let hit = trail(Tier::Memory);
        assert!(!together([own, joined]).unwrap().collapsed);
        assert!(together([joined, hit, joined]).unwrap().collapsed);
        let unstored = Trail {
            stored: false,
            ..own
        };
        assert!(!together([unstored, own]).unwrap().stored);
        assert!(together([hit, own]).unwrap().stored);
    }
}
