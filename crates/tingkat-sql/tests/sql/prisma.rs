//! A Prisma storefront: its own tables, and the same answers.

use jiff::Timestamp;
use tingkat::ports::Found;
use tingkat_shop::money::Money;
use tingkat_shop::popularity::Popularity as _;
use tingkat_shop::product::{Product, Status};
use tingkat_shop::state::Zone;
use tingkat_shop::{All, ProductPatch, WriteErrorKind as Kind};
use tingkat_sql::{Coherence, Preset, Queries, Verdict, changes_drop_sql, changes_sql};
use tingkat_sql::{install_changes, install_demo, uninstall_changes};

use crate::changes::written;
use crate::listings::{page, places};
use crate::poller::Poller;
use crate::stores::{Served, load, parsed, prisma, values};

const TABLES: [&str; 7] = [
    "categories",
    "malaysian_postcodes",
    "malaysian_states",
    "product_categories",
    "product_images",
    "product_variants",
    "products",
];

/// Ids as `cuid()` draws them.
pub(crate) const TEA: &str = "clx4tea00000008l4h3yq2r7k";
pub(crate) const KETTLE: &str = "clx4kettle0000108l4f6e0d2";
pub(crate) const DRINKS: &str = "clx4drinks0000208l45v9c3m";

/// A store with a product that has everything, and one that has as little as can be.
const ROWS: &str = r#"
    INSERT INTO malaysian_states (id, name) VALUES
      ('SGR', 'Selangor'), ('SWK', 'Sarawak'), ('LBN', 'Labuan');
    INSERT INTO malaysian_postcodes (id, postcode, district, "stateCode") VALUES
      ('clx4p1', '47301', 'Petaling Jaya', 'SGR'), ('clx4p0', '47301', 'Kelana Jaya', 'SGR'),
      ('clx4p2', '93000', 'Kuching', 'SWK'), ('clx4p3', '87000', 'Labuan', 'LBN');
    INSERT INTO categories (id, name, slug, "parentId") VALUES
      ('clx4kitchen', 'Kitchen', 'kitchen', NULL),
      ('clx4drinks0000208l45v9c3m', 'Drinks', 'drinks', 'clx4kitchen');
    INSERT INTO products (id, name, slug, description, "shortDescription", sku, status,
      "regularPrice", "memberPrice", "promotionalPrice", "promotionStartDate", "promotionEndDate",
      "stockQuantity", "lowStockAlert", featured, "isPromotional", "updatedAt") VALUES
      ('clx4tea00000008l4h3yq2r7k', 'Teh "Tarik" 🍵', 'teh-tarik', 'Long', 'Short', 'TEH-01', 'ACTIVE',
       19.99, 0.10, 0.29, '2026-11-27 16:00:00.123', '2026-12-01 00:00:00', 7, 12, true, true,
       '2026-11-27 08:30:15.5'),
      ('clx4kettle0000108l4f6e0d2', 'Cerek', 'cerek', NULL, NULL, 'CEREK', 'DRAFT',
       99999999.99, 99999999.99, NULL, NULL, NULL, 0, 10, false, false, '2026-01-01');
    INSERT INTO product_categories (id, "productId", "categoryId") VALUES
      ('clx4m1', 'clx4tea00000008l4h3yq2r7k', 'clx4kitchen'),
      ('clx4m2', 'clx4tea00000008l4h3yq2r7k', 'clx4drinks0000208l45v9c3m');
    INSERT INTO product_images (id, "productId", url, "altText", "sortOrder") VALUES
      ('clx4i6', 'clx4tea00000008l4h3yq2r7k', '/6', NULL, 60),
      ('clx4i1', 'clx4tea00000008l4h3yq2r7k', '/1', 'Front', 10),
      ('clx4i2', 'clx4tea00000008l4h3yq2r7k', '/2', NULL, 20),
      ('clx4i4', 'clx4tea00000008l4h3yq2r7k', '/4', NULL, 30),
      ('clx4i3', 'clx4tea00000008l4h3yq2r7k', '/3', NULL, 30),
      ('clx4i5', 'clx4tea00000008l4h3yq2r7k', '/5', NULL, 40);
    INSERT INTO product_variants (id, "productId", name, value, sku, "regularPrice", "memberPrice",
      "stockQuantity") VALUES
      ('clx4v1', 'clx4tea00000008l4h3yq2r7k', 'size', '500 g', 'TEH-01-500', 49.90, 45.05, 3),
      ('clx4v2', 'clx4tea00000008l4h3yq2r7k', 'size', '250 g', 'TEH-01-250', 25.00, 0.10, 0);
    INSERT INTO orders (id, "orderNumber") VALUES ('clx4o1', 'ORD-1');
