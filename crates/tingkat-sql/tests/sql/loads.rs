//! What a load makes of rows that are not as the demo store's.

use std::path::Path;

use tingkat::certificate::Dep;
use tingkat::error::Recovery;
use tingkat::ports::Found;
use tingkat_shop::product::{Product, Status};

use crate::stores::{Embedded, load, parsed, values};

#[tokio::test]
async fn answers_are_in_the_order_of_the_keys_and_repeat_with_them() {
    let store = Embedded::new().await;
    let ids = ["7", "nothing", "3", "7"].map(parsed);
    let found = load(&*store.database.sources().products, ids)
        .await
        .unwrap();
    let ids: Vec<Option<String>> = found
        .into_iter()
        .map(|loaded| {
            if let Found::Value(product) = loaded.found {
                Some(product.id.to_string())
            } else {
                None
            }
        })
        .collect();
    let expected = [Some("7"), None, Some("3"), Some("7")];
    assert_eq!(ids, expected.map(|id| id.map(ToOwned::to_owned)));
}

#[tokio::test]
async fn a_draft_is_loaded_like_any_row() {
    let store = Embedded::new().await;
    store
        .run("UPDATE product SET status = 'draft' WHERE id = '7'")
        .await;
    let product = values(&*store.database.sources().products, [parsed("7")])
        .await
        .remove(0);
    assert_eq!(product.status, Status::Draft);
}

#[tokio::test]
async fn at_most_five_images_are_loaded_in_their_order() {
    let store = Embedded::new().await;
    store
        .run(
            "DELETE FROM product_image WHERE product_id = '7';
             INSERT INTO product_image (product_id, position, url)
             SELECT '7', value, 'image-' || value
             FROM json_each('[30, 5, 25, 0, 10, 35, 20, 15]');",
        )
        .await;
    let product = values(&*store.database.sources().products, [parsed("7")])
        .await
        .remove(0);
    let urls: Vec<&str> = product
        .images
        .iter()
        .map(|image| image.url.as_str())
        .collect();
    assert_eq!(
        urls,
        ["image-0", "image-5", "image-10", "image-15", "image-20"]
    );
}

#[tokio::test]
async fn a_hidden_category_is_not_shown_and_yet_a_dep() {
    let store = Embedded::new().await;
    let products = store.database.sources().products;
    let before = values(&*products, [parsed("7")]).await.remove(0);
    let hidden = before.categories[0].id.clone();
    store
        .run(
            "UPDATE category SET active = 0 WHERE id IN
             (SELECT category_id FROM product_category WHERE product_id = '7')",
        )
        .await;
    let loaded = load(&*products, [parsed("7")]).await.unwrap().remove(0);
    let Found::Value(after) = loaded.found else {
        panic!("the product is gone")
    };
    assert!(after.categories.is_empty());
    assert!(loaded.deps.contains(&Dep::of_key("category", &hidden)));
}

#[tokio::test]
async fn a_row_that_is_no_product_fails_alone_and_for_good() {
    let store = Embedded::new().await;
    store
        .run("UPDATE product SET status = 'archived' WHERE id = '7'")
        .await;
    let found = load(&*store.database.sources().products, ["7", "8"].map(parsed))
        .await
        .unwrap();
    let Found::Failed(error) = &found[0].found else {
        panic!("archived is no status")
    };
    assert_eq!(error.recovery(), Recovery::GiveUp);
    assert_eq!(
        error.to_string(),
        "product_load.sql: column `status` has the unknown value \"archived\""
    );
    assert!(matches!(&found[1].found, Found::Value(Product { .. })));
}

#[tokio::test]
async fn a_missing_table_may_come_back() {
    let store = Embedded::new().await;
    store
        .run("ALTER TABLE product_variant RENAME TO elsewhere")
        .await;
    let error = load(&*store.database.sources().products, [parsed("7")])
        .await
        .unwrap_err();
    assert_eq!(error.recovery(), Recovery::Retry);
    let error = store.database.check().await.unwrap_err().to_string();
    assert!(
        error.starts_with("the database has no table product_variant: run `tingkat"),
        "{error}"
    );
}

/// A load of a few keys must not read whole tables.
#[tokio::test]
async fn loads_search_and_never_scan() {
    let store = Embedded::new().await;
    let queries = Path::new(env!("CARGO_MANIFEST_DIR")).join("queries/sqlite");
    for name in [
        "product_load",
        "product_sku_load",
        "product_slug_load",
        "postcode_load",
    ] {
        let sql = std::fs::read_to_string(queries.join(format!("{name}.sql"))).unwrap();
        let plan = store.plan(&sql).await;
        assert!(
            plan.iter().any(|step| step.starts_with("SEARCH")),
            "{name}: {plan:#?}"
        );
        let scans: Vec<&String> = plan
            .iter()
            .filter(|step| step.starts_with("SCAN"))
            .filter(|step| {
                // What the statement itself has gathered by searching.
                let is_gathered = |name| step.split(' ').nth(1) == Some(name);
                !["wanted", "image", "member", "above", "way"]
                    .into_iter()
                    .any(is_gathered)
            })
            .collect();
        assert!(scans.is_empty(), "{name}: {plan:#?}");
    }
}
