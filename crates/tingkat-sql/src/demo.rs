//! The demo store: real products, orders and postcodes, and what a store needs besides, derived.
//!
//! [`Demo::generate`] is a pure function of a seed and a day; `data/README.md` says what is real and
//! what is derived. It reads no clock, no file and no random device, and changes only with this
//! directory and the data.

mod carts;
mod catalogue;
mod categories;
mod day;
mod names;
mod orders;
mod people;
mod places;
mod popularity;
mod random;
mod retail;

use jiff::civil::Date;
use serde::Serialize;

pub use carts::{CartLineRow, WishlistLineRow};
pub use catalogue::{CategoryLinkRow, ImageRow, ProductRow, VariantRow};
pub use categories::CategoryRow;
pub use orders::{OrderLineRow, OrderRow};
pub use people::CustomerRow;
pub use places::{PostcodeRow, StateRow};

use crate::statement::{
    DEMO_CART_LINE, DEMO_CATEGORY, DEMO_CUSTOMER, DEMO_ORDER_LINE, DEMO_ORDERS, DEMO_POSTCODE,
    DEMO_PRODUCT, DEMO_PRODUCT_CATEGORY, DEMO_PRODUCT_IMAGE, DEMO_PRODUCT_VARIANT, DEMO_STATE,
    DEMO_WISHLIST_LINE, Statement,
};
use day::Day;
use popularity::Popularity;

/// The seed of every demo store that is not a test's.
pub(crate) const DEMO_SEED: u64 = 1958;

/// The rows of a demo store, table by table. Times are microseconds since 1970, prices are in sen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "named like their tables")]
pub struct Demo {
    pub states: Vec<StateRow>,
    pub postcodes: Vec<PostcodeRow>,
    pub categories: Vec<CategoryRow>,
    pub products: Vec<ProductRow>,
    pub product_images: Vec<ImageRow>,
    pub product_variants: Vec<VariantRow>,
    pub product_categories: Vec<CategoryLinkRow>,
    pub customers: Vec<CustomerRow>,
    pub orders: Vec<OrderRow>,
    pub order_lines: Vec<OrderLineRow>,
    pub cart_lines: Vec<CartLineRow>,
    pub wishlist_lines: Vec<WishlistLineRow>,
}

impl Demo {
    /// The store as it is on a day: its newest order was placed the day before, and promotions have
    /// ended, run, or are about to start.
    pub fn generate(seed: u64, today: Date) -> Self {
        let today = Day::of(today);
        let lines = retail::order_lines();
        let listed = retail::products();
        let popularity = Popularity::of(&listed, &lines);
        let catalogue = catalogue::generate(seed, today, &listed, &popularity);
        let (states, postcodes) = places::read();
        let delivery = places::Delivery::of(seed, &postcodes);
        let customers = people::generate(seed, &delivery);
        let (orders, order_lines) =
            orders::generate(seed, today, &lines, &popularity, &customers, &delivery);
        let (cart_lines, wishlist_lines) =
            carts::generate(seed, today, &catalogue.products, &customers, &popularity);
        Self {
            states,
            postcodes,
            categories: catalogue.categories,
            products: catalogue.products,
            product_images: catalogue.images,
            product_variants: catalogue.variants,
            product_categories: catalogue.links,
            customers,
            orders,
            order_lines,
            cart_lines,
            wishlist_lines,
        }
    }

    /// The statements that add the rows, in an order that satisfies all references, each with its
    /// parameter.
    pub(crate) fn tables(&self) -> [(&'static Statement, String); 12] {
        [
            (&DEMO_STATE, json(&self.states)),
            (&DEMO_POSTCODE, json(&self.postcodes)),
            (&DEMO_CATEGORY, json(&self.categories)),
            (&DEMO_PRODUCT, json(&self.products)),
            (&DEMO_PRODUCT_IMAGE, json(&self.product_images)),
            (&DEMO_PRODUCT_VARIANT, json(&self.product_variants)),
            (&DEMO_PRODUCT_CATEGORY, json(&self.product_categories)),
            (&DEMO_CUSTOMER, json(&self.customers)),
            (&DEMO_ORDERS, json(&self.orders)),
            (&DEMO_ORDER_LINE, json(&self.order_lines)),
            (&DEMO_CART_LINE, json(&self.cart_lines)),
            (&DEMO_WISHLIST_LINE, json(&self.wishlist_lines)),
        ]
    }
}

#[expect(
    clippy::expect_used,
    reason = "texts, numbers and flags always have a JSON form"
)]
fn json(rows: &impl Serialize) -> String {
    serde_json::to_string(rows).expect("rows are plain")
}
