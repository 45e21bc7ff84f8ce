//! A Prisma storefront's odd rows: prices and times that are none, rows that lack what they refer to,
//! ids that can not be asked for.

use tingkat::certificate::Dep;
use tingkat::entity::Entity as _;
use tingkat::ports::Found;
use tingkat_shop::All;
use tingkat_shop::product::Product;
use tingkat_shop::state::Zone;

use crate::changes::written;
use crate::listings::{page, places};
use crate::prisma::{BUSY, DRINKS, KETTLE, TEA, at, ids, product, whole};
use crate::stores::{load, parsed, values};

/// A price that is none and a time that never comes are the matter of their own product alone.
#[tokio::test]
async fn only_the_product_itself_suffers_from_a_price_or_time_that_is_none() {
    let store = whole().await;
    store.server.psql(BUSY).await.unwrap();
    let sql = r#"
        UPDATE products SET "regularPrice" = 'NaN' WHERE id = 'a';
        UPDATE products SET "memberPrice" = 'NaN' WHERE id = 'b';
        UPDATE products SET "promotionalPrice" = 'NaN', "promotionEndDate" = 'infinity',
          "updatedAt" = 'infinity', "createdAt" = '-infinity' WHERE id = 'c';
        UPDATE products SET "isPromotional" = true, "promotionStartDate" = '-infinity',
          "promotionEndDate" = '294276-12-31 23:59:59' WHERE sku = 'TEH-01';
        UPDATE product_variants SET "memberPrice" = 'NaN' WHERE id = 'clx4v1';
    "#;
    store.server.psql(sql).await.unwrap();
    let products = store.database.sources().products;
    let keys = ["a", "b", "c", TEA, KETTLE].map(parsed);
    let loaded = load(&*products, keys).await.unwrap();
    for (loaded, column) in loaded.iter().zip(["regular_price", "member_price"]) {
        let Found::Failed(error) = &loaded.found else {
            panic!("{column}: {loaded:?}")
        };
        let line = format!("product_load.sql: column `{column}` is null");
        assert!(error.to_string().ends_with(&line), "{error}");
    }
    let found: Vec<&Product> = loaded
        .iter()
        .filter_map(|loaded| match &loaded.found {
            Found::Value(product) => Some(product),
            Found::Absent | Found::NotModified | Found::Uncached(_) | Found::Failed(_) => None,
        })
        .collect();
    let [gamma, tea, _] = *found else {
        panic!("{found:?}")
    };
    assert_eq!(gamma.promotion, None);
    assert_eq!(gamma.updated_at, at("9999-12-30T00:00:00Z"));
    let promotion = tea.promotion.unwrap();
    assert_eq!((promotion.starts_at, promotion.ends_at), (None, None));
    assert_eq!(tea.variants.len(), 1);

    let never = r#"UPDATE products SET "promotionStartDate" = 'infinity' WHERE sku = 'TEH-01'"#;
    store.server.psql(never).await.unwrap();
    assert_eq!(product(&store, TEA).await.promotion, None);
    let over = r#"UPDATE products SET "promotionStartDate" = NULL, "promotionEndDate" = '-infinity'
        WHERE sku = 'TEH-01'"#;
    store.server.psql(over).await.unwrap();
    assert_eq!(product(&store, TEA).await.promotion, None);

    for (text, expected) in [
        ("sort=price", [TEA, "c"].as_slice()),
        ("sort=newest", &[TEA, "c"]),
        ("sort=popularity", &["c", TEA]),
        ("category=clx4kitchen&sort=-price", &[TEA]),
        ("promoted=true&sort=price", &[]),
    ] {
        assert_eq!(ids(&store, text).await, expected, "{text}");
    }
    let counts = store.database.sources().category_counts;
    let counts = values(&*counts, [parsed("clx4kitchen")]).await;
    assert_eq!(counts[0].0, 1);
}

