//! What operators want to know, in both dialects and the other preset.

use tingkat_shop::Facts as _;
use tingkat_sql::Database;

use crate::stores::{Embedded, Served, prisma};

async fn facts(database: &Database) -> Vec<(String, u64)> {
    let facts = database.facts().await.unwrap().into_iter();
    let facts = facts.inspect(|fact| assert_eq!(fact.entity, "product"));
    facts.map(|fact| (fact.name, fact.value)).collect()
}

fn of(facts: &[(String, u64)], name: &str) -> u64 {
    facts.iter().find(|(known, _)| known == name).unwrap().1
}

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
    let facts = facts(&store.database).await;
    let names: Vec<&str> = facts.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["active", "low_stock", "promotions_about_to_end"]);
    assert!(of(&facts, "active") > 0, "{facts:?}");
}
