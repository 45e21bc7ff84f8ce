//! What customers want most, counted by the database.

mod front;
mod recent;

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
use tingkat_shop::product::listing::{Popular, Sorted};
use tingkat_shop::product::{Product, SkuOwner, SlugOwner};
use tingkat_shop::state::StateList;

pub(crate) use self::recent::Recent;
use crate::columns::{Columns, Json, columns};
use crate::database::Database;
use crate::rows::wrong_column;
use crate::statement::{
    CATEGORY_POPULAR, POSTCODE_POPULAR, PRODUCT_POPULAR, STATE_REPRESENTATIVES, Statement,
};

/// So many of the most wanted products have their names warmed; those of others are a short statement away.
const MOST_NAMED: usize = 1_000;

columns! {
    /// A place in a ranking.
    pub(crate) struct RankRow {
        key: String,
        score: i64,
    }
}

columns! {
    /// A product's place, and what the product is found by.
    #[derive(Clone)]
    pub(crate) struct ProductRankRow {
        key: String,
        score: i64,
        sku: String,
        slug: String,
        variant_skus: Json<Vec<String>>,
    }
}

impl From<RankRow> for Scored {
    fn from(row: RankRow) -> Self {
        let RankRow { key, score } = row;
        let score = points(score);
        Self { key, score }
    }
}

impl ProductRankRow {
    fn product(self) -> impl Iterator<Item = Scored> {
        let score = points(self.score);
        [self.key].into_iter().map(move |key| Scored { key, score })
    }

    fn skus(self) -> impl Iterator<Item = Scored> {
        let score = points(self.score);
        let skus = [self.sku].into_iter().chain(self.variant_skus.0);
        skus.map(move |key| Scored { key, score })
    }

    fn slugs(self) -> impl Iterator<Item = Scored> {
        let score = points(self.score);
        [self.slug]
            .into_iter()
            .map(move |key| Scored { key, score })
    }
}

fn points(score: i64) -> u64 {
    u64::try_from(score).unwrap_or_default()
}

impl Popularity for Database {
    fn top<'a>(
        &'a self,
        entity: &'a str,
        most: usize,
    ) -> BoxFuture<'a, Result<Vec<Scored>, SourceError>> {
        async move {
            let named = most.min(MOST_NAMED);
            let mut found: Vec<Scored> = match entity {
                Product::NAME => {
                    let ranking = self.products(most).await?;
                    ranking
                        .into_iter()
                        .flat_map(ProductRankRow::product)
                        .collect()
                }
                SkuOwner::NAME => {
                    let ranking = self.products(named).await?;
                    ranking.into_iter().flat_map(ProductRankRow::skus).collect()
                }
                SlugOwner::NAME => {
                    let ranking = self.products(named).await?;
                    ranking
                        .into_iter()
                        .flat_map(ProductRankRow::slugs)
                        .collect()
                }
                Sorted::NAME => front::sorted(self).await?,
                Popular::NAME => front::popular(self).await?,
                Postcode::NAME => self.postcodes(most).await?,
                CategoryCount::NAME => self.categories(most).await?,
                // Of which there is one entry.
                CategoryTree::NAME | PostcodeIndex::NAME | StateList::NAME => vec![Scored {
                    key: All.text(),
                    score: 0,
                }],
                _ => Vec::new(),
            };
            found.truncate(most);
            Ok(found)
        }
        .boxed()
    }

    fn front<'a>(
        &'a self,
        entity: &'a str,
        most: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, SourceError>> {
        async move {
            let mut keys = match entity {
                Product::NAME => front::products(self).await?,
                Postcode::NAME => front::postcodes(self).await?,
                _ => Vec::new(),
            };
            keys.truncate(most);
            Ok(keys)
        }
        .boxed()
    }
}

impl Database {
    /// The ranking of products. It is counted once for whoever asks for the products, for their skus and
    /// for their slugs one after another.
    async fn products(&self, most: usize) -> Result<Vec<ProductRankRow>, SourceError> {
        let weights = self.weights().product;
        let given = json!({
            "orders": weights.orders,
            "carts": weights.carts,
            "wishes": weights.wishes,
            "window": micros(weights.window),
            "most": most,
        });
        let counts = self.rows(&PRODUCT_POPULAR, Some(given));
        self.recent().products(most, counts).await
    }

    async fn postcodes(&self, most: usize) -> Result<Vec<Scored>, SourceError> {
        let weights = self.weights().postcode;
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
        self.ranked(&STATE_REPRESENTATIVES, None).await
    }

    async fn categories(&self, most: usize) -> Result<Vec<Scored>, SourceError> {
        let given = json!({ "most": most });
        self.ranked(&CATEGORY_POPULAR, Some(given)).await
    }

    async fn ranked(
        &self,
        statement: &Statement,
        given: Option<Value>,
    ) -> Result<Vec<Scored>, SourceError> {
        let rows: Vec<RankRow> = self.rows(statement, given).await?;
        Ok(rows.into_iter().map(Scored::from).collect())
    }

    async fn rows<R: Columns>(
        &self,
        statement: &Statement,
        given: Option<Value>,
    ) -> Result<Vec<R>, SourceError> {
        let given = given.map(|given| [given.to_string()]);
        let keys = given.as_ref().map(<[String; 1]>::as_slice);
        let fetched = self.fetch(statement, keys).await?;
        let rows: Result<Vec<R>, _> = fetched.records.iter().map(R::read).collect();
        rows.map_err(|error| wrong_column(&statement.file(), &error))
    }
}

/// As the statements take it: for ever is as long as a database can subtract from now.
pub(crate) fn micros(window: std::time::Duration) -> i64 {
    const LONGEST: i64 = 100 * 365 * 86_400 * 1_000_000;
    i64::try_from(window.as_micros())
        .unwrap_or(LONGEST)
        .min(LONGEST)
}
