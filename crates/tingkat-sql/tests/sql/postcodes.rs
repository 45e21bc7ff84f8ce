//! Every postcode of the data is answered, and no other.

use std::collections::{BTreeMap, BTreeSet};

use tingkat::ports::Found;
use tingkat_shop::All;
use tingkat_shop::postcode::{Code, Postcode};
use tingkat_shop::state::{State, Zone};

use crate::stores::{Embedded, csv, load, parsed, values};

#[tokio::test]
async fn every_postcode_row_is_answered_with_its_city_and_state() {
    let store = Embedded::new().await;
    let states: BTreeMap<String, String> = csv("states.csv")
        .into_iter()
        .map(|row| (row[0].clone(), row[1].clone()))
        .collect();
    let rows = csv("postcodes.csv");
    assert_eq!(rows.len(), 3_028);
    let codes: BTreeSet<Code> = rows.iter().map(|row| parsed(&row[0])).collect();
    assert_eq!(codes.len(), 3_023);

    let source = store.database.sources().postcodes;
    let found: BTreeMap<String, Postcode> = values(&*source, codes)
        .await
        .into_iter()
        .map(|postcode| (postcode.code.to_string(), postcode))
        .collect();
    let mut answered = 0;
    for row in &rows {
        let postcode = &found[&row[0]];
        assert!(postcode.cities.contains(&row[1]), "{row:?}: {postcode:?}");
        assert_eq!(postcode.state_code, row[2]);
        assert_eq!(postcode.state_name, states[&row[2]]);
        answered += 1;
    }
    assert_eq!(
        answered,
        found
            .values()
            .map(|postcode| postcode.cities.len())
            .sum::<usize>()
    );
}

#[tokio::test]
async fn the_shared_postcodes_have_both_cities_the_primary_first() {
    let store = Embedded::new().await;
    let shared = [
        ("06010", ["Changloon", "Universiti Utara Malaysia"]),
        ("48050", ["Rawang", "Kuang"]),
        ("53100", ["Kuala Lumpur", "Hulu Langat"]),
        ("81550", ["Gelang Patah", "Pulau Satu"]),
        ("89260", ["Beverly", "Tenghilan"]),
    ];
    let source = store.database.sources().postcodes;
    let found = values(&*source, shared.map(|(code, _)| parsed(code))).await;
    for (postcode, (code, cities)) in found.iter().zip(shared) {
        assert_eq!(postcode.code.as_str(), code);
        assert_eq!(postcode.cities, cities);
        assert_eq!(postcode.city(), cities[0]);
    }
}

#[tokio::test]
async fn sabah_sarawak_and_labuan_are_in_the_east() {
    let store = Embedded::new().await;
    let states = values(&*store.database.sources().states, [All])
        .await
        .remove(0)
        .states;
    assert_eq!(states.len(), 16);
    assert!(states.is_sorted_by_key(|state: &State| state.code.clone()));
    let east: Vec<&str> = states
        .iter()
        .filter(|state| state.zone == Zone::East)
        .map(|state| state.code.as_str())
        .collect();
    assert_eq!(east, ["LBN", "SBH", "SRW"]);

    let codes = csv("postcodes.csv").into_iter().map(|row| parsed(&row[0]));
    for postcode in values(&*store.database.sources().postcodes, codes).await {
        let is_east = east.contains(&postcode.state_code.as_str());
        assert_eq!(postcode.zone == Zone::East, is_east, "{postcode:?}");
    }
}

#[tokio::test]
async fn a_thousand_unknown_postcodes_are_absent() {
    let store = Embedded::new().await;
    let known: BTreeSet<String> = csv("postcodes.csv")
        .into_iter()
        .map(|row| row[0].clone())
        .collect();
    // 37 and 100,000 have no common factor, so all codes come by, scattered.
    let unknown: Vec<String> = (0..100_000_u32)
        .map(|number| format!("{:05}", number * 37 % 100_000))
        .filter(|code| !known.contains(code))
        .take(1_000)
        .collect();
    assert_eq!(unknown.len(), 1_000);
    let source = store.database.sources().postcodes;
    let loaded = load(&*source, unknown.iter().map(|code| parsed(code)))
        .await
        .unwrap();
    for (code, loaded) in unknown.iter().zip(loaded) {
        assert!(matches!(loaded.found, Found::Absent), "{code}");
    }
}
