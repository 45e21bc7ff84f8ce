//! From where on each check warns, as the operator says.

use std::collections::HashMap;

use crate::check::{Check, Limits};

/// Limits that take the place of a check's own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Thresholds(HashMap<&'static str, Limits>);

impl Thresholds {
    /// With these limits for a check. Those of a cache follow from its objective, whatever is set.
    pub fn with(mut self, check: &'static Check, limits: Limits) -> Self {
        self.0.insert(check.id, limits);
        self
    }

    /// The limits of a check.
    pub fn of(&self, check: &Check) -> Limits {
        self.0.get(check.id).copied().unwrap_or(check.limits)
    }
}