"#;

async fn filled() -> Served {
    let store = prisma().await;
    store.server.psql(ROWS).await.unwrap();
    store
}

pub(crate) async fn whole() -> Served {
    let store = filled().await;
    install_changes(&store.database).await.unwrap();
    store
}

pub(crate) async fn product(store: &Served, id: &str) -> Product {
    let products = store.database.sources().products;
    values(&*products, [parsed(id)]).await.remove(0)
}

pub(crate) fn at(text: &str) -> Timestamp {
    parsed(text)
}

#[tokio::test]
async fn a_product_is_read_to_the_sen_and_to_the_millisecond() {
    let store = whole().await;
    let tea = product(&store, TEA).await;
    assert_eq!((tea.id.as_str(), tea.status), (TEA, Status::Active));
    assert_eq!(
        (tea.sku.as_str(), tea.slug.as_str()),
        ("TEH-01", "teh-tarik")
    );
    assert_eq!(
        (tea.name.as_str(), tea.description.as_str()),
        ("Teh \"Tarik\" 🍵", "Long")
    );
    assert_eq!(tea.regular_price, Money::sen(1_999));
    assert_eq!(tea.member_price, Money::sen(10));
    let promotion = tea.promotion.unwrap();
    assert_eq!(promotion.price, Money::sen(29));
    assert_eq!(promotion.starts_at, Some(at("2026-11-27T16:00:00.123Z")));
    assert_eq!(promotion.ends_at, Some(at("2026-12-01T00:00:00Z")));
    assert_eq!(tea.updated_at, at("2026-11-27T08:30:15.5Z"));
    assert_eq!((tea.stock_quantity, tea.low_stock_at), (7, 12));
    assert!(tea.featured && tea.is_in_stock() && tea.is_low());
    let categories = tea
        .categories
        .iter()
        .map(|it| (it.id.as_str(), it.name.as_str()));
    let expected = [(DRINKS, "Drinks"), ("clx4kitchen", "Kitchen")];
    assert!(categories.eq(expected), "{:?}", tea.categories);
    let images = tea
        .images
        .iter()
        .map(|it| (it.url.as_str(), it.alt.as_str()));
    let expected = [
        ("/1", "Front"),
        ("/2", ""),
        ("/3", ""),
        ("/4", ""),
        ("/5", ""),
    ];
    assert!(images.eq(expected), "{:?}", tea.images);
    let variants = tea.variants.iter().map(|it| {
        let prices = (it.regular_price.amount, it.member_price.amount);
        (it.sku.as_str(), prices, it.stock_quantity)
    });
    let expected = [
        ("TEH-01-250", (2_500, 10), 0),
        ("TEH-01-500", (4_990, 4_505), 3),
    ];
    assert!(variants.eq(expected), "{:?}", tea.variants);

    let kettle = product(&store, KETTLE).await;
    assert_eq!(kettle.regular_price, Money::sen(9_999_999_999));
    assert_eq!((kettle.status, kettle.promotion), (Status::Draft, None));
    assert_eq!((kettle.description.as_str(), kettle.images.len()), ("", 0));
    // Larger numbers are others once JavaScript has read them.
    assert!((0..1 << 53).contains(&tea.version) && tea.version != kettle.version);
}

