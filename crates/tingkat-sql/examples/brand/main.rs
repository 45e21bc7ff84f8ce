//! A store of one's own, without HTTP: the shop's products, and brands beside them.
//!
//! It follows the steps of CONTRIBUTING.md, "Adding an entity".
#![allow(clippy::print_stdout, missing_docs, reason = "an example")]

mod brand;
mod brands;

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::SqlitePool;
use tingkat::{Cache, Node, Options};
use tingkat_shop::Shop;
use tingkat_sql::{Config, Database, Url};

use crate::brand::Brand;
use crate::brands::{Brands, TABLE};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    for line in run(&folder.path().join("store.db")).await? {
        println!("{line}");
    }
    Ok(())
}

async fn run(file: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let mut lines = Vec::new();
    let database = Database::open(&Url::sqlite(file), &Config::default()).await?;
    let pool = SqlitePool::connect(&format!("sqlite:{}", file.display())).await?;
    sqlx::raw_sql(TABLE).execute(&pool).await?;
    sqlx::raw_sql("INSERT INTO brand VALUES (7, 'Royal Selangor', 'MY')")
        .execute(&pool)
        .await?;

    let mut node = Node::builder().staleness_bound(Duration::from_millis(500));
    if let Some(log) = database.change_log() {
        node = node.change_log(log);
    }
    let node = node.poll_interval(Duration::from_millis(50)).build();
    let shop = Shop::new(&node, database.sources());
    // Step 3: the line of registration. From here on the feed, statistics and `forget` know brands.
    let brands: Cache<u64, Brand> = Cache::of_entity()
        .node(&node)
        .source(Arc::new(Brands(pool.clone())))
        .build();

    let product = shop
        .products
        .by_id(&"7".parse()?, Options::default())
        .await?;
    lines.push(format!(
        "product 7: {:?}",
        product.value().map(|it| &it.name)
    ));
    let name = async || -> Result<_, tingkat::GetError> {
        let brand = brands.look_up(&7, Options::default()).await?;
        Ok(brand.value().map(|brand| brand.name.clone()))
    };
    lines.push(format!("brand 7: {:?}", name().await?));

    sqlx::raw_sql("UPDATE brand SET name = 'Selangor Pewter' WHERE id = 7")
        .execute(&pool)
        .await?;
    while name().await?.as_deref() != Some("Selangor Pewter") {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    lines.push(format!("brand 7 after a plain UPDATE: {:?}", name().await?));

    for cache in node.registry().all() {
        if cache.name() == "brand" {
            let stats = cache.stats();
            let (hits, loads) = (stats.memory_hits.get(), stats.loaded_keys.get());
            lines.push(format!("brands: {loads} loads, hits: {}", hits > 0));
        }
    }
    node.shut_down(Duration::from_secs(1)).await;
    database.close().await;
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of a text, blank ones as well, as `wc` counts them.
    fn lines(text: &str) -> usize {
        text.lines().count()
    }

    #[test]
    fn contributing_says_how_much_there_is_to_write() {
        let page = include_str!("../../../../CONTRIBUTING.md");
        let words: Vec<&str> = page.split_whitespace().collect();
        let (_, registration) = include_str!("main.rs").split_once("let brands: ").unwrap();
        let (registration, _) = registration.split_once(";\n").unwrap();
        assert_eq!(lines(registration), 4, "{registration}");
        let counted = format!(
            "one file of {} lines for the entity, one of {} for its table, triggers and source, and four \
             lines of registration.",
            lines(include_str!("brand.rs")),
            lines(include_str!("brands.rs")),
        );
        assert!(
            words.join(" ").contains(&counted),
            "CONTRIBUTING.md: {counted}"
        );
    }

    #[tokio::test]
    async fn a_brand_is_cached_and_follows_its_table() {
        let folder = tempfile::tempdir().unwrap();
        let lines = run(&folder.path().join("store.db")).await.unwrap();
        assert_eq!(lines[1], r#"brand 7: Some("Royal Selangor")"#);
        assert_eq!(
            lines[2],
            r#"brand 7 after a plain UPDATE: Some("Selangor Pewter")"#
        );
        assert_eq!(lines[3], "brands: 2 loads, hits: true");
    }
}
