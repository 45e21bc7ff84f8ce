//! Carts and wish lists: drawn by what sells.

use std::collections::BTreeSet;

use serde::Serialize;

use super::catalogue::ProductRow;
use super::day::{DAY_SECONDS, Day};
use super::people::CustomerRow;
use super::popularity::{Draws, Popularity};
use super::random::Random;

/// A row of `cart_line`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "named like their columns")]
pub struct CartLineRow {
    pub customer_id: String,
    pub product_id: String,
    pub quantity: i64,
    pub added_at: i64,
}

/// A row of `wishlist_line`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "named like their columns")]
pub struct WishlistLineRow {
    pub customer_id: String,
    pub product_id: String,
    pub added_at: i64,
}

/// Somewhat less than half of the customers have a cart, of the last week; more have a wish list, of
/// the last two months.
pub(super) fn generate(
    seed: u64,
    today: Day,
    products: &[ProductRow],
    customers: &[CustomerRow],
    popularity: &Popularity,
) -> (Vec<CartLineRow>, Vec<WishlistLineRow>) {
    let draws = popularity.draws();
    let mut cart = Random::of(seed, "cart");
    let mut wish = Random::of(seed, "wish list");
    let (mut cart_lines, mut wishlist_lines) = (Vec::new(), Vec::new());
    for customer in customers {
        if cart.happens(45) {
            for product in some(&mut cart, &draws, products, 4) {
                cart_lines.push(CartLineRow {
                    customer_id: customer.id.clone(),
                    product_id: product.id.clone(),
                    quantity: cart.between(1, 6),
                    added_at: today.seconds_before(cart.between(1, 7 * DAY_SECONDS)),
                });
            }
        }
        if wish.happens(60) {
            for product in some(&mut wish, &draws, products, 6) {
                wishlist_lines.push(WishlistLineRow {
                    customer_id: customer.id.clone(),
                    product_id: product.id.clone(),
                    added_at: today.seconds_before(wish.between(1, 60 * DAY_SECONDS)),
                });
            }
        }
    }
    (cart_lines, wishlist_lines)
}

/// At least one and at most `most` different products.
fn some<'a>(
    random: &mut Random,
    draws: &Draws,
    products: &'a [ProductRow],
    most: i64,
) -> Vec<&'a ProductRow> {
    let places: BTreeSet<usize> = (0..random.between(1, most))
        .map(|_| draws.draw(random))
        .collect();
    places
        .into_iter()
        .filter_map(|place| products.get(place))
        .collect()
}
