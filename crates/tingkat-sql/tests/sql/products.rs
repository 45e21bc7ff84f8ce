//! Every product of the data is found by id, sku and slug, at its price to the sen.

use std::collections::BTreeSet;

use tingkat_shop::money::Money;
use tingkat_shop::product::{Product, ProductId, SkuOwner, SlugOwner};

use crate::stores::{Embedded, Served, csv, parsed, values};

fn all_ids() -> impl Iterator<Item = ProductId> {
    (1..=1_958).map(|number: u32| parsed(&number.to_string()))
}

#[tokio::test]
async fn all_products_are_found_by_id_with_their_names_and_prices() {
    let store = Embedded::new().await;
    let rows = csv("products.csv");
    let products = values(&*store.database.sources().products, all_ids()).await;
    assert_eq!(products.len(), rows.len());
    for (product, row) in products.iter().zip(&rows) {
        assert_eq!(
            (product.sku.as_str(), product.name.as_str()),
            (row[0].as_str(), row[1].as_str())
        );
        // All prices of the file have two decimals.
        let sen: i64 = row[2].replace('.', "").parse().unwrap();
        assert_eq!(product.regular_price, Money::sen(sen), "{row:?}");
    }
}

#[tokio::test]
async fn all_products_are_found_by_sku() {
    let store = Embedded::new().await;
    let skus = csv("products.csv").into_iter().map(|row| parsed(&row[0]));
    let owners: Vec<SkuOwner> = values(&*store.database.sources().skus, skus).await;
    assert!(owners.into_iter().map(|owner| owner.0).eq(all_ids()));
}

#[tokio::test]
async fn all_products_are_found_by_their_slugs() {
    let store = Embedded::new().await;
    let sources = store.database.sources();
    let slugs: Vec<_> = values(&*sources.products, all_ids())
        .await
        .into_iter()
        .map(|product| product.slug)
        .collect();
    assert_eq!(slugs.iter().collect::<BTreeSet<_>>().len(), 1_958);
    let owners: Vec<SlugOwner> = values(&*sources.slugs, slugs).await;
    assert!(owners.into_iter().map(|owner| owner.0).eq(all_ids()));
}

#[tokio::test]
async fn a_slug_is_the_name_and_with_the_sku_where_names_collide() {
    let store = Embedded::new().await;
    let sources = store.database.sources();
    for (sku, slug) in [
        ("85123A", "white-hanging-heart-t-light-holder"),
        ("10133", "colouring-pencils-brown-tube-10133"),
        ("10135", "colouring-pencils-brown-tube-10135"),
        ("82613D", "metal-sign-cupcake-single-hook-82613d"),
    ] {
        let by_sku = values(&*sources.skus, [parsed(sku)]).await.remove(0).0;
        let by_slug = values(&*sources.slugs, [parsed(slug)]).await.remove(0).0;
        assert_eq!(by_sku, by_slug, "{sku}");
    }
}

#[tokio::test]
async fn a_page_shows_categories_images_and_variants_in_order() {
    let store = Embedded::new().await;
    let products = values(&*store.database.sources().products, all_ids()).await;
    assert!(
        products
            .iter()
            .all(|product| !product.categories.is_empty())
    );
    assert!(
        products
            .iter()
            .all(|product| (1..=2).contains(&product.images.len()))
    );
    let is_sorted = |product: &Product| {
        product.categories.is_sorted_by(|a, b| a.name < b.name)
            && product.variants.is_sorted_by(|a, b| a.sku < b.sku)
    };
    assert!(products.iter().all(is_sorted));
    assert!(products.iter().any(|product| product.categories.len() == 3));
    assert!(products.iter().any(|product| product.variants.len() == 3));
}

#[tokio::test]
async fn a_product_is_found_by_the_skus_of_its_variants() {
    let (embedded, served) = (Embedded::new().await, Served::new().await);
    for database in [&embedded.database, &served.database] {
        let sources = database.sources();
        let products = values(&*sources.products, all_ids()).await;
        let (mut skus, mut owners) = (Vec::new(), Vec::new());
        for product in products {
            for variant in &product.variants {
                skus.push(variant.sku.clone());
                owners.push(product.id.clone());
            }
        }
        assert!(skus.len() > 50);
        let found = values(&*sources.skus, skus).await;
        let found: Vec<ProductId> = found.into_iter().map(|owner| owner.0).collect();
        assert_eq!(found, owners);
    }
    // A product's own sku counts before that of a variant.
    let clash = "UPDATE product_variant SET sku = (SELECT sku FROM product WHERE id = '3')
                 WHERE sku = (SELECT min(sku) FROM product_variant WHERE product_id <> '3')";
    embedded.run(clash).await;
    served.server.psql(clash).await.unwrap();
    for database in [&embedded.database, &served.database] {
        let sources = database.sources();
        let third = values(&*sources.products, [parsed("3")]).await.remove(0);
        let owner = values(&*sources.skus, [third.sku]).await.remove(0);
        assert_eq!(owner.0.as_str(), "3");
    }
}
