//! Customers: made up, with real postcodes.

use serde::Serialize;

use super::places::Delivery;
use super::random::Random;

const CUSTOMERS: usize = 300;

/// A row of `customer`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "named like their columns")]
pub struct CustomerRow {
    pub id: String,
    pub name: String,
    pub email: String,
    pub postcode: String,
}

pub(super) fn generate(seed: u64, delivery: &Delivery) -> Vec<CustomerRow> {
    let mut random = Random::of(seed, "customer");
    (1..=CUSTOMERS)
        .map(|number| CustomerRow {
            id: format!("u{number}"),
            name: format!("Customer {number}"),
            email: format!("customer{number}@example.com"),
            postcode: delivery.draw(&mut random),
        })
        .collect()
}
