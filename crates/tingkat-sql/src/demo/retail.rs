//! The retail data as it was published: products and order lines.

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;

const PRODUCTS: &str = include_str!("../../data/products.csv");
const ORDER_LINES: &str = include_str!("../../data/order_lines.csv");

/// A product of the catalogue.
pub(super) struct Listed {
    pub(super) sku: String,
    pub(super) name: String,
    /// In sen: the number of the data, whose currency is another, taken as ringgit.
    pub(super) price: i64,
}

/// A line of an order.
pub(super) struct Line {
    pub(super) order_no: String,
    pub(super) sku: String,
    pub(super) quantity: i64,
    /// Seconds since 1970.
    pub(super) ordered_at: i64,
    /// In sen, as [`Listed::price`].
    pub(super) unit_price: i64,
}

#[derive(Deserialize)]
struct ProductRecord {
    sku: String,
    name: String,
    unit_price: String,
}

#[derive(Deserialize)]
struct LineRecord {
    order_no: String,
    sku: String,
    quantity: i64,
    ordered_at: Timestamp,
    unit_price: String,
}

/// In the order of their skus.
pub(super) fn products() -> Vec<Listed> {
    let listed = |record: ProductRecord| Listed {
        price: exact_sen(&record.unit_price),
        sku: record.sku,
        name: record.name,
    };
    records(PRODUCTS).map(listed).collect()
}

/// In the order of their times.
pub(super) fn order_lines() -> Vec<Line> {
    let line = |record: LineRecord| Line {
        unit_price: exact_sen(&record.unit_price),
        order_no: record.order_no,
        sku: record.sku,
        quantity: record.quantity,
        ordered_at: record.ordered_at.as_second(),
    };
    records(ORDER_LINES).map(line).collect()
}

/// The records of an embedded table.
#[expect(
    clippy::expect_used,
    reason = "the text is part of the program, and tests read all of it"
)]
pub(super) fn records<T: DeserializeOwned>(csv: &'static str) -> impl Iterator<Item = T> {
    csv::Reader::from_reader(csv.as_bytes())
        .into_deserialize()
        .map(|record| record.expect("the embedded data fits its type"))
}

#[expect(
    clippy::expect_used,
    reason = "the text is part of the program, and tests read all of it"
)]
fn exact_sen(price: &str) -> i64 {
    sen(price).expect("the embedded prices have at most two decimals")
}

/// A decimal price in sen, exactly; never by way of a float.
fn sen(price: &str) -> Option<i64> {
    let (ringgit, decimals) = price.split_once('.').unwrap_or((price, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if ringgit.is_empty() || decimals.len() > 2 || !digits(ringgit) || !digits(decimals) {
        return None;
    }
    let decimals: i64 = format!("{decimals:0<2}").parse().ok()?;
    ringgit
        .parse::<i64>()
        .ok()?
        .checked_mul(100)?
        .checked_add(decimals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_exact() {
        for (text, expected) in [
            ("2.55", Some(255)),
            ("0.07", Some(7)),
            ("4.1", Some(410)),
            ("295", Some(29_500)),
            ("4.", Some(400)),
            ("-1.00", None),
            ("1.005", None),
            (".5", None),
            ("", None),
        ] {
            assert_eq!(sen(text), expected, "{text:?}");
        }
    }
}
