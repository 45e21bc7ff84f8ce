//! Rows of lists whose ids can not be asked for: they are left out, counted, and one is named in the
//! log. Failing the list would hide all others.

use std::fmt::Display;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

/// In this process, of all lists.
static SO_FAR: AtomicU64 = AtomicU64::new(0);

/// What a text names, if it can be a name.
pub(crate) fn named<T: FromStr<Err: Display>>(text: &str) -> Option<T> {
    let read = text.parse();
    if let Err(error) = &read {
        // A counter, which orders nothing.
        let so_far = SO_FAR.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if is_told(so_far) {
            tracing::warn!(so_far, "a row is left out of a list: expected {error}");
        }
    }
    read.ok()
}

/// The first one and then ever fewer: every load of the list meets the same rows.
const fn is_told(so_far: u64) -> bool {
    so_far.is_power_of_two() && so_far.trailing_zeros().is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use tingkat_shop::category::CategoryId;

    use super::*;

    #[test]
    fn what_can_not_be_asked_for_is_left_out() {
        assert_eq!(named::<CategoryId>("a_B-1").unwrap().as_str(), "a_B-1");
        for odd in ["", "a.b", "a/b", "é", &"x".repeat(65)] {
            assert_eq!(named::<CategoryId>(odd), None, "{odd:?}");
        }
    }

    #[test]
    fn the_log_names_the_first_and_then_ever_fewer() {
        let told: Vec<u64> = (0..2_000_000).filter(|so_far| is_told(*so_far)).collect();
        assert_eq!(told, [1, 1 << 10, 1 << 20]);
    }
}
