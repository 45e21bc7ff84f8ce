//! All postcodes at once, for browsing, searching and guessing. They are few thousand, so that one
//! entry answers every filter without a statement of its own.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use tingkat::certificate::Dep;
use tingkat::entity::Entity;
use tingkat::policy::Policy;

use super::{Code, Postcode};
use crate::all::All;
use crate::fold::folded;
use crate::state::Zone;

/// How many codes are suggested for one that does not exist.
const MOST_SUGGESTIONS: usize = 5;

/// What the index knows of a postcode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The five digits.
    pub code: Code,
    /// Its cities, folded for comparison, the primary one first.
    pub cities: Vec<String>,
    /// `SGR`.
    pub state_code: String,
    /// The state's side of the sea.
    pub zone: Zone,
}

/// All postcodes, ordered by code; they are cached as one entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostcodeIndex(Vec<Place>);

impl Entity for PostcodeIndex {
    const NAME: &'static str = "postcodes";
    const SCHEMA: u32 = 1;
    type Key = All;

    fn policy() -> Policy {
        Policy {
            // Of Malaysia it takes half a megabyte.
            max_value_bytes: 4 << 20,
            memory_bytes: 8 << 20,
            max_loads: 2,
            ..super::policy()
        }
    }

    /// The set that it enumerates, which every write to a postcode changes, and what an operator
    /// forgets by tag that it shows as well.
    fn deps(&self) -> Vec<Dep> {
        let of_postcodes = [Dep::new("postcodes.list"), Dep::of_entity(Postcode::NAME)];
        let mut tags = BTreeSet::new();
        for place in &self.0 {
            tags.insert(Dep::of_key("state", &place.state_code));
            tags.insert(super::zone_tag(place.zone));
            tags.insert(super::region_tag(place.code));
        }
        of_postcodes.into_iter().chain(tags).collect()
    }

    fn memory_size(&self) -> usize {
        let places: usize = self
            .0
            .iter()
            .map(|place| {
                let cities: usize = place.cities.iter().map(String::capacity).sum();
                place.state_code.capacity() + place.cities.capacity() * size_of::<String>() + cities
            })
            .sum();
        size_of::<Self>() + self.0.capacity() * size_of::<Place>() + places
    }
}

/// Which postcodes are wanted: all that pass every filter that is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// In this state: `SGR`, in any case.
    pub state: Option<String>,
    /// On this side of the sea.
    pub zone: Option<Zone>,
    /// In this city, whatever its case and accents.
    pub city: Option<String>,
    /// Whose code or one of whose cities begins with this, whatever its case and accents.
    pub beginning: Option<String>,
}

impl Filter {
    /// The same, as the index compares.
    fn folded(&self) -> Self {
        let fold = |text: &Option<String>| text.as_deref().map(folded);
        Self {
            state: self.state.as_deref().map(str::to_ascii_uppercase),
            zone: self.zone,
            city: fold(&self.city),
            beginning: fold(&self.beginning),
        }
    }

    fn lets_pass(&self, place: &Place) -> bool {
        let is_in = |city: &String| place.cities.contains(city);
        let begins = |text: &String| {
            place.code.as_str().starts_with(text.as_str())
                || place
                    .cities
                    .iter()
                    .any(|city| city.starts_with(text.as_str()))
        };
        self.state
            .as_ref()
            .is_none_or(|code| *code == place.state_code)
            && self.zone.is_none_or(|zone| zone == place.zone)
            && self.city.as_ref().is_none_or(is_in)
            && self.beginning.as_ref().is_none_or(begins)
    }
}

impl PostcodeIndex {
    /// The index of these postcodes.
    pub fn new(postcodes: impl IntoIterator<Item = Postcode>) -> Self {
        let place = |postcode: Postcode| Place {
            code: postcode.code,
            cities: postcode.cities.iter().map(|city| folded(city)).collect(),
            state_code: postcode.state_code,
            zone: postcode.zone,
        };
        let mut places: Vec<Place> = postcodes.into_iter().map(place).collect();
        places.sort_unstable_by_key(|place| place.code);
        places.dedup_by_key(|place| place.code);
        Self(places)
    }

    /// The first `limit` codes that pass, in their order, after `after`; and whether there are more.
    pub fn page(&self, filter: &Filter, after: Option<Code>, limit: usize) -> (Vec<Code>, bool) {
        let filter = filter.folded();
        let from = after.map_or(0, |after| {
            self.0.partition_point(|place| place.code <= after)
        });
        let rest = self.0.get(from..).unwrap_or_default();
        let mut passing = rest.iter().filter(|place| filter.lets_pass(place));
        let page = passing
            .by_ref()
            .take(limit)
            .map(|place| place.code)
            .collect();
        (page, passing.next().is_some())
    }

