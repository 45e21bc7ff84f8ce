//! What operators want to know, in both dialects and the other preset.

use tingkat_shop::Facts as _;
use tingkat_sql::{Database, install_changes};

use crate::stores::{Embedded, Served, prisma};

async fn facts(database: &Database) -> Vec<(String, u64)> {
    let facts = database.facts().await.unwrap().into_iter();
    let facts = facts.inspect(|fact| assert_eq!(fact.entity, "product"));
    facts.map(|fact| (fact.name, fact.value)).collect()
}

fn of(facts: &[(String, u64)], name: &str) -> u64 {
    facts.iter().find(|(known, _)| known == name).unwrap().1
}

/// Three products on sale, of which one is out of stock and one has a promotion that is about to end.
const FEW: &str = r#"
    INSERT INTO products (id, name, slug, sku, status, "regularPrice", "memberPrice", "updatedAt",
      "stockQuantity", "lowStockAlert")
    VALUES
      ('a', 'a', 'a', 'A', 'ACTIVE', 3, 3, now(), 50, 10),
      ('b', 'b', 'b', 'B', 'OUT_OF_STOCK', 3, 3, now(), 0, 10),
      ('c', 'c', 'c', 'C', 'ACTIVE', 3, 3, now(), 50, 10),
      ('d', 'd', 'd', 'D', 'INACTIVE', 3, 3, now(), 0, 10);
    UPDATE products SET "isPromotional" = true, "promotionalPrice" = 1,
      "promotionEndDate" = (now() + interval '30 minutes') AT TIME ZONE 'UTC' WHERE id = 'c';
    UPDATE products SET "isPromotional" = true, "promotionalPrice" = 1,
      "promotionEndDate" = (now() + interval '3 hours') AT TIME ZONE 'UTC' WHERE id = 'a';
"#;

#[tokio::test]
async fn what_is_on_sale_runs_low_and_ends_soon_is_counted_alike_in_both_dialects() {
    let (embedded, served) = (Embedded::new().await, Served::new().await);
    let before = facts(&embedded.database).await;
    assert_eq!(before, facts(&served.database).await);
    assert_eq!(before.len(), 3);
    assert!(of(&before, "active") > 1_000, "{before:?}");
    for sql in [
        "UPDATE product SET status = 'active', stock_quantity = 1000, low_stock_at = 5",
        "UPDATE product SET stock_quantity = 5 WHERE id IN ('1', '2')",
        "UPDATE product SET status = 'inactive' WHERE id = '2'",
    ] {
        embedded.run(sql).await;
        served.server.psql(sql).await.unwrap();
    }
    // Half an hour is about to end, two hours are not, and what ended has ended.
    for (id, minutes) in [("3", 30), ("4", 120), ("5", -5)] {
        let change = "UPDATE product SET promotional_price = 1, promotion_starts_at = NULL, promotion_ends_at =";
        let micros = i64::from(minutes) * 60 * 1_000_000;
        let embedded_end = format!("CAST(unixepoch('subsec') * 1000 AS integer) * 1000 + {micros}");
        embedded
            .run(&format!("{change} {embedded_end} WHERE id = '{id}'"))
            .await;
        let served_end = format!("now() + {minutes} * interval '1 minute'");
        let change = format!("{change} {served_end} WHERE id = '{id}'");
        served.server.psql(&change).await.unwrap();
    }
    let after = facts(&embedded.database).await;
    assert_eq!(after, facts(&served.database).await);
    assert_eq!(of(&after, "low_stock"), 1);
    let ending = |facts: &[(String, u64)]| of(facts, "promotions_about_to_end");
    assert_eq!(ending(&after), ending(&before) + 1);
}

#[tokio::test]
async fn the_tables_of_a_storefront_have_the_same_facts() {
    let store = prisma().await;
    install_changes(&store.database).await.unwrap();
    store.server.psql(FEW).await.unwrap();
    let told = facts(&store.database).await;
    let told: Vec<(&str, u64)> = told.iter().map(|(name, n)| (name.as_str(), *n)).collect();
    assert_eq!(
        told,
        [
            ("active", 3),
            ("low_stock", 1),
            ("promotions_about_to_end", 1)
        ]
    );
}