#[tokio::test]
async fn products_are_found_by_sku_and_slug() {
    let store = whole().await;
    let sources = store.database.sources();
    let skus = values(&*sources.skus, [parsed("CEREK"), parsed("TEH-01")]).await;
    let skus: Vec<&str> = skus.iter().map(|owner| owner.0.as_str()).collect();
    assert_eq!(skus, [KETTLE, TEA]);
    let slugs = values(&*sources.slugs, [parsed("teh-tarik")]).await;
    assert_eq!(slugs[0].0.as_str(), TEA);
}

#[tokio::test]
async fn every_status_of_the_storefront_has_one_of_ours() {
    let store = whole().await;
    for (theirs, ours, left) in [
        ("DRAFT", Status::Draft, 7),
        ("ACTIVE", Status::Active, 7),
        ("INACTIVE", Status::Inactive, 7),
        ("OUT_OF_STOCK", Status::Active, 0),
        ("DISCONTINUED", Status::Discontinued, 7),
    ] {
        let sql = format!("UPDATE products SET status = '{theirs}' WHERE sku = 'TEH-01'");
        store.server.psql(&sql).await.unwrap();
        let tea = product(&store, TEA).await;
        assert_eq!((tea.status, tea.stock_quantity), (ours, left), "{theirs}");
        assert_eq!(tea.is_in_stock(), left > 0, "{theirs}");
    }
}

#[tokio::test]
async fn a_promotion_counts_while_it_is_flagged() {
    let store = whole().await;
    let sql = r#"UPDATE products SET "isPromotional" = false WHERE sku = 'TEH-01'"#;
    store.server.psql(sql).await.unwrap();
    assert_eq!(product(&store, TEA).await.promotion, None);
}

#[tokio::test]
async fn postcodes_and_states_are_read() {
    let store = whole().await;
    let sources = store.database.sources();
    let places = values(&*sources.postcodes, ["47301", "93000", "87000"].map(parsed)).await;
    assert_eq!(places[0].cities, ["Kelana Jaya", "Petaling Jaya"]);
    assert_eq!(
        (places[0].state_code.as_str(), places[0].zone),
        ("SGR", Zone::West)
    );
    assert_eq!(
        (places[1].state_name.as_str(), places[1].zone),
        ("Sarawak", Zone::East)
    );
    assert_eq!(places[2].zone, Zone::East);
    let states = values(&*sources.states, [All]).await.remove(0).states;
    let codes: Vec<&str> = states.iter().map(|state| state.code.as_str()).collect();
    assert_eq!(codes, ["LBN", "SGR", "SWK"]);
    values(&*sources.postcode_index, [All]).await;
    let unknown = load(&*sources.postcodes, [parsed("00000")]).await.unwrap();
    assert!(matches!(unknown[0].found, Found::Absent));
}

pub(crate) const BUSY: &str = r#"
    INSERT INTO products (id, name, slug, sku, status, "regularPrice", "memberPrice", "createdAt", "updatedAt")
    VALUES
      ('a', 'Alpha', 'a', 'A', 'ACTIVE', 3.00, 3.00, '2026-01-01', now()),
      ('b', 'beta', 'b', 'B', 'OUT_OF_STOCK', 0.10, 0.10, '2026-01-02', now()),
      ('c', 'Gamma', 'c', 'C', 'ACTIVE', 99.90, 1.00, '2026-01-03', now()),
      ('d', 'Hidden', 'd', 'D', 'INACTIVE', 1.00, 1.00, '2026-01-04', now());
    UPDATE products SET "isPromotional" = true, "promotionalPrice" = 0.05,
      "promotionEndDate" = (now() + interval '1 hour') AT TIME ZONE 'UTC' WHERE id = 'c';
    UPDATE products SET "isPromotional" = false WHERE sku = 'TEH-01';
    INSERT INTO product_categories VALUES
      ('1', 'a', 'clx4kitchen'), ('2', 'b', 'clx4drinks0000208l45v9c3m'), ('3', 'd', 'clx4kitchen');
    INSERT INTO addresses (id, "userId", city, state, "postalCode") VALUES
      ('s', NULL, 'PJ', 'SGR', '47301'), ('u', 'user', 'Kuching', 'SWK', '93000'),
      ('x', 'user', 'Nowhere', 'SGR', '00000');
    INSERT INTO orders (id, "orderNumber", "shippingAddressId", "createdAt") VALUES
      ('o1', '1', 's', now() AT TIME ZONE 'UTC'), ('o2', '2', 's', '2001-01-01');
    INSERT INTO order_items VALUES ('1', 'o1', 'a', 5), ('2', 'o2', 'c', 5), ('3', 'o1', 'd', 1);
    INSERT INTO cart_items VALUES ('1', 'u', 'c', 1), ('2', 'v', 'c', 1), ('3', 'u', 'b', 1);
    INSERT INTO wishlist_items VALUES ('1', 'u', 'a'), ('2', 'v', 'clx4tea00000008l4h3yq2r7k');
