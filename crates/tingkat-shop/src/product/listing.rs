//! Listings: the products on sale that pass a filter, in an order, page by page.
//!
//! An entry holds the ids of one page alone. The products have their own entries: a change of the
//! stock refuses one product and no listing.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use tingkat::certificate::Dep;
use tingkat::entity::Entity;
use tingkat::error::{GetError, KeyError};
use tingkat::key::Key;
use tingkat::policy::Policy;
use tingkat::{Answer, Cache, Options, Trail};

use super::{Product, ProductId, Products};
use crate::category::{CategoryId, of_listing};
use crate::page::Page;

/// Products on a page at most.
pub const MOST: usize = 100;

/// Which of the products on sale are wanted: all that pass every filter that is given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Filter {
    /// In this category or one under it.
    pub category: Option<CategoryId>,
    /// Whether they stand on the front page.
    pub featured: Option<bool>,
    /// Whether a promotion makes them cheaper now.
    pub promoted: Option<bool>,
}

/// The order of a listing; equal ones are ordered by id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Sort {
    /// The newest first.
    #[default]
    Newest,
    /// The cheapest first, by what a guest pays now.
    Price,
    /// The dearest first.
    PriceDescending,
    /// What customers buy, put into carts and wish for first.
    Popularity,
    /// By name, whatever the case of Latin letters.
    Name,
}

impl Sort {
    /// All of them, with the names that requests and keys use.
    pub const NAMES: [(Self, &'static str); 5] = [
        (Self::Newest, "newest"),
        (Self::Price, "price"),
        (Self::PriceDescending, "-price"),
        (Self::Popularity, "popularity"),
        (Self::Name, "name"),
    ];

    /// As in requests and keys.
    pub fn name(self) -> &'static str {
        let known = Self::NAMES.into_iter().find(|(sort, _)| *sort == self);
        known.map_or("", |(_, name)| name)
    }

    /// Reads what [`name`](Self::name) gives.
    pub fn from_name(name: &str) -> Option<Self> {
        let known = Self::NAMES.into_iter().find(|(_, known)| *known == name);
        known.map(|(sort, _)| sort)
    }
}

/// A product's place in an order: what it is sorted by, and its id.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Place(
    /// The first number, from low to high.
    pub i64,
    /// The second one.
    pub i64,
    /// The name, where the order is by name.
    pub String,
    /// The product.
    pub ProductId,
);

/// Where a page begins: after this place. Products that come and go move nothing across it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cursor {
    sort: Sort,
    place: Place,
}

/// A text that is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a cursor is where an earlier page ended")]
pub struct CursorError;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place(first, second, name, id) = &self.place;
        let name = utf8_percent_encode(name, NON_ALPHANUMERIC);
        write!(f, "{}.{first}.{second}.{id}.{name}", self.sort.name())
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let read = || {
            let mut parts = text.splitn(5, '.');
            let sort = Sort::from_name(parts.next()?)?;
            let first = parts.next()?.parse().ok()?;
            let second = parts.next()?.parse().ok()?;
            let id = parts.next()?.parse().ok()?;
            let name = percent_decode_str(parts.next()?).decode_utf8().ok()?;
            Some(Self {
                sort,
                place: Place(first, second, name.into_owned(), id),
            })
        };
        // One spelling each: a cursor is part of a key.
        read()
            .filter(|cursor| cursor.to_string() == text && !cursor.place.2.contains('\0'))
            .ok_or(CursorError)
    }
}

impl Cursor {
    /// The order that it is of.
    pub const fn sort(&self) -> Sort {
        self.sort
    }

    /// The place after which it begins.
    pub const fn place(&self) -> &Place {
        &self.place
    }
}

/// A page of a listing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ListingKey {
    filter: Filter,
    sort: Sort,
    after: Option<Place>,
}

impl ListingKey {
    /// What the page is of.
    pub const fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Its order.
    pub const fn sort(&self) -> Sort {
        self.sort
    }

    /// The last place of the page before.
    pub const fn after(&self) -> Option<&Place> {
        self.after.as_ref()
    }
}

const FILTERS: [&str; 3] = ["category=", "featured=", "promoted="];

impl Key for ListingKey {
    fn write(&self, out: &mut String) {
        let Filter {
            category,
            featured,
            promoted,
        } = &self.filter;
        let [of_category, of_featured, of_promoted] = FILTERS;
        if let Some(category) = category {
            out.push_str(of_category);
            out.push_str(category.as_str());
            out.push('&');
        }
        for (name, flag) in [(of_featured, featured), (of_promoted, promoted)] {
            if let Some(flag) = flag {
                out.push_str(name);
                out.push_str(if *flag { "true&" } else { "false&" });
            }
        }
        match &self.after {
            None => {
                out.push_str("sort=");
                out.push_str(self.sort.name());
            }
            Some(place) => {
                let cursor = Cursor {
                    sort: self.sort,
                    place: place.clone(),
                };
                out.push_str("after=");
                out.push_str(&cursor.to_string());
            }
        }
    }

    fn parse(text: &str) -> Result<Self, KeyError> {
        let read = || {
            let mut filter = Filter::default();
            let mut rest = text;
            let mut take = |name: &str| {
                let (value, after) = rest.strip_prefix(name)?.split_once('&')?;
                rest = after;
                Some(value)
            };
            let [category, featured, promoted] = FILTERS.map(&mut take);
            filter.category = category.map(str::parse).transpose().ok()?;
            filter.featured = featured.map(str::parse).transpose().ok()?;
            filter.promoted = promoted.map(str::parse).transpose().ok()?;
            if let Some(sort) = rest.strip_prefix("sort=") {
                let sort = Sort::from_name(sort)?;
                return Some(Self {
                    filter,
                    sort,
                    after: None,
                });
            }
            let cursor: Cursor = rest.strip_prefix("after=")?.parse().ok()?;
            Some(Self {
                filter,
                sort: cursor.sort,
                after: Some(cursor.place),
            })
        };
        read().ok_or_else(|| {
            KeyError::new(
                "a listing is `sort=` or `after=` and what follows, behind `category=`, \
                 `featured=` and `promoted=`, each with `&`, such as `category=7&sort=price`",
            )
        })
    }

