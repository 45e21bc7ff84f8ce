//! Without faults one node loads a version, and the others get it from the remote tier.

use std::collections::BTreeSet;

use super::Violation;
use crate::history::Load;
use crate::truth::{Row, Version};

/// What an entry showed.
type Shown<'a> = (&'static str, &'static str, &'a [(Row, Version)]);

/// Versions that were loaded more than once.
pub(super) fn loaded_twice(loads: &[Load]) -> Vec<Violation> {
    let mut seen: BTreeSet<Shown<'_>> = BTreeSet::new();
    loads
        .iter()
        .filter(|load| !seen.insert((load.entity, load.key, &load.rows)))
        .map(|load| Violation::LoadedTwice {
            key: load.key,
            rows: load.rows.clone(),
            at: load.at,
        })
        .collect()
}