"#;

pub(crate) async fn ids(store: &Served, text: &str) -> Vec<String> {
    let places = places(&page(&store.database, text).await).places;
    places
        .into_iter()
        .map(|place| place.3.to_string())
        .collect()
}

#[tokio::test]
async fn listings_categories_and_what_is_popular_are_the_storefronts() {
    let store = whole().await;
    store.server.psql(BUSY).await.unwrap();
    let database = &store.database;
    for inspection in database.inspect().await.unwrap() {
        assert_eq!(inspection.complaints, [], "{}", inspection.statement);
    }
    for (text, expected) in [
        ("sort=price", ["c", "b", "a", TEA].as_slice()),
        ("sort=-price", &[TEA, "a", "b", "c"]),
        ("sort=newest", &[TEA, "c", "b", "a"]),
        ("sort=name", &["a", "b", "c", TEA]),
        ("sort=popularity", &["c", "a", "b", TEA]),
        (&format!("category={DRINKS}&sort=price"), &["b", TEA]),
        ("category=clx4kitchen&sort=price", &["b", "a", TEA]),
        ("promoted=true&sort=price", &["c"]),
    ] {
        assert_eq!(ids(&store, text).await, expected, "{text}");
    }
    let price = page(database, "sort=price").await;
    assert!(price.changes_in.unwrap() <= std::time::Duration::from_hours(1));

    let tree = values(&*database.sources().categories, [All])
        .await
        .remove(0);
    let drinks = tree.find(&parsed(DRINKS)).unwrap();
    assert_eq!(drinks.parent_id.as_ref().unwrap().as_str(), "clx4kitchen");
    let counts = ["clx4kitchen", DRINKS, "none"].map(parsed);
    let counts = values(&*database.sources().category_counts, counts).await;
    assert_eq!(
        counts.iter().map(|count| count.0).collect::<Vec<_>>(),
        [3, 2, 0]
    );

    let top = async |entity| {
        let top = database.top(entity, 10).await.unwrap();
        let top = top.into_iter().map(|scored| (scored.key, scored.score));
        top.collect::<Vec<_>>()
    };
    let expected = [("a", 3 + 1), ("c", 2 + 2), (TEA, 1)];
    let expected = expected.map(|(key, score)| (key.to_owned(), score));
    // The newest first where equal.
    assert_eq!(
        top("product").await,
        [&expected[1..2], &expected[..1], &expected[2..]].concat()
    );
    let codes: Vec<String> = top("postcode")
        .await
        .into_iter()
        .map(|(key, _)| key)
        .collect();
    assert_eq!(codes, ["47301", "93000"]);
    store
        .server
        .psql("DELETE FROM orders; DELETE FROM addresses")
        .await
        .unwrap();
    let codes: Vec<String> = top("postcode")
        .await
        .into_iter()
        .map(|(key, _)| key)
        .collect();
    assert_eq!(codes, ["87000", "47301", "93000"]);
}

