//! Loading pages of listings.

use std::time::Duration;

use serde::Serialize;
use tingkat::entity::Entity;
use tingkat::key::Key as _;
use tingkat::ports::Loaded;
use tingkat_shop::category::{CategoryId, of_members};
use tingkat_shop::popularity::Weights;
use tingkat_shop::product::listing::{Listing, ListingKey, MOST, Place, Popular, Sorted};

use crate::columns::{Json, columns};
use crate::error::ColumnError;
use crate::left_out::named;
use crate::popularity::micros;
use crate::rows::Row;
use crate::statement::{PRODUCT_LIST, PRODUCT_LIST_POPULAR, Statement};

columns! {
    /// What is loaded of a page.
    pub(crate) struct PageRow {
        key: String,
        items: Json<Vec<(i64, i64, String, String)>>,
        categories: Json<Vec<String>>,
        changes_in: Option<i64>,
    }
}

/// What the statements take for one page.
#[derive(Serialize)]
struct Wanted<'a> {
    key: String,
    category: Option<&'a CategoryId>,
    featured: Option<bool>,
    promoted: Option<bool>,
    sort: &'static str,
    after: Option<&'a Place>,
    orders: u32,
    carts: u32,
    wishes: u32,
    /// Microseconds.
    window: i64,
}

fn argument(key: &ListingKey, weights: &Weights) -> Result<String, serde_json::Error> {
    let (filter, weights) = (key.filter(), weights.product);
    serde_json::to_string(&Wanted {
        key: key.text(),
        category: filter.category.as_ref(),
        featured: filter.featured,
        promoted: filter.promoted,
        sort: key.sort().name(),
        after: key.after(),
        orders: weights.orders,
        carts: weights.carts,
        wishes: weights.wishes,
        window: micros(weights.window),
    })
}

fn read<L: Entity + From<Listing>>(
    PageRow {
        key: _key,
        items: Json(items),
        categories: Json(categories),
        changes_in,
    }: PageRow,
) -> Result<Loaded<L>, ColumnError> {
    let more = items.len() > MOST;
    let items = items.into_iter().take(MOST);
    let places: Vec<Place> = items
        .filter_map(|(first, second, name, id)| Some(Place(first, second, name, named(&id)?)))
        .collect();
    if more && places.is_empty() {
        // The next page begins behind the last place of this one.
        let problem = "has no id that can be asked for on a whole page";
        return Err(ColumnError::new("items", problem));
    }
    let loaded = Loaded::value(L::from(Listing { places, more })).deps(of_members(&categories));
    Ok(match changes_in {
        Some(micros) => {
            loaded.changes_in(Duration::from_micros(u64::try_from(micros).unwrap_or(0)))
        }
        None => loaded,
    })
}

macro_rules! pages {
    ($($listing:ident, $statement:ident;)*) => {$(
        impl Row for $listing {
            const LOAD: Statement = $statement;
            const KEY: &'static str = "key";
            type Columns = PageRow;

            fn argument(key: &ListingKey, weights: &Weights) -> Result<String, serde_json::Error> {
                argument(key, weights)
            }

            fn read(row: PageRow) -> Result<Loaded<Self>, ColumnError> {
                read(row)
            }
        }
    )*};
}

pages! {
    Sorted, PRODUCT_LIST;
    Popular, PRODUCT_LIST_POPULAR;
}
