//! The generator: what it promises about every store, and that it never changes by accident.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::date;
use tingkat_shop::product::{ProductId, Sku, Slug};
use tingkat_sql::demo::{Demo, ProductRow};

use crate::stores::DAY;

const SEED: u64 = 1958;

fn day_of(micros: i64) -> jiff::civil::Date {
    let time = Timestamp::from_microsecond(micros).unwrap();
    time.to_zoned(jiff::tz::TimeZone::UTC).date()
}

/// FNV-1a, written out: it has to be the same for ever.
fn fingerprint(demo: &Demo) -> String {
    let text = serde_json::to_string(demo).unwrap();
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

#[test]
fn the_same_seed_and_day_give_the_same_store() {
    let demo = Demo::generate(SEED, DAY);
    assert_eq!(demo, Demo::generate(SEED, DAY));
    assert_ne!(demo, Demo::generate(SEED + 1, DAY));
    assert_ne!(demo, Demo::generate(SEED, DAY.tomorrow().unwrap()));
}

/// When this fails on purpose, say in the change log that new demo stores differ.
#[test]
fn the_store_of_a_day_has_not_changed() {
    assert_eq!(fingerprint(&Demo::generate(SEED, DAY)), "b51e0e18e5214240");
}

#[test]
fn all_the_data_is_there() {
    let demo = Demo::generate(SEED, DAY);
    assert_eq!(demo.states.len(), 16);
    assert_eq!(demo.postcodes.len(), 3_028);
    assert_eq!(demo.products.len(), 1_958);
    assert_eq!(demo.orders.len(), 336);
    assert_eq!(demo.order_lines.len(), 7_265);
    // Of the data: quantities of all lines, and what they cost in sen.
    let pieces: i64 = demo.order_lines.iter().map(|line| line.quantity).sum();
    let sen: i64 = demo
        .order_lines
        .iter()
        .map(|line| line.quantity * line.unit_price)
        .sum();
    assert_eq!((pieces, sen), (74_413, 15_017_569));
}

#[test]
fn the_newest_order_is_of_yesterday_whatever_the_day() {
    for today in [DAY, date(2024, 2, 29), date(2027, 1, 1), date(1999, 12, 31)] {
        let demo = Demo::generate(SEED, today);
        let newest = demo
            .orders
            .iter()
            .map(|order| order.placed_at)
            .max()
            .unwrap();
        let oldest = demo
            .orders
            .iter()
            .map(|order| order.placed_at)
            .min()
            .unwrap();
        assert_eq!(day_of(newest), today.yesterday().unwrap());
        // The time of the day is the real one.
        assert_eq!(
            newest.rem_euclid(86_400_000_000),
            (17 * 60 + 28) * 60_000_000
        );
        assert_eq!(day_of(oldest).until(today).unwrap().get_days(), 3);
    }
}

#[test]
fn every_name_is_valid_and_no_two_products_share_one() {
    let demo = Demo::generate(SEED, DAY);
    let mut ids = BTreeSet::new();
    let mut skus = BTreeSet::new();
    let mut slugs = BTreeSet::new();
    for product in &demo.products {
        assert!(
            ids.insert(product.id.parse::<ProductId>().unwrap()),
            "{product:?}"
        );
        assert!(
            skus.insert(product.sku.parse::<Sku>().unwrap()),
            "{product:?}"
        );
        assert!(
            slugs.insert(product.slug.parse::<Slug>().unwrap()),
            "{product:?}"
        );
        assert!(
            !product.slug.contains("--") && !product.slug.starts_with('-'),
            "{product:?}"
        );
    }
    for variant in &demo.product_variants {
        assert!(skus.insert(variant.sku.parse().unwrap()), "{variant:?}");
    }
}

#[test]
fn a_member_pays_five_to_fifteen_percent_less() {
    for product in Demo::generate(SEED, DAY).products {
        let (regular, member) = (product.regular_price * 100, product.member_price * 100);
        // Rounding moves a price by half a sen at most.
        assert!(member <= product.regular_price * 95 + 50, "{product:?}");
        assert!(member >= product.regular_price * 85 - 50, "{product:?}");
        assert!(member <= regular && member > 0, "{product:?}");
    }
}

#[test]
fn stock_runs_from_nothing_to_plenty() {
    let products = Demo::generate(SEED, DAY).products;
    let share = |is: fn(&ProductRow) -> bool| {
        products.iter().filter(|product| is(product)).count() * 1_000 / products.len()
    };
    assert!((40..=80).contains(&share(|product| product.stock_quantity == 0)));
    let low = share(|p| p.stock_quantity > 0 && p.stock_quantity <= p.low_stock_at);
    assert!((60..=100).contains(&low), "{low}");
    assert!(share(|product| product.stock_quantity > 120) > 150);
}

#[test]
fn promotions_are_over_running_and_to_come() {
    let products = Demo::generate(SEED, DAY).products;
    let noon = "2026-03-01T12:00:00Z"
        .parse::<Timestamp>()
        .unwrap()
        .as_microsecond();
    let mut phases = BTreeMap::new();
    for product in products
        .iter()
        .filter(|product| product.promotional_price.is_some())
    {
        let (starts, ends) = (
            product.promotion_starts_at.unwrap(),
            product.promotion_ends_at.unwrap(),
        );
        assert!(starts < ends, "{product:?}");
        assert!(
            product.promotional_price.unwrap() < product.regular_price,
            "{product:?}"
        );
        let phase = if ends <= noon {
            "over"
        } else if starts <= noon {
            "runs"
        } else {
            "to come"
        };
        *phases.entry(phase).or_insert(0) += 1;
    }
    assert!(
        phases["runs"] > phases["over"] && phases["runs"] > phases["to come"],
        "{phases:?}"
    );
    assert!(phases["over"] > 10 && phases["to come"] > 10, "{phases:?}");
}

#[test]
fn few_products_are_in_no_category_of_their_own() {
    let demo = Demo::generate(SEED, DAY);
    let more = demo
        .categories
        .iter()
        .find(|category| category.name == "More")
        .unwrap();
    let in_more = demo
        .product_categories
        .iter()
        .filter(|link| link.category_id == more.id)
        .count();
    assert!(in_more <= 10, "{in_more}");
    let placed: BTreeSet<&str> = demo
        .product_categories
        .iter()
        .map(|link| link.product_id.as_str())
        .collect();
    assert_eq!(placed.len(), 1_958);
    let roots = demo
        .categories
        .iter()
        .filter(|category| category.parent_id.is_none())
        .count();
    assert_eq!((roots, demo.categories.len() - roots), (10, 36));
}

#[test]
fn the_front_page_has_the_best_sellers() {
    let demo = Demo::generate(SEED, DAY);
    let featured: BTreeSet<&str> = demo
        .products
        .iter()
        .filter(|p| p.featured)
        .map(|p| p.id.as_str())
        .collect();
    assert_eq!(featured.len(), 40);
    let mut lines = BTreeMap::new();
    for line in &demo.order_lines {
        *lines.entry(line.product_id.as_str()).or_insert(0) += 1;
    }
    let least = featured.iter().map(|id| lines[id]).min().unwrap();
    assert!(
        lines
            .iter()
            .all(|(id, count)| *count <= least || featured.contains(id))
    );
}

#[test]
fn parcels_go_to_real_postcodes_and_mostly_to_the_cities() {
    let demo = Demo::generate(SEED, DAY);
    let states: BTreeMap<&str, &str> = demo
        .postcodes
        .iter()
        .map(|place| (place.code.as_str(), place.state_code.as_str()))
        .collect();
    let mut parcels = BTreeMap::new();
    for order in &demo.orders {
        *parcels
            .entry(states[order.delivery_postcode.as_str()])
            .or_insert(0) += 1;
    }
    let of = |codes: &[&str]| {
        codes
            .iter()
            .filter_map(|code| parcels.get(code))
            .sum::<i32>()
    };
    assert!(of(&["KUL", "PJY", "SGR"]) > 336 * 45 / 100, "{parcels:?}");
    assert!(
        of(&["PNG"]) > 336 * 6 / 100 && of(&["JHR"]) > 336 * 6 / 100,
        "{parcels:?}"
    );
    assert!(parcels.len() > 8, "{parcels:?}");
    assert!(
        demo.customers
            .iter()
            .all(|customer| states.contains_key(customer.postcode.as_str()))
    );
}

#[test]
fn carts_and_wish_lists_are_of_the_days_before() {
    let demo = Demo::generate(SEED, DAY);
    let midnight = "2026-03-01T00:00:00Z"
        .parse::<Timestamp>()
        .unwrap()
        .as_microsecond();
    assert!(demo.cart_lines.len() > 100 && demo.wishlist_lines.len() > 200);
    let days = 86_400_000_000;
    assert!(
        demo.cart_lines
            .iter()
            .all(|line| (midnight - 7 * days..midnight).contains(&line.added_at))
    );
    assert!(
        demo.wishlist_lines
            .iter()
            .all(|line| (midnight - 60 * days..midnight).contains(&line.added_at))
    );
}
