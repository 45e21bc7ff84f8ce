//! The bytes in which values lie in the remote tier stay those of their schema version: releases
//! with one schema read each other's entries.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    reason = "a test that is wrong shall say so"
)]

use std::fmt::Debug;
use std::path::PathBuf;
use std::{fs, str};

use tingkat::codec::{Codec, MessagePack};
use tingkat::entity::Entity;
use tingkat_shop::body::Kept;
use tingkat_shop::money::Money;
use tingkat_shop::postcode::Postcode;
use tingkat_shop::product::{
    CategoryName, Image, Product, ProductBodies, Promotion, SkuOwner, SlugOwner, Status, Variant,
};
use tingkat_shop::state::{State, StateList, Zone};

/// The file of a value, in hex: `tests/fixtures/product.1/full.hex`.
fn path<V: Entity>(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(format!("{}.{}", V::NAME, V::SCHEMA))
        .join(format!("{name}.hex"))
}

fn to_hex(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let lines: Vec<String> = digits.chunks(32).map(<[String]>::concat).collect();
    lines.join("\n")
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .bytes()
        .filter(|digit| !digit.is_ascii_whitespace())
        .collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// What to do when the bytes are others.
fn advice<V: Entity>(name: &str, encoded: &[u8]) -> String {
    format!(
        "the stored shape of `{}` is not that of schema {}: raise its SCHEMA (a rolling deploy \
         must not mix the two), say so in CHANGELOG.md, and add the fixture {} with\n{}\n",
        V::NAME,
        V::SCHEMA,
        path::<V>(name).display(),
        to_hex(encoded),
    )
}

fn assert_shape<V: Entity + Debug + PartialEq>(name: &str, value: &V) {
    let encoded = MessagePack.encode(value).unwrap();
    let Ok(text) = fs::read_to_string(path::<V>(name)) else {
        panic!("there is no fixture: {}", advice::<V>(name, &encoded));
    };
    let stored = from_hex(&text);
    match <MessagePack as Codec<V>>::decode(&MessagePack, &stored) {
        Ok(found) => assert_eq!(&found, value, "{}", advice::<V>(name, &encoded)),
        Err(error) => panic!("{error}: {}", advice::<V>(name, &encoded)),
    }
    assert!(encoded == stored, "{}", advice::<V>(name, &encoded));
}

fn minimal_product() -> Product {
    Product {
        id: "1".parse().unwrap(),
        sku: "A".parse().unwrap(),
        slug: "a".parse().unwrap(),
        name: String::new(),
        description: String::new(),
        status: Status::Draft,
        regular_price: Money::sen(0),
        member_price: Money::sen(0),
        promotion: None,
        stock_quantity: 0,
        low_stock_at: 0,
        featured: false,
        categories: Vec::new(),
        images: Vec::new(),
        variants: Vec::new(),
        version: 1,
        updated_at: "1970-01-01T00:00:00Z".parse().unwrap(),
        bodies: ProductBodies::default(),
    }
}

fn full_product() -> Product {
    let money = |amount, currency: &str| Money {
        amount,
        currency: currency.parse().unwrap(),
    };
    let category = |id: &str, name: &str| CategoryName {
        id: id.into(),
        slug: name.to_lowercase(),
        name: name.into(),
    };
    let variant = |sku: &str, value: &str, stock_quantity| Variant {
        sku: sku.parse().unwrap(),
        name: "size".into(),
        value: value.into(),
        regular_price: Money::sen(299),
        member_price: Money::sen(259),
        stock_quantity,
    };
    Product {
        id: "P_85123-A".parse().unwrap(),
        sku: "85123A / é".parse().unwrap(),
        slug: "white-hanging-heart-2".parse().unwrap(),
        name: "White hanging heart ♥".into(),
        description: "A heart.\nIt hangs.".into(),
        status: Status::Discontinued,
        regular_price: money(70_000, "SGD"),
        member_price: money(i64::MAX, "MYR"),
        promotion: Some(Promotion {
            price: Money::sen(199),
            starts_at: Some("2026-03-01T00:00:00.123456789Z".parse().unwrap()),
            ends_at: None,
        }),
        stock_quantity: -3,
        low_stock_at: 200,
        featured: true,
        categories: vec![category("12", "Gifts"), category("13", "Hearts")],
        images: vec![Image {
            url: "/images/85123A.webp".into(),
            alt: "A white heart".into(),
        }],
        variants: vec![variant("85123A-L", "L", 0), variant("85123A-S", "S", 4)],
        version: 4_294_967_296,
        updated_at: "2026-02-28T23:59:59Z".parse().unwrap(),
        bodies: ProductBodies::default(),
    }
}

#[test]
fn a_product_is_stored_as_its_schema_says() {
    assert_shape("minimal", &minimal_product());
    assert_shape("full", &full_product());
    // The other names of an enum are bytes as well.
    for (name, status) in [("active", Status::Active), ("inactive", Status::Inactive)] {
        let promotion = Some(Promotion {
            price: Money::sen(1),
            starts_at: None,
            ends_at: Some("2026-03-02T00:00:00Z".parse().unwrap()),
        });
        let product = Product {
            status,
            promotion,
            ..minimal_product()
        };
        assert_shape(name, &product);
    }
}

#[test]
fn who_has_a_sku_or_a_slug_is_stored_as_its_schema_says() {
    assert_shape("minimal", &SkuOwner("1".parse().unwrap()));
    assert_shape("full", &SkuOwner("P_85123-A".parse().unwrap()));
    assert_shape("minimal", &SlugOwner("1".parse().unwrap()));
    assert_shape("full", &SlugOwner("P_85123-A".parse().unwrap()));
}

#[test]
fn a_postcode_is_stored_as_its_schema_says() {
    let minimal = Postcode {
        code: "00000".parse().unwrap(),
        cities: Vec::new(),
        state_code: String::new(),
        state_name: String::new(),
        zone: Zone::West,
        body: Kept::default(),
    };
    assert_shape("minimal", &minimal);
    let full = Postcode {
        code: "93350".parse().unwrap(),
        cities: vec!["Kuching".into(), "Kota Samarahan".into()],
        state_code: "SWK".into(),
        state_name: "Sarawak".into(),
        zone: Zone::East,
        body: Kept::default(),
    };
    assert_shape("full", &full);
}

#[test]
fn the_states_are_stored_as_their_schema_says() {
    assert_shape("minimal", &StateList::from(Vec::new()));
    let state = |code: &str, name: &str, zone| State {
        code: code.into(),
        name: name.into(),
        zone,
    };
    let full = StateList::from(vec![
        state("PNG", "Pulau Pinang", Zone::West),
        state("SBH", "Sabah", Zone::East),
    ]);
    assert_shape("full", &full);
}