/// Prisma's `relationMode = "prisma"`: rows come in any order, and what comes later is noticed.
#[tokio::test]
async fn without_foreign_keys_what_comes_later_is_waited_for() {
    let store = whole().await;
    let sql = r#"
        ALTER TABLE categories DROP CONSTRAINT "categories_parentId_fkey";
        ALTER TABLE product_categories DROP CONSTRAINT "product_categories_categoryId_fkey";
        ALTER TABLE malaysian_postcodes DROP CONSTRAINT "malaysian_postcodes_stateCode_fkey";
        INSERT INTO product_categories VALUES ('late', 'clx4kettle0000108l4f6e0d2', 'pots');
        INSERT INTO malaysian_postcodes VALUES ('late', '88000', 'Kota Kinabalu', 'SBH');
    "#;
    store.server.psql(sql).await.unwrap();
    let sources = store.database.sources();
    let shown = async || {
        let loaded = load(&*sources.products, [parsed(KETTLE)])
            .await
            .unwrap()
            .remove(0);
        let Found::Value(product) = loaded.found else {
            panic!("no product")
        };
        let names: Vec<String> = product.categories.into_iter().map(|it| it.name).collect();
        let deps: Vec<String> = loaded.deps.iter().map(ToString::to_string).collect();
        (names, deps)
    };
    assert_eq!(shown().await, (vec![], vec!["category:pots".to_owned()]));
    let pots = r#"INSERT INTO categories (id, name, slug, "parentId") VALUES ('pots', 'Pots', 'pots', 'home')"#;
    assert_eq!(
        written(&store, pots).await,
        ["categories.tree", "category:pots"]
    );
    store.server.psql(pots).await.unwrap();
    let both = ["category:home", "category:pots"].map(ToOwned::to_owned);
    assert_eq!(shown().await, (vec![], both.to_vec()));
    let home = "INSERT INTO categories (id, name, slug) VALUES ('home', 'Home', 'home')";
    store.server.psql(home).await.unwrap();
    let above = vec!["category:home".to_owned()];
    assert_eq!(shown().await, (vec!["Pots".to_owned()], above));

    let place = async || {
        values(&*sources.postcodes, [parsed("88000")])
            .await
            .remove(0)
    };
    let before = place().await;
    assert_eq!(
        (before.state_name.as_str(), before.zone),
        ("SBH", Zone::East)
    );
    assert!(before.deps().contains(&Dep::new("state:SBH")));
    let index = values(&*sources.postcode_index, [All]).await.remove(0);
    assert!(index.deps().contains(&Dep::new("state:SBH")));
    let state = "INSERT INTO malaysian_states VALUES ('SBH', 'Sabah')";
    assert_eq!(written(&store, state).await, ["state:SBH", "states.list"]);
    store.server.psql(state).await.unwrap();
    assert_eq!(place().await.state_name, "Sabah");
}

/// An application may draw ids of another form.
#[tokio::test]
async fn what_has_an_id_that_can_not_be_asked_for_is_left_out_of_lists() {
    let store = whole().await;
    store.server.psql(BUSY).await.unwrap();
    let sql = r#"
        UPDATE products SET id = 'b.1' WHERE id = 'b';
        INSERT INTO categories (id, name, slug, "parentId") VALUES
          ('odd/1', 'Odd', 'odd', 'clx4kitchen'), ('under', 'Under', 'under', 'odd/1');
        UPDATE product_categories SET "categoryId" = 'odd/1' WHERE "productId" = 'a';
    "#;
    store.server.psql(sql).await.unwrap();
    assert_eq!(ids(&store, "sort=price").await, ["c", "a", TEA]);
    let kitchen = page(&store.database, "category=clx4kitchen&sort=price").await;
    // Who comes into it or leaves it changes the page all the same.
    assert!(kitchen.deps.contains(&Dep::new("category.members:odd/1")));
    assert_eq!(places(&kitchen).places.len(), 2);
    let sources = store.database.sources();
    let tree = values(&*sources.categories, [All]).await.remove(0);
    let shown: Vec<&str> = tree.all().iter().map(|it| it.id.as_str()).collect();
    assert_eq!(shown, ["clx4kitchen", DRINKS]);
    let counts = values(&*sources.category_counts, [parsed("clx4kitchen")]).await;
    assert_eq!(counts[0].0, 3);
}