/// What the application does, and exactly the deps that it writes.
const RULE: &[(&str, &[&str])] = &[
    (
        r#"UPDATE products SET "stockQuantity" = 4 WHERE id = 'P'"#,
        &["product:P"],
    ),
    (
        r#"UPDATE products SET "lowStockAlert" = 4 WHERE id = 'P'"#,
        &["product:P"],
    ),
    (
        "UPDATE products SET description = 'x' WHERE id = 'P'",
        &["product:P"],
    ),
    (
        r#"UPDATE products SET "updatedAt" = '2027-01-01' WHERE id = 'P'"#,
        &["product:P"],
    ),
    (
        "UPDATE products SET weight = 2, barcode = '1' WHERE id = 'P'",
        &[],
    ),
    (
        r#"UPDATE products SET name = name, "regularPrice" = 2.0 WHERE id = 'P'"#,
        &[],
    ),
    (
        r#"UPDATE products SET "regularPrice" = 2.01 WHERE id = 'P'"#,
        &["product:P", "products.list"],
    ),
    (
        r#"UPDATE products SET "memberPrice" = 0.5 WHERE id = 'P'"#,
        &["product:P", "products.list"],
    ),
    (
        r#"UPDATE products SET "promotionalPrice" = 1 WHERE id = 'P'"#,
        &["product:P", "products.list"],
    ),
    (
        r#"UPDATE products SET "promotionEndDate" = '2027-01-01' WHERE id = 'P'"#,
        &["product:P", "products.list"],
    ),
    (
        r#"UPDATE products SET "isPromotional" = true WHERE id = 'P'"#,
        &["product:P", "products.list"],
    ),
    (
        "UPDATE products SET status = 'DRAFT' WHERE id = 'P'",
        &["product:P", "products.list"],
    ),
    (
        "UPDATE products SET featured = true WHERE id = 'P'",
        &["product:P", "products.list"],
    ),
    (
        "UPDATE products SET name = 'x' WHERE id = 'P'",
        &["product:P", "products.list"],
    ),
    (
        "UPDATE products SET sku = 'S9' WHERE id = 'P'",
        &["product.sku:S1", "product.sku:S9", "product:P"],
    ),
    (
        "UPDATE products SET slug = 's-9' WHERE id = 'P'",
        &["product.slug:s-1", "product.slug:s-9", "product:P"],
    ),
    // Two products exchange what they are found by.
    (
        "UPDATE products SET sku = CASE sku WHEN 'S2' THEN 'S3' ELSE 'S2' END WHERE id IN ('Q', 'R')",
        &["product.sku:S2", "product.sku:S3", "product:Q", "product:R"],
    ),
    (
        "UPDATE products SET id = 'X' WHERE id = 'Q'",
        &[
            "product.sku:S2",
            "product.slug:s-2",
            "product:Q",
            "product:X",
            "products.list",
        ],
    ),
    (
        r#"INSERT INTO products (id, name, slug, sku, "regularPrice", "memberPrice", "updatedAt")
           VALUES ('T', 'T', 's-4', 'S4', 1, 1, now())"#,
        &[
            "product.sku:S4",
            "product.slug:s-4",
            "product:T",
            "products.list",
        ],
    ),
    (
        "DELETE FROM products WHERE id = 'P'",
        &[
            "category.members:A",
            "product.sku:S1",
            "product.sku:VS",
            "product.slug:s-1",
            "product:P",
            "products.list",
        ],
    ),
    (
        r#"UPDATE product_categories SET "categoryId" = 'B' WHERE "productId" = 'P'"#,
        &["category.members:A", "category.members:B", "product:P"],
    ),
    (
        r#"DELETE FROM product_categories WHERE "productId" = 'P'"#,
        &["category.members:A", "product:P"],
    ),
    (
        "UPDATE categories SET name = 'x' WHERE id = 'A'",
        &["categories.tree", "category:A"],
    ),
    (
        r#"UPDATE categories SET "parentId" = 'B' WHERE id = 'A'"#,
        &["categories.tree", "category:A"],
    ),
    ("UPDATE categories SET image = 'x' WHERE id = 'A'", &[]),
    (
        "DELETE FROM categories WHERE id = 'A'",
        &[
            "categories.tree",
            "category.members:A",
            "category:A",
            "product:P",
        ],
    ),
    (
        r#"UPDATE product_images SET "sortOrder" = 9 WHERE id = 'I'"#,
        &["product:P"],
    ),
    (
        r#"UPDATE product_images SET "isPrimary" = true WHERE id = 'I'"#,
        &[],
    ),
    (
        r#"UPDATE product_images SET "productId" = 'Q' WHERE id = 'I'"#,
        &["product:P", "product:Q"],
    ),
    ("DELETE FROM product_images WHERE id = 'I'", &["product:P"]),
    (
        r#"UPDATE product_variants SET "stockQuantity" = 9 WHERE id = 'V'"#,
        &["product:P"],
    ),
    (
        r#"UPDATE product_variants SET "memberPrice" = 0.1 WHERE id = 'V'"#,
        &["product:P"],
    ),
    (
        "UPDATE malaysian_postcodes SET district = 'x' WHERE id = 'K'",
        &["postcode:99999", "postcodes.list"],
    ),
    (
        "UPDATE malaysian_postcodes SET postcode = '99998' WHERE id = 'K'",
        &["postcode:99998", "postcode:99999", "postcodes.list"],
    ),
    (
        "UPDATE malaysian_states SET name = 'x' WHERE id = 'ZZZ'",
        &["state:ZZZ"],
    ),
    (
        "INSERT INTO malaysian_states VALUES ('YYY', 'Y')",
        &["state:YYY", "states.list"],
    ),
    ("TRUNCATE product_images", &["product.*"]),
    (
        "TRUNCATE malaysian_postcodes",
        &["postcode.*", "postcodes.list"],
    ),
    (
        "TRUNCATE categories CASCADE",
        &[
            "categories.tree",
            "category.*",
            "product.*",
            "products.list",
        ],
    ),
    // What no entry shows.
    (
        r#"INSERT INTO cart_items (id, "userId", "productId", quantity) VALUES ('1', 'u', 'P', 1)"#,
        &[],
    ),
    (
        r#"INSERT INTO order_items (id, "orderId", "productId", quantity) VALUES ('1', 'clx4o1', 'P', 1)"#,
        &[],
    ),
];

