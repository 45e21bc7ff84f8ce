//! Step 1: what a brand is, what it is found by, and how it is cached.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tingkat::{Entity, Policy};

/// Who makes a product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Brand {
    /// Its name.
    pub(crate) name: String,
    /// Where it is from.
    pub(crate) country: String,
}

impl Entity for Brand {
    const NAME: &'static str = "brand";
    const SCHEMA: u32 = 1;
    type Key = u64;

    fn policy() -> Policy {
        Policy {
            fresh_for: Duration::from_hours(24),
            memory_bytes: 4 << 20,
            ..Policy::default()
        }
    }

    fn memory_size(&self) -> usize {
        size_of::<Self>() + self.name.capacity() + self.country.capacity()
    }
}
