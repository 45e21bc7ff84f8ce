//! For how long caches on the way to clients may keep the answers about each entity.

use std::collections::BTreeMap;
use std::time::Duration;

use tingkat::entity::Entity as _;
use tingkat_shop::postcode::Postcode;
use tingkat_shop::state::StateList;

use crate::reply::Keep;

/// Of entities by their names; what is not named must be asked for anew each time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keeps(BTreeMap<&'static str, Keep>);

impl Keeps {
    /// The same, and answers about an entity may be kept for this long; zero for not at all.
    pub fn with(mut self, entity: &'static str, max_age: Duration) -> Self {
        self.0.insert(entity, Keep::of(max_age));
        self
    }

    pub(crate) fn of(&self, entity: &str) -> Keep {
        self.0.get(entity).copied().unwrap_or(Keep::REVALIDATE)
    }
}

impl Default for Keeps {
    /// Places change a few times a year; nobody may see the price of yesterday.
    fn default() -> Self {
        let day = Duration::from_hours(24);
        let empty = Self(BTreeMap::new());
        empty.with(Postcode::NAME, day).with(StateList::NAME, day)
    }
}
