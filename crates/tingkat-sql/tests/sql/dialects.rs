//! SQLite and PostgreSQL give the same answers.

use tingkat_shop::All;
use tingkat_shop::product::{Product, ProductId};
use tingkat_sql::Database;

use crate::stores::{Embedded, Served, csv, load, parsed, values};

#[tokio::test]
async fn the_demo_store_is_the_same_in_both_dialects() {
    let (embedded, served) = (Embedded::new().await, Served::new().await);
    let (one, other) = (embedded.database.sources(), served.database.sources());

    let ids = || (1..=1_958).map(|number: u32| parsed::<ProductId>(&number.to_string()));
    let products = values(&*one.products, ids()).await;
    assert_eq!(products, values(&*other.products, ids()).await);
    assert_eq!(products.len(), 1_958);

    let skus = || products.iter().map(|product| product.sku.clone());
    assert_eq!(
        values(&*one.skus, skus()).await,
        values(&*other.skus, skus()).await
    );
    let slugs = || products.iter().map(|product| product.slug.clone());
    assert_eq!(
        values(&*one.slugs, slugs()).await,
        values(&*other.slugs, slugs()).await
    );

    let codes = || csv("postcodes.csv").into_iter().map(|row| parsed(&row[0]));
    let postcodes = values(&*one.postcodes, codes()).await;
    assert_eq!(postcodes, values(&*other.postcodes, codes()).await);
    assert_eq!(postcodes.len(), 3_028);

    assert_eq!(
        values(&*one.states, [All]).await,
        values(&*other.states, [All]).await
    );
}

/// What a real store has and the demo store has not.
const ODD_ROWS: &str = r#"
    INSERT INTO category (id, slug, name) VALUES
      ('z1', 'lower', 'apple'), ('z2', 'upper', 'Zebra'), ('z3', 'quotes', '"Quotes" & \backslash'),
      ('z4', 'same-a', 'Same'), ('z5', 'same-b', 'Same'), ('z6', 'accent', 'Éclair');
    INSERT INTO product (id, sku, slug, name, description, status, currency, regular_price,
      member_price, stock_quantity) VALUES
      ('odd-1', 'O''Brien "x" \', 'odd-1', 'Kek lapis 千层 🍰', '', 'draft', 'SGD', 0, 0, 0),
      ('odd-2', ' padded ', 'odd-2', 'Half a promotion', 'a' || '	' || 'b', 'discontinued', 'MYR',
       9007199254740993, 9007199254740993, 5000000000);
    UPDATE product SET promotional_price = 1 WHERE id = 'odd-2';
    INSERT INTO product_category (product_id, category_id) VALUES
      ('odd-1', 'z1'), ('odd-1', 'z2'), ('odd-1', 'z3'), ('odd-1', 'z4'), ('odd-1', 'z5'), ('odd-1', 'z6');
    INSERT INTO product_image (product_id, position, url) VALUES
      ('odd-1', 9, '/i9'), ('odd-1', 1, '/i1'), ('odd-1', 30, '/i30'), ('odd-1', 4, '/i4'),
      ('odd-1', 5, '/i5'), ('odd-1', 6, '/i6');
    INSERT INTO product_variant (sku, product_id, name, value, regular_price, member_price) VALUES
      ('b', 'odd-1', 'size', 'b', 9007199254740993, 1), ('B', 'odd-1', 'size', 'B', 2, 1),
      ('_', 'odd-1', 'size', '_', 2, 1), ('é', 'odd-1', 'size', 'é', 2, 1), ('a', 'odd-1', 'size', 'a', 2, 1);
"#;

#[tokio::test]
async fn odd_rows_are_the_same_in_both_dialects() {
    let (embedded, served) = (Embedded::new().await, Served::new().await);
    embedded.run(ODD_ROWS).await;
    served.server.psql(ODD_ROWS).await.unwrap();
    // As in a database with a human language's order.
    let ordered = "ALTER TABLE category ALTER COLUMN name TYPE text COLLATE \"en-x-icu\";
                   ALTER TABLE product_variant ALTER COLUMN sku TYPE text COLLATE \"en-x-icu\"";
    served.server.psql(ordered).await.unwrap();
    let mut answers = Vec::new();
    for database in [&embedded.database, &served.database] {
        answers.push(odd_products(database).await);
    }
    assert_eq!(answers[0], answers[1]);
    let odd = &answers[0][0];
    let categories: Vec<&str> = odd
        .categories
        .iter()
        .map(|category| category.name.as_str())
        .collect();
    let expected = [
        "\"Quotes\" & \\backslash",
        "Same",
        "Same",
        "Zebra",
        "apple",
        "Éclair",
    ];
    assert_eq!(categories, expected);
    let variants: Vec<&str> = odd
        .variants
        .iter()
        .map(|variant| variant.sku.as_str())
        .collect();
    assert_eq!(variants, ["B", "_", "a", "b", "é"]);
    let images: Vec<&str> = odd.images.iter().map(|image| image.url.as_str()).collect();
    assert_eq!(images, ["/i1", "/i4", "/i5", "/i6", "/i9"]);
    assert_eq!(odd.name, "Kek lapis 千层 🍰");
    assert_eq!(odd.variants[3].regular_price.amount, 9_007_199_254_740_993);
    let half = &answers[0][1];
    assert_eq!(half.regular_price.amount, 9_007_199_254_740_993);
    assert!(
        half.promotion
            .is_some_and(|promotion| promotion.starts_at.is_none())
    );
}

/// By id and by sku; the time of the update is each database's own.
async fn odd_products(database: &Database) -> Vec<Product> {
    let sources = database.sources();
    let skus = ["O'Brien \"x\" \\", " padded "].map(parsed);
    let owners = values(&*sources.skus, skus).await;
    let ids = owners.into_iter().map(|owner| owner.0);
    let mut products = values(&*sources.products, ids).await;
    let epoch = jiff::Timestamp::UNIX_EPOCH;
    for product in &mut products {
        assert!(product.updated_at > epoch);
        product.updated_at = epoch;
    }
    products
}

#[tokio::test]
async fn hostile_keys_find_nothing_and_break_nothing() {
    let (embedded, served) = (Embedded::new().await, Served::new().await);
    for database in [&embedded.database, &served.database] {
        let hostile = [
            "'; DROP TABLE product; --",
            "\"",
            "\\",
            "{1,2}",
            "NULL",
            "%",
            "🍰",
            " 85123A",
        ];
        let found = load(&*database.sources().skus, hostile.map(parsed))
            .await
            .unwrap();
        assert!(
            found
                .iter()
                .all(|loaded| matches!(loaded.found, tingkat::ports::Found::Absent))
        );
        database.check().await.unwrap();
    }
}