const RULE_ROWS: &str = r#"
    INSERT INTO malaysian_states VALUES ('ZZZ', 'Z');
    INSERT INTO malaysian_postcodes VALUES ('K', '99999', 'D', 'ZZZ');
    INSERT INTO categories (id, name, slug) VALUES ('A', 'A', 'a'), ('B', 'B', 'b');
    INSERT INTO products (id, name, slug, sku, status, "regularPrice", "memberPrice", "updatedAt") VALUES
      ('P', 'P', 's-1', 'S1', 'ACTIVE', 2, 1, '2026-01-01'), ('Q', 'Q', 's-2', 'S2', 'ACTIVE', 2, 1, '2026-01-01'),
      ('R', 'R', 's-3', 'S3', 'ACTIVE', 2, 1, '2026-01-01');
    INSERT INTO product_categories VALUES ('M', 'P', 'A');
    INSERT INTO product_images (id, "productId", url) VALUES ('I', 'P', '/1');
    INSERT INTO product_variants VALUES ('V', 'P', 'size', 'S', 'VS', 2, 1, 5);
"#;

#[tokio::test]
async fn every_statement_writes_the_deps_of_the_rule_and_no_others() {
    let store = whole().await;
    // A unique index would refuse an exchange before it is complete.
    let sql = r#"DROP INDEX "products_sku_key""#;
    store
        .server
        .psql(&format!("{RULE_ROWS}{sql}"))
        .await
        .unwrap();
    let mut wrong = Vec::new();
    for (statement, expected) in RULE {
        let found = written(&store, statement).await;
        if found != *expected {
            wrong.push(format!(
                "{statement}\n  expected {expected:?}\n  found    {found:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_statement_of_more_than_ten_thousand_rows_writes_the_entity_alone() {
    let store = whole().await;
    let many = r#"INSERT INTO products (id, name, slug, sku, "regularPrice", "memberPrice", "updatedAt")
        SELECT 'm' || n, 'M', 'm-' || n, 'M' || n, 1, 1, now() FROM generate_series(1, 10001) AS n"#;
    let entity = [
        "product.*",
        "product.sku.*",
        "product.slug.*",
        "products.list",
    ];
    assert_eq!(written(&store, many).await, entity);
    store.server.psql(many).await.unwrap();
    let update = r#"UPDATE products SET "stockQuantity" = 1 WHERE id LIKE 'm%'"#;
    assert_eq!(written(&store, update).await, entity);
}

#[tokio::test]
async fn the_log_is_installed_checked_rehearsed_and_removed_without_a_trace() {
    let store = filled().await;
    let database = &store.database;
    assert_eq!(database.coherence().await.unwrap(), Coherence::Missing);
    let installed = install_changes(database).await.unwrap();
    assert_eq!(installed.changed, TABLES);
    assert_eq!(database.coherence().await.unwrap(), Coherence::Whole);
    assert_eq!(install_changes(database).await.unwrap().unchanged, TABLES);
    let report = database.check_triggers().await.unwrap();
    assert_eq!((report.watched.len(), report.missing.len()), (7, 0));

    let mut node = Poller::new(database).await;
    let rehearsals = database.rehearse().await.unwrap();
    assert_eq!(rehearsals.len(), 38);
    for rehearsal in rehearsals {
        assert_eq!(rehearsal.verdict, Verdict::Passed, "{}", rehearsal.name);
    }
    assert_eq!(node.news().await, [""; 0]);
    for inspection in database.inspect().await.unwrap() {
        assert_eq!(inspection.complaints, [], "{}", inspection.statement);
    }

    assert_eq!(uninstall_changes(database).await.unwrap().changed, TABLES);
    let traces = "SELECT (SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'tingkat%') || ' ' ||
        (SELECT count(*) FROM pg_namespace WHERE nspname = 'tingkat')";
    assert_eq!(store.server.psql(traces).await.unwrap(), "0 0");
    let sql = changes_sql(Preset::Prisma);
    store.server.psql(&sql).await.unwrap();
    assert_eq!(database.coherence().await.unwrap(), Coherence::Whole);
    let sql = changes_drop_sql(&Queries::of(Preset::Prisma));
    store.server.psql(&sql).await.unwrap();
    assert_eq!(store.server.psql(traces).await.unwrap(), "0 0");
}

/// A trigger that reports something else is found here as well.
#[tokio::test]
async fn a_trigger_that_writes_something_else_fails_the_rehearsal() {
    let store = whole().await;
    let sql = "CREATE OR REPLACE FUNCTION tingkat.product_images_changed() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN PERFORM tingkat.forget(ARRAY[''other'']); RETURN NULL; END'";
    store.server.psql(sql).await.unwrap();
    let rehearsals = store.database.rehearse().await.unwrap();
    let failed = rehearsals.iter().filter(|it| it.verdict != Verdict::Passed);
    let failed: Vec<&str> = failed.map(|it| it.name.as_str()).collect();
    let expected = [
        "product_images",
        "product_images (INSERT)",
        "product_images (UPDATE)",
        "product_images (DELETE)",
        "product_images (TRUNCATE)",
    ];
    assert_eq!(failed, expected);
}

#[tokio::test]
async fn writes_are_exact_and_versions_are_what_was_shown() {
    let store = whole().await;
    let writer = store.database.product_writer();
    let write = async |patch: ProductPatch| writer.write(&parsed(TEA), &patch).await;
    let before = product(&store, TEA).await;
    for (regular, member) in [
        (9_999_999_999, 9_999_999_999),
        (1_999, 10),
        (30, 29),
        (0, 0),
    ] {
        let prices = (Money::sen(regular), Money::sen(member));
        let patch = ProductPatch::set_price(Some(prices.0), Some(prices.1));
        let saved = write(patch).await.unwrap();
        let after = product(&store, TEA).await;
        assert_eq!((after.regular_price, after.member_price), prices);
        assert_eq!(
            (after.version, after.updated_at),
            (saved.version, saved.updated_at)
        );
        let column = r#"SELECT "regularPrice" FROM products WHERE sku = 'TEH-01'"#;
        let text = format!("{}.{:02}", regular / 100, regular % 100);
        assert_eq!(store.server.psql(column).await.unwrap(), text);
        let names = saved.changes.iter().map(|change| change.dep.name());
        let expected = [format!("product:{TEA}"), "products.list".to_owned()];
        assert!(
            names.eq(expected.iter().map(String::as_str)),
            "{:?}",
            saved.changes
        );
    }
    let now = product(&store, TEA).await;
    let stale = write(ProductPatch::set_stock(1).if_version(before.version)).await;
    let current = now.version;
    assert_eq!(stale.unwrap_err().kind(), Kind::Conflict { current });
    let saved = write(ProductPatch::adjust_stock(-7).if_version(current))
        .await
        .unwrap();
    let after = product(&store, TEA).await;
    assert_eq!((after.stock_quantity, after.version), (0, saved.version));
    assert_ne!(after.version, current);

    let none_left = write(ProductPatch::adjust_stock(-1)).await.unwrap_err();
    assert_eq!(none_left.kind(), Kind::StockOutOfRange { stock: 0 });
    let (sen, above) = (Money::sen(10_000_000_000), Some(Money::sen(1)));
    for (patch, kind) in [
        (ProductPatch::set_price(Some(sen), None), Kind::Refused),
        (
            ProductPatch::set_price(None, above),
            Kind::MemberAboveRegular,
        ),
        (ProductPatch::set_stock(3_000_000_000), Kind::Refused),
        (ProductPatch::adjust_stock(3_000_000_000), Kind::Refused),
    ] {
        assert_eq!(write(patch).await.unwrap_err().kind(), kind, "{patch:?}");
    }
    assert_eq!(product(&store, TEA).await, after);
    let (nobody, patch) = (parsed("clx4nobody"), ProductPatch::set_stock(1));
    let written = writer.write(&nobody, &patch).await;
    assert_eq!(written.unwrap_err().kind(), Kind::Unknown);
}

/// The version is made in three statements; a column that only one of them reads would make every
/// versioned write a conflict.
#[tokio::test]
async fn every_column_that_a_version_is_made_of_changes_it() {
    let store = whole().await;
    let mut seen = vec![product(&store, TEA).await.version];
    for change in [
        "name = 'x'",
        "description = NULL",
        r#""shortDescription" = 'x'"#,
        "status = 'INACTIVE'",
        r#""regularPrice" = 20"#,
        r#""memberPrice" = 1"#,
        r#""promotionalPrice" = 0.28"#,
        r#""promotionStartDate" = NULL"#,
        r#""promotionEndDate" = NULL"#,
        r#""isPromotional" = false"#,
        r#""stockQuantity" = 1"#,
        r#""lowStockAlert" = 1"#,
        "featured = false",
        "sku = 'x'",
        "slug = 'x'",
        r#""updatedAt" = now()"#,
    ] {
        let sql = format!("UPDATE products SET {change} WHERE id = '{TEA}'");
        store.server.psql(&sql).await.unwrap();
        let version = product(&store, TEA).await.version;
        assert!(!seen.contains(&version), "{change}");
        seen.push(version);
    }
    let sql = format!("UPDATE products SET weight = 3 WHERE id = '{TEA}'");
    store.server.psql(&sql).await.unwrap();
    let version = product(&store, TEA).await.version;
    assert_eq!(seen.last(), Some(&version));
    let patch = ProductPatch::set_stock(3).if_version(version);
    let writer = store.database.product_writer();
    writer.write(&parsed(TEA), &patch).await.unwrap();
}

#[tokio::test]
async fn the_tables_of_another_store_are_missed_by_name() {
    let store = Served::empty().await;
    let database = crate::stores::open_with(&store.server.url(), Queries::of(Preset::Prisma)).await;
    install_demo(&store.database).await.unwrap();
    let missing = database.check().await.unwrap_err().to_string();
    assert!(
        missing.contains("no table categories, malaysian_postcodes,"),
        "{missing}"
    );
    let refused = install_changes(&database).await.unwrap_err().to_string();
    assert!(refused.contains("source.preset"), "{refused}");
}
