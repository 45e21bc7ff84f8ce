//! What customers want most, counted by the database.

use std::collections::HashMap;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use tingkat::entity::Entity as _;
use tingkat::error::SourceError;
use tingkat::key::Key as _;
use tingkat_shop::All;
use tingkat_shop::category::{CategoryCount, CategoryTree};
use tingkat_shop::popularity::{Popularity, Scored};
use tingkat_shop::postcode::{Postcode, PostcodeIndex};
use tingkat_shop::product::{Product, SkuOwner, SlugOwner};
use tingkat_shop::state::StateList;

use crate::columns::{Columns as _, columns};
use crate::database::Database;
use crate::product::ProductRow;
use crate::record::Record;
use crate::rows::wrong_column;
use crate::statement::{
    CATEGORY_POPULAR, POSTCODE_POPULAR, PRODUCT_LOAD, PRODUCT_POPULAR, STATE_REPRESENTATIVES,
    Statement,
};

/// So many of the most wanted products have their names warmed; those of others are a short statement away.
const MOST_NAMED: usize = 1_000;

/// Rows of products that are loaded at a time to see their names.
const PART: usize = 100;

columns! {
    /// A place in a ranking.
    pub(crate) struct RankRow {
        key: String,
        score: i64,
    }
}

impl Popularity for Database {
    fn top<'a>(
        &'a self,
        entity: &'a str,
        most: usize,
    ) -> BoxFuture<'a, Result<Vec<Scored>, SourceError>> {
        async move {
            let weights = self.weights();
            match entity {
                Product::NAME => self.products(most).await,
                SkuOwner::NAME => self.names(most, ProductRow::skus).await,
                SlugOwner::NAME => self.names(most, ProductRow::slugs).await,
                Postcode::NAME => {
                    let weights = weights.postcode;
                    let given = json!({
                        "deliveries": weights.deliveries,
                        "customers": weights.customers,
                        "window": micros(weights.window),
                        "most": most,
                    });
                    let found = self.ranked(&POSTCODE_POPULAR, Some(given)).await?;
                    if !found.is_empty() {
                        return Ok(found);
                    }
                    let mut found = self.ranked(&STATE_REPRESENTATIVES, None).await?;
                    found.truncate(most);
                    Ok(found)
                }
                CategoryCount::NAME => {
                    let given = json!({ "most": most });
                    self.ranked(&CATEGORY_POPULAR, Some(given)).await
                }
                // Of which there is one entry.
                CategoryTree::NAME | PostcodeIndex::NAME | StateList::NAME => Ok(vec![Scored {
                    key: All.text(),
                    score: 0,
                }]),
                _ => Ok(Vec::new()),
            }
        }
        .boxed()
    }
}

impl Database {
    async fn products(&self, most: usize) -> Result<Vec<Scored>, SourceError> {
        let weights = self.weights().product;
        let given = json!({
            "orders": weights.orders,
            "carts": weights.carts,
            "wishes": weights.wishes,
            "window": micros(weights.window),
            "most": most,
        });
        self.ranked(&PRODUCT_POPULAR, Some(given)).await
    }

    /// What the most wanted products are found by. It stands in their rows, which are loaded a part at a time.
    async fn names(
        &self,
        most: usize,
        of: impl Fn(&ProductRow) -> Vec<String>,
    ) -> Result<Vec<Scored>, SourceError> {
        let products = self.products(most.min(MOST_NAMED)).await?;
        let mut ranking = Vec::with_capacity(products.len());
        for part in products.chunks(PART) {
            let ids: Vec<String> = part.iter().map(|product| product.key.clone()).collect();
            let fetched = self.fetch(&PRODUCT_LOAD, Some(&ids)).await?;
            // A row that is no product is told when it is loaded to be cached.
            let rows = fetched.records.iter().map(ProductRow::read);
            let rows: HashMap<String, ProductRow> = rows
                .filter_map(Result::ok)
                .map(|row| (row.id.as_str().to_owned(), row))
                .collect();
            for product in part {
                let names = rows.get(&product.key).map(&of);
                let score = product.score;
                let scored = |key| Scored { key, score };
                ranking.extend(names.into_iter().flatten().map(scored));
            }
        }
        ranking.truncate(most);
        Ok(ranking)
    }

    async fn ranked(
        &self,
        statement: &Statement,
        given: Option<Value>,
    ) -> Result<Vec<Scored>, SourceError> {
        let given = given.map(|given| [given.to_string()]);
        let keys = given.as_ref().map(<[String; 1]>::as_slice);
        let fetched = self.fetch(statement, keys).await?;
        let read = |record: &Record| {
            let row = RankRow::read(record)?;
            Ok(Scored {
                key: row.key,
                score: u64::try_from(row.score).unwrap_or_default(),
            })
        };
        let scored: Result<Vec<Scored>, _> = fetched.records.iter().map(read).collect();
        scored.map_err(|error| wrong_column(&statement.file(), &error))
    }
}

/// As the statements take it: for ever is as long as a database can subtract from now.
pub(crate) fn micros(window: std::time::Duration) -> i64 {
    const LONGEST: i64 = 100 * 365 * 86_400 * 1_000_000;
    i64::try_from(window.as_micros())
        .unwrap_or(LONGEST)
        .min(LONGEST)
}
