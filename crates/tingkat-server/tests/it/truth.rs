//! What the store should say, read from the published data without any code of the store.

use std::collections::{BTreeMap, HashSet};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tingkat-sql/data");

/// A postcode with its cities in the order of the data, the primary one first.
#[derive(Clone, Debug)]
pub(crate) struct Postcode {
    pub(crate) code: String,
    pub(crate) cities: Vec<String>,
    pub(crate) state_code: String,
    pub(crate) state_name: String,
}

/// A product; its id is its place in the data.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) id: String,
    pub(crate) sku: String,
    pub(crate) name: String,
    pub(crate) price_sen: u64,
}

/// The rows of a table, without its header.
pub(crate) fn rows(table: &str) -> Vec<Vec<String>> {
    csv::Reader::from_path(format!("{DATA}/{table}"))
        .unwrap()
        .records()
        .map(|row| row.unwrap().iter().map(str::to_owned).collect())
        .collect()
}

/// In the order of their codes.
pub(crate) fn postcodes() -> Vec<Postcode> {
    let names: BTreeMap<String, String> = rows("states.csv")
        .into_iter()
        .map(|row| (row[0].clone(), row[1].clone()))
        .collect();
    let mut postcodes: BTreeMap<String, Postcode> = BTreeMap::new();
    for row in rows("postcodes.csv") {
        let [code, city, state_code] = <[String; 3]>::try_from(row).unwrap();
        let postcode = postcodes.entry(code.clone()).or_insert_with(|| Postcode {
            code,
            cities: Vec::new(),
            state_name: names[&state_code].clone(),
            state_code,
        });
        postcode.cities.push(city);
    }
    postcodes.into_values().collect()
}

/// Codes of five digits that are no postcodes, all different, in no order that anybody would guess.
pub(crate) fn unknown_codes() -> impl Iterator<Item = String> {
    let known: HashSet<String> = postcodes().into_iter().map(|it| it.code).collect();
    // The factor has no divisor in common with the number of codes, so each comes once.
    (0..100_000_u64)
        .map(|n| format!("{:05}", (n * 61_803 + 12_345) % 100_000))
        .filter(move |code| !known.contains(code))
}

/// In the order of their ids.
pub(crate) fn products() -> Vec<Listed> {
    let listed = |(place, row): (usize, Vec<String>)| Listed {
        id: (place + 1).to_string(),
        sku: row[0].clone(),
        name: row[1].clone(),
        price_sen: sen(&row[2]),
    };
    rows("products.csv")
        .into_iter()
        .enumerate()
        .map(listed)
        .collect()
}

/// `4.1` is 410: digits are moved, nothing is calculated.
fn sen(price: &str) -> u64 {
    let (whole, decimals) = price.split_once('.').unwrap_or((price, ""));
    assert!(decimals.len() <= 2, "{price}");
    format!("{whole}{decimals:0<2}").parse().unwrap()
}
