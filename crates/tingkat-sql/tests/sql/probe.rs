//! What is asked past the service: alike in both dialects and the other preset.

use std::path::Path;

use tingkat_sql::{CheckErrorKind, Database, Preset, Probe, Queries};

use crate::prisma::whole;
use crate::stores::{Embedded, Served, open_with};

async fn answers(database: Database) {
    let probe = Probe::new(database);
    let some = probe.products(&[], 5).await.unwrap();
    assert!(!some.is_empty() && some.len() <= 5, "{some:?}");
    let first = some[0].clone();
    let again = probe
        .products(std::slice::from_ref(&first.id), 1)
        .await
        .unwrap();
    assert_eq!(again, [first]);
    assert!(!probe.postcodes(5).await.unwrap()[0].cities.is_empty());
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
    let (_, wrong) = probe.rehearse().await.unwrap();
    assert_eq!(wrong, [""; 0]);
}

#[tokio::test]
async fn an_embedded_store_answers() {
    let store = Embedded::new().await;
    answers(store.open_again().await).await;
}

#[tokio::test]
async fn a_served_store_answers() {
    let store = Served::new().await;
    answers(store.database.clone()).await;
}

#[tokio::test]
async fn the_tables_of_a_storefront_answer() {
    let store = whole().await;
    answers(store.database.clone()).await;
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
