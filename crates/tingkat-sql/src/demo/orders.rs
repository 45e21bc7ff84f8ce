//! The real orders, moved in time and delivered in Malaysia.

use std::collections::HashMap;

use serde::Serialize;

use super::catalogue;
use super::day::{DAY_SECONDS, Day, micros};
use super::people::CustomerRow;
use super::places::Delivery;
use super::popularity::Popularity;
use super::random::Random;
use super::retail::Line;

/// A row of `orders`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "named like their columns")]
pub struct OrderRow {
    pub id: String,
    pub customer_id: String,
    pub delivery_postcode: String,
    pub currency: &'static str,
    pub placed_at: i64,
}

/// A row of `order_line`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "named like their columns")]
pub struct OrderLineRow {
    pub order_id: String,
    pub position: i64,
    pub product_id: String,
    pub quantity: i64,
    pub unit_price: i64,
}

/// All times are moved by the same number of whole days, so that the newest order was placed on the
/// day before `today`. An order is placed at the time of its first line.
pub(super) fn generate(
    seed: u64,
    today: Day,
    lines: &[Line],
    popularity: &Popularity,
    customers: &[CustomerRow],
    delivery: &Delivery,
) -> (Vec<OrderRow>, Vec<OrderLineRow>) {
    let mut random = Random::of(seed, "order");
    let newest = lines.iter().map(|line| line.ordered_at).max().unwrap_or(0);
    let moved = today.plus(-1).since(Day::of_second(newest)) * DAY_SECONDS;
    let mut orders: Vec<OrderRow> = Vec::new();
    let mut order_lines = Vec::with_capacity(lines.len());
    // The number of lines that each order has so far.
    let mut counts: HashMap<&str, i64> = HashMap::new();
    for line in lines {
        let Some(place) = popularity.place(&line.sku) else {
            continue;
        };
        let count = counts.entry(&line.order_no).or_insert(0);
        if *count == 0 {
            let placed_at = micros(line.ordered_at + moved);
            orders.push(order(
                &mut random,
                &line.order_no,
                placed_at,
                customers,
                delivery,
            ));
        }
        order_lines.push(OrderLineRow {
            order_id: line.order_no.clone(),
            position: *count,
            product_id: catalogue::id(place),
            quantity: line.quantity,
            unit_price: line.unit_price,
        });
        *count += 1;
    }
    (orders, order_lines)
}

/// Most parcels go home, some to another address.
fn order(
    random: &mut Random,
    order_no: &str,
    placed_at: i64,
    customers: &[CustomerRow],
    delivery: &Delivery,
) -> OrderRow {
    let customer = random.pick_early(customers);
    let elsewhere = random.happens(15).then(|| delivery.draw(random));
    OrderRow {
        id: order_no.to_owned(),
        customer_id: customer
            .map(|customer| customer.id.clone())
            .unwrap_or_default(),
        delivery_postcode: elsewhere
            .or_else(|| customer.map(|customer| customer.postcode.clone()))
            .unwrap_or_default(),
        currency: "MYR",
        placed_at,
    }
}