    fn has(&self, code: Code) -> bool {
        self.0
            .binary_search_by_key(&code, |place| place.code)
            .is_ok()
    }

    /// Codes that exist and could have been meant: two neighbouring digits swapped, or one digit
    /// wrong, where the last ones come first, because the first ones say the region.
    pub fn suggest(&self, wrong: Code) -> Vec<Code> {
        let digits = wrong.digits();
        let last = digits.len() - 1;
        let swapped = (0..last).rev().map(|place| {
            let mut near = digits;
            near.swap(place, place + 1);
            near
        });
        let replaced = (0..digits.len()).rev().flat_map(|place| {
            (b'0'..=b'9').map(move |digit| {
                let mut near = digits;
                if let Some(slot) = near.get_mut(place) {
                    *slot = digit;
                }
                near
            })
        });
        let mut found = Vec::with_capacity(MOST_SUGGESTIONS);
        for near in swapped.chain(replaced).filter_map(Code::of_digits) {
            if found.len() == MOST_SUGGESTIONS {
                break;
            }
            if near != wrong && !found.contains(&near) && self.has(near) {
                found.push(near);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::Kept;

    fn postcode(code: &str, cities: &[&str], state_code: &str, zone: Zone) -> Postcode {
        Postcode {
            code: code.parse().unwrap(),
            cities: cities.iter().map(|&city| city.into()).collect(),
            state_code: state_code.into(),
            state_name: "any".into(),
            zone,
            body: Kept::default(),
        }
    }

    fn index() -> PostcodeIndex {
        PostcodeIndex::new([
            postcode("50450", &["Kuala Lumpur"], "KUL", Zone::West),
            postcode("40000", &["Shah Alam", "Kuala Selangor"], "SGR", Zone::West),
            postcode("88000", &["Kota Kinabalu"], "SBH", Zone::East),
            postcode("50540", &["Kuala Lumpur"], "KUL", Zone::West),
            postcode("40170", &["Sh\u{e1}h Alam"], "SGR", Zone::West),
        ])
    }

    fn all(filter: &Filter) -> Vec<String> {
        let (codes, more) = index().page(filter, None, 100);
        assert!(!more);
        codes.iter().map(ToString::to_string).collect()
    }

    fn beginning(text: &str) -> Filter {
        Filter {
            beginning: Some(text.into()),
            ..Filter::default()
        }
    }

    #[test]
    fn all_are_in_order() {
        assert_eq!(
            all(&Filter::default()),
            ["40000", "40170", "50450", "50540", "88000"]
        );
    }

    #[test]
    fn filters_narrow_each_other_down() {
        let selangor = Filter {
            state: Some("sgr".into()),
            ..Filter::default()
        };
        assert_eq!(all(&selangor), ["40000", "40170"]);
        let both = Filter {
            beginning: Some("kuala".into()),
            ..selangor
        };
        assert_eq!(all(&both), ["40000"]);
        let east = Filter {
            zone: Some(Zone::East),
            ..Filter::default()
        };
        assert_eq!(all(&east), ["88000"]);
    }

    #[test]
    fn case_and_accents_do_not_matter() {
        let city = Filter {
            city: Some("SHAH ALAM".into()),
            ..Filter::default()
        };
        assert_eq!(all(&city), ["40000", "40170"]);
        assert_eq!(all(&beginning("sh\u{e0}h")), ["40000", "40170"]);
        assert_eq!(all(&beginning("504")), ["50450"]);
        // The beginning of a name, not its middle.
        assert_eq!(all(&beginning("lumpur")), [""; 0]);
    }

    #[test]
    fn pages_follow_each_other() {
        let (first, more) = index().page(&Filter::default(), None, 2);
        assert!(more);
        let (second, more) = index().page(&Filter::default(), first.last().copied(), 2);
        assert!(more);
        let (third, more) = index().page(&Filter::default(), second.last().copied(), 2);
        assert!(!more);
        let pages: Vec<String> = [first, second, third]
            .concat()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(pages, all(&Filter::default()));
        // After one that is gone it goes on all the same.
        let gone = "40001".parse().ok();
        let (codes, _) = index().page(&Filter::default(), gone, 1);
        assert_eq!(codes.first().map(Code::as_str), Some("40170"));
    }

    #[test]
    fn a_near_miss_is_suggested() {
        let near = |wrong: &str| -> Vec<String> {
            let codes = index().suggest(wrong.parse().unwrap());
            codes.iter().map(ToString::to_string).collect()
        };
        assert_eq!(near("50405"), ["50450"]);
        assert_eq!(near("88001"), ["88000"]);
        assert_eq!(near("50550"), ["50540", "50450"]);
        assert_eq!(near("99999"), [""; 0]);
    }
}
