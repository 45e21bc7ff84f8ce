//! What is asked past the service: alike in both dialects and the other preset.

use std::path::Path;

use jiff::Timestamp;
use serde_json::json;
use tingkat_shop::product::{Product, ProductId};
use tingkat_sql::{CheckErrorKind, Database, Preset, Probe, Queries};

use crate::prisma::whole;
use crate::stores::{Embedded, Served, open_with, parsed, values};

/// Of whatever is on sale; a preset may have members of its own making.
async fn shows_what_is_loaded(database: &Database, probe: &Probe) {
    let rows = probe.products(&[], 100_000).await.unwrap();
    let ids = rows.iter().map(|row| parsed::<ProductId>(&row.id));
    let products: Vec<Product> = values(&*database.sources().products, ids).await;
    assert_eq!(products.len(), rows.len());
    let mut variants = 0;
    for (row, product) in rows.iter().zip(products) {
        let loaded = serde_json::to_value(&product).unwrap();
        for (name, stored) in row.shows.as_object().unwrap() {
            let expected = match name.as_str() {
                "promotional_price" => json!(product.promotion.map(|it| it.price)),
                "promotion" => json!(product.promotion.map(|it| json!({
                    "starts_at": it.starts_at.map(Timestamp::as_microsecond),
                    "ends_at": it.ends_at.map(Timestamp::as_microsecond),
                }))),
                "updated_at" => json!(product.updated_at.as_microsecond()),
                "in_stock" => json!(product.is_in_stock()),
                "low_stock" => json!(product.is_low()),
                name => loaded[name].clone(),
            };
            assert_eq!(*stored, expected, "{name} of {}", row.id);
        }
        variants += product.variants.len();
    }
    assert!(variants > 0, "no product has a variant");
    let categories = probe.categories(100_000).await.unwrap();
    let mut members = 0;
    for category in categories {
        let ids = probe.members(&category.id).await.unwrap();
        assert!(ids.iter().all(|id| rows.iter().any(|row| row.id == *id)));
        members += ids.len();
    }
    assert!(members > 0, "no category has a product");
}

async fn answers(database: Database, is_served: bool) {
    let probe = Probe::new(database.clone());
    let some = probe.products(&[], 5).await.unwrap();
    assert!(!some.is_empty() && some.len() <= 5, "{some:?}");
    let first = some[0].clone();
    let again = probe
        .products(std::slice::from_ref(&first.id), 1)
        .await
        .unwrap();
    assert_eq!(again, [first]);
    shows_what_is_loaded(&database, &probe).await;
    let postcode = probe.postcodes(5).await.unwrap().swap_remove(0);
    assert!(!postcode.cities.is_empty());
    assert!(!probe.categories(5).await.unwrap()[0].name.is_empty());
    assert_eq!(probe.wrong_tables().await.unwrap(), [""; 0]);
    assert_eq!(probe.wrong_log().await.unwrap(), [""; 0]);

    let id = "tingkat-verify-probe-0";
    let before = probe.next_position().await.unwrap();
    assert!(probe.create_product(id).await.unwrap());
    assert!(probe.next_position().await.unwrap() > before);
    assert!(probe.changes_of(&format!("product:{id}")).await.unwrap() > 0);
    assert_eq!(probe.changes_of("product:nowhere").await.unwrap(), 0);
    assert!(probe.set_stock(id, 12).await.unwrap());
    assert!(!probe.set_stock("nowhere", 12).await.unwrap());
    let scratch = probe.products(&[id.to_owned()], 1).await.unwrap();
    assert_eq!(
        (scratch[0].stock_quantity, scratch[0].regular_price),
        (12, 500)
    );
    assert_eq!(scratch[0].member_price, 450);
    let told = async || {
        let changes = probe.changes_of(&format!("product:{id}")).await;
        changes.unwrap()
    };
    let before = told().await;
    let named = [id.to_owned(), "nowhere".to_owned()];
    let imported = probe.import(&named).await.unwrap();
    assert_eq!(imported.len(), 1, "{imported:?}");
    assert_eq!(imported[0].0, id);
    assert!(told().await > before, "its triggers tell of it");
    let after = probe.products(&named, 1).await.unwrap();
    assert_eq!(after[0].stock_quantity, 12, "nothing of it differs");
    let on_sale = probe.products(&[], 100_000).await.unwrap();
    assert!(on_sale.iter().all(|it| it.id != id), "it is on sale");
    assert_eq!(
        probe
            .remove_products("tingkat-verify-other-")
            .await
            .unwrap(),
        0
    );
    assert_eq!(
        probe
            .remove_products("tingkat-verify-probe-")
            .await
            .unwrap(),
        1
    );
    assert!(
        probe
            .products(&[id.to_owned()], 1)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(probe.compact().await.unwrap());
    let codes = [postcode.code.clone(), "00001".to_owned()];
    let among = probe.postcodes_among(&codes).await.unwrap();
    assert_eq!(among, [postcode.code]);
    let rehearsed = probe.rehearse().await.unwrap();
    assert_eq!(rehearsed.is_some(), is_served);
    if let Some(rehearsed) = rehearsed {
        assert!(rehearsed.tried > 0);
        assert_eq!(rehearsed.wrong, [""; 0]);
        assert_eq!(rehearsed.refused, [""; 0]);
    }
}

#[tokio::test]
async fn an_embedded_store_answers() {
    let store = Embedded::new().await;
    answers(store.open_again().await, false).await;
}

#[tokio::test]
async fn a_served_store_answers() {
    let store = Served::new().await;
    answers(store.database.clone(), true).await;
}

#[tokio::test]
async fn the_tables_of_a_storefront_answer() {
    let store = whole().await;
    answers(store.database.clone(), true).await;
}

#[tokio::test]
async fn of_tables_of_the_stores_own_it_says_that_they_are_not_known() {
    let store = Served::new().await;
    let folder = tempfile::tempdir().unwrap();
    let load = Path::new(env!("CARGO_MANIFEST_DIR")).join("queries/postgres/product_load.sql");
    std::fs::copy(load, folder.path().join("product_load.sql")).unwrap();
    let queries = Queries::read(Preset::Tingkat, folder.path(), &[]).unwrap();
    let database = open_with(&store.server.url(), queries).await;
    let probe = Probe::new(database);
    let refused = probe.products(&[], 1).await.unwrap_err();
    assert_eq!(refused.kind(), CheckErrorKind::Refused);
    assert!(
        refused.to_string().contains("product_load.sql"),
        "{refused}"
    );
    assert!(!probe.postcodes(1).await.unwrap().is_empty());
}
