//! What operators want to know about the shop, counted by the database.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::json;
use tingkat::entity::Entity as _;
use tingkat::error::SourceError;
use tingkat_shop::facts::{ABOUT_TO_END, Fact, Facts};
use tingkat_shop::product::Product;

use crate::columns::{Columns as _, columns};
use crate::database::Database;
use crate::popularity::micros;
use crate::record::Record;
use crate::rows::wrong_column;
use crate::statement::PRODUCT_FACTS;

/// More facts than this are none.
const MOST: usize = 32;

columns! {
    /// A fact and its number.
    pub(crate) struct FactRow {
        name: String,
        value: i64,
    }
}

impl Facts for Database {
    fn facts(&self) -> BoxFuture<'_, Result<Vec<Fact>, SourceError>> {
        async move {
            let given = json!({ "within": micros(ABOUT_TO_END) });
            let given = [given.to_string()];
            let fetched = self.fetch(&PRODUCT_FACTS, Some(&given)).await?;
            let read = |record: &Record| {
                let row = FactRow::read(record)?;
                Ok(Fact {
                    entity: Product::NAME,
                    name: row.name,
                    value: u64::try_from(row.value).unwrap_or_default(),
                })
            };
            let facts: Result<Vec<Fact>, _> = fetched.records.iter().take(MOST).map(read).collect();
            facts.map_err(|error| wrong_column(&PRODUCT_FACTS.file(), &error))
        }
        .boxed()
    }
}