    fn heap_size(&self) -> usize {
        let category = self.filter.category.as_ref();
        let after = self.after.as_ref();
        category.map_or(0, |id| id.as_str().len())
            + after.map_or(0, |Place(.., name, id)| name.capacity() + id.as_str().len())
    }
}

/// The products of a page, by their places.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// At most [`MOST`] places, in their order.
    pub places: Vec<Place>,
    /// Whether others follow.
    pub more: bool,
}

impl Listing {
    fn memory_size(&self) -> usize {
        let texts: usize = self
            .places
            .iter()
            .map(|Place(.., name, id)| name.capacity() + id.as_str().len())
            .sum();
        self.places.capacity() * size_of::<Place>() + texts
    }
}

/// A page by an order that the store's own rows decide; the source adds the categories that it
/// looked into.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sorted(pub Listing);

/// A page by popularity, which is not followed but counted now and then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Popular(pub Listing);

macro_rules! listings {
    ($($listing:ident, $name:literal, $policy:expr;)*) => {$(
        impl From<Listing> for $listing {
            fn from(listing: Listing) -> Self {
                Self(listing)
            }
        }

        impl AsRef<Listing> for $listing {
            fn as_ref(&self) -> &Listing {
                &self.0
            }
        }

        impl Entity for $listing {
            const NAME: &'static str = $name;
            const SCHEMA: u32 = 1;
            type Key = ListingKey;

            fn policy() -> Policy {
                Policy { max_loads: 2, max_batch: 8, ..$policy }
            }

            fn deps(&self) -> Vec<Dep> {
                of_listing()
            }

            fn memory_size(&self) -> usize {
                size_of::<Self>() + self.0.memory_size()
            }
        }
    )*};
}

listings! {
    Sorted, "product.list", Policy { memory_bytes: 8 << 20, ..Policy::default() };
    Popular, "product.popular", Policy {
        fresh_for: Duration::from_mins(10),
        memory_bytes: 4 << 20,
        ..Policy::default()
    };
}

impl Products {
    /// Products on sale, in an order, after a cursor of it: at most `limit`, which is at most [`MOST`].
    /// A product that is taken off sale at this moment is left out.
    ///
    /// # Errors
    /// As [`Cache::look_up`], if the list or one of its products can not be
    /// had.
    pub async fn list(
        &self,
        filter: &Filter,
        sort: Sort,
        after: Option<&Cursor>,
        limit: usize,
        options: Options,
    ) -> Result<Page<Product, Cursor>, GetError> {
        let key = ListingKey {
            filter: filter.clone(),
            sort,
            after: after.map(|cursor| cursor.place.clone()),
        };
        let beginning = if sort == Sort::Popularity {
            beginning(&self.popular, &key, limit, options).await
        } else {
            beginning(&self.sorted, &key, limit, options).await
        };
        let Beginning { ids, last, trail } = beginning?;
        let answers = self.many(&ids, options).await;
        let mut items: Vec<Answer<Product>> = answers.into_iter().collect::<Result<_, _>>()?;
        items.retain(|answer| answer.value().is_some());
        Ok(Page {
            items,
            next: last.map(|place| Cursor { sort, place }),
            trail,
        })
    }
}

/// The beginning of a page.
struct Beginning {
    ids: Vec<ProductId>,
    /// The last place, if others follow.
    last: Option<Place>,
    trail: Trail,
}

/// At most `limit` products of a page.
async fn beginning<L: Entity<Key = ListingKey> + AsRef<Listing>>(
    pages: &Cache<ListingKey, L>,
    key: &ListingKey,
    limit: usize,
    options: Options,
) -> Result<Beginning, GetError> {
    let answer = pages.look_up(key, options).await?;
    let nothing = Listing::default();
    let page = answer.value().map_or(&nothing, AsRef::as_ref);
    let more = page.more || page.places.len() > limit;
    let places = page.places.get(..limit).unwrap_or(&page.places);
    Ok(Beginning {
        ids: places.iter().map(|Place(.., id)| id.clone()).collect(),
        last: places.last().filter(|_| more).cloned(),
        trail: answer.trail(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> ListingKey {
        ListingKey::parse(text).unwrap()
    }

    #[test]
    fn a_key_has_one_spelling() {
        for text in [
            "sort=newest",
            "category=7&sort=-price",
            "category=a_B-1&featured=true&promoted=false&sort=popularity",
            "featured=false&after=price.250.0.85.",
            "promoted=true&after=name.0.0.x.tea%20%26%20cake%2E",
            "after=newest.-1700000000000000.0.x.",
        ] {
            assert_eq!(key(text).text(), text);
        }
        for text in [
            "",
            "sort=",
            "sort=best",
            "category=&sort=price",
            "category=a b&sort=price",
            "featured=1&sort=price",
            "promoted=true&featured=true&sort=price",
            "category=7&category=7&sort=price",
            "sort=price&featured=true",
            "after=price.250.0.85",
            "after=price.+250.0.85.",
            "after=price.0250.0.85.",
            "after=name.0.0.x.a b",
            "after=name.0.0.x.%00",
            "after=name.0.0.x.%ff",
            "after=name.99999999999999999999.0.x.",
        ] {
            assert!(ListingKey::parse(text).is_err(), "{text:?}");
        }
    }
}
