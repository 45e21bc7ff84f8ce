//! The store as an operator sees it who trusts nobody: rows by statements that no load uses, scratch
//! rows, and the change log.

use crate::compaction::Compaction;
use crate::database::Database;
use crate::error::{CheckError, CheckErrorKind, ColumnError};
use crate::record::Record;
use crate::rehearsal::{Verdict, nothing_to_change};
use crate::statement::{CATEGORY_LIST, POSTCODE_LOAD, PRODUCT_LOAD, Statement};

macro_rules! questions {
    (of_presets { $($of_preset:ident $preset_name:literal;)* } of_the_log { $($of_log:ident $log_name:literal;)* }) => {
        $(const $of_preset: Statement = Statement {
            name: $preset_name,
            postgres: include_str!(concat!("../probe/postgres/", $preset_name, ".sql")),
            sqlite: include_str!(concat!("../probe/sqlite/", $preset_name, ".sql")),
            prisma: include_str!(concat!("../probe/prisma/", $preset_name, ".sql")),
            parameters: &[],
            columns: &[],
            reads: |_| Ok(()),
        };)*
        $(const $of_log: Statement = Statement {
            name: $log_name,
            postgres: include_str!(concat!("../probe/postgres/", $log_name, ".sql")),
            sqlite: include_str!(concat!("../probe/sqlite/", $log_name, ".sql")),
            prisma: include_str!(concat!("../probe/postgres/", $log_name, ".sql")),
            parameters: &[],
            columns: &[],
            reads: |_| Ok(()),
        };)*
    };
}

questions! {
    of_presets {
        PRODUCT_SAMPLE "product_sample";
        PRODUCT_ROWS "product_rows";
        PRODUCT_CREATE "product_create";
        PRODUCT_STOCK "product_stock";
        PRODUCT_REMOVE "product_remove";
        PRODUCT_IMPORT "product_import";
        POSTCODE_ROWS "postcode_rows";
        POSTCODE_NAMED "postcode_named";
        CATEGORY_ROWS "category_rows";
        CATEGORY_MEMBERS "category_members";
    }
    of_the_log {
        LOG_CHANGES "log_changes";
        LOG_NEXT "log_next";
    }
}

/// A product as its row is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "columns")]
pub struct ProbedProduct {
    pub id: String,
    pub sku: String,
    pub slug: String,
    pub name: String,
    pub regular_price: i64,
    pub member_price: i64,
    pub stock_quantity: i64,
    /// What else its page has to show, by the names there; times are microseconds since 1970.
    pub shows: serde_json::Value,
}

/// A postcode as its rows are.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "columns")]
pub struct ProbedPostcode {
    pub code: String,
    pub state_code: String,
    pub cities: Vec<String>,
}

/// A category as its row is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "columns")]
pub struct ProbedCategory {
    pub id: String,
    pub slug: String,
    pub name: String,
}

/// What came of changes that were made and undone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rehearsed {
    /// How many were made.
    pub tried: usize,
    /// Which of them were not told as they should be.
    pub wrong: Vec<String>,
    /// Which could not be made, each with its reason; where there is no row to change nothing is missed.
    pub refused: Vec<String>,
}

/// What an operator asks past the service. It has connections of its own.
#[derive(Clone, Debug)]
pub struct Probe {
    database: Database,
}

impl Probe {
    /// Asks this database, which nobody else uses.
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// These products, or some on sale where none are named.
    ///
    /// # Errors
    /// The database does not answer, refuses, or has tables of the store's own.
    pub async fn products(
        &self,
        ids: &[String],
        most: usize,
    ) -> Result<Vec<ProbedProduct>, CheckError> {
        let sample = if ids.is_empty() {
            let most = [most.to_string()];
            let found = self.ask(&PRODUCT_LOAD, &PRODUCT_SAMPLE, &most).await?;
            read(&found, |row| row.text("id"))?
        } else {
            ids.to_vec()
        };
        let rows = self.ask(&PRODUCT_LOAD, &PRODUCT_ROWS, &sample).await?;
        let mut products = read(&rows, |row| {
            Ok(ProbedProduct {
                id: row.text("id")?,
                sku: row.text("sku")?,
                slug: row.text("slug")?,
                name: row.text("name")?,
                regular_price: row.number("regular_price")?,
                member_price: row.number("member_price")?,
                stock_quantity: row.number("stock_quantity")?,
                shows: row.json("shows")?,
            })
        })?;
        products.sort_by_key(|product| sample.iter().position(|id| *id == product.id));
        Ok(products)
    }

    /// Some postcodes.
    ///
    /// # Errors
    /// As [`products`](Self::products).
    pub async fn postcodes(&self, most: usize) -> Result<Vec<ProbedPostcode>, CheckError> {
        let given = [most.to_string()];
        let rows = self.ask(&POSTCODE_LOAD, &POSTCODE_ROWS, &given).await?;
        read(&rows, |row| {
            Ok(ProbedPostcode {
                code: row.text("code")?,
                state_code: row.text("state_code")?,
                cities: row.json("cities")?,
            })
        })
    }

    /// Which of these codes the store has.
    ///
    /// # Errors
    /// As [`products`](Self::products).
    pub async fn postcodes_among(&self, codes: &[String]) -> Result<Vec<String>, CheckError> {
        let rows = self.ask(&POSTCODE_LOAD, &POSTCODE_NAMED, codes).await?;
        read(&rows, |row| row.text("code"))
    }

    /// Some categories that are under no other.
    ///
    /// # Errors
    /// As [`products`](Self::products).
    pub async fn categories(&self, most: usize) -> Result<Vec<ProbedCategory>, CheckError> {
        let given = [most.to_string()];
        let rows = self.ask(&CATEGORY_LIST, &CATEGORY_ROWS, &given).await?;
        read(&rows, |row| {
            Ok(ProbedCategory {
                id: row.text("id")?,
                slug: row.text("slug")?,
                name: row.text("name")?,
            })
        })
    }

    /// The ids of what is on sale in a category that is under no other, or under it.
    ///
    /// # Errors
    /// As [`products`](Self::products).
    pub async fn members(&self, category: &str) -> Result<Vec<String>, CheckError> {
        let given = [category.to_owned()];
        let rows = self.ask(&CATEGORY_LIST, &CATEGORY_MEMBERS, &given).await?;
        read(&rows, |row| row.text("id"))
    }

    /// Commits a product that no listing shows; false where the store has none that could be its model.
    ///
    /// # Errors
    /// As [`products`](Self::products).
    pub async fn create_product(&self, id: &str) -> Result<bool, CheckError> {
        let given = [id.to_owned()];
        let rows = self.ask(&PRODUCT_LOAD, &PRODUCT_CREATE, &given).await?;
        Ok(!rows.is_empty())
    }

    /// Commits another stock, and tells whether there is such a product.
    ///
    /// # Errors
    /// As [`products`](Self::products).
    pub async fn set_stock(&self, id: &str, quantity: i64) -> Result<bool, CheckError> {
        let given = [id.to_owned(), quantity.to_string()];
        let rows = self.ask(&PRODUCT_LOAD, &PRODUCT_STOCK, &given).await?;
        Ok(!rows.is_empty())
    }

    /// Writes these products by one statement as an import does, so that nothing differs but their versions
    /// and the times of their last change; those that there are, with their versions now.
    ///
    /// # Errors
    /// As [`products`](Self::products).
    pub async fn import(&self, ids: &[String]) -> Result<Vec<(String, i64)>, CheckError> {
        let rows = self.ask(&PRODUCT_LOAD, &PRODUCT_IMPORT, ids).await?;
        read(&rows, |row| Ok((row.text("id")?, row.number("version")?)))
    }

    /// Removes the products whose ids begin so; how many there were.
    ///
    /// # Errors
    /// As [`products`](Self::products).
    pub async fn remove_products(&self, id_begin: &str) -> Result<usize, CheckError> {
        let given = [id_begin.to_owned()];
        let rows = self.ask(&PRODUCT_LOAD, &PRODUCT_REMOVE, &given).await?;
        Ok(rows.len())
    }

    /// What is wrong with the store's tables and the statements that read them.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn wrong_tables(&self) -> Result<Vec<String>, CheckError> {
        match self.database.check().await {
            Ok(()) => {}
            Err(error) if error.kind() == CheckErrorKind::Unreachable => return Err(error),
            Err(error) => return Ok(vec![error.to_string()]),
        }
        let inspections = self.database.inspect().await?;
        let wrong = inspections.iter().flat_map(|inspection| {
            let complaints = inspection.complaints.iter();
            complaints.map(|it| format!("{}: {it}", inspection.file))
        });
        Ok(wrong.collect())
    }

    /// What is wrong with the change log.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn wrong_log(&self) -> Result<Vec<String>, CheckError> {
        match self.database.coherence().await {
            Ok(crate::Coherence::Whole) => Ok(Vec::new()),
            Ok(coherence) => Ok(vec![coherence.to_string()]),
            Err(error) if error.kind() == CheckErrorKind::Unreachable => Err(error),
            Err(error) => Ok(vec![error.to_string()]),
        }
    }

    /// Makes a change in each table and undoes it; nothing of an embedded database, which is not tried.
    ///
    /// # Errors
    /// The database does not answer or refuses.
    pub async fn rehearse(&self) -> Result<Option<Rehearsed>, CheckError> {
        if self.database.postgres().is_none() {
            return Ok(None);
        }
        let mut rehearsed = Rehearsed::default();
        for rehearsal in self.database.rehearse().await? {
            let name = rehearsal.name;
            let why = match rehearsal.verdict {
                verdict if verdict == nothing_to_change() => continue,
                Verdict::Skipped(why) => {
                    let refused = format!("a change of {name} can not be made: {why}");
                    rehearsed.refused.push(refused);
                    continue;
                }
                Verdict::Passed | Verdict::Reported => None,
                Verdict::Differs { .. } => Some("is told as another one"),
                Verdict::Failed { .. } => Some("is not told to what shows it"),
                Verdict::Silent => Some("is not told"),
                Verdict::Unreadable(_) => Some("can not be loaded"),
            };
            rehearsed.tried += 1;
            let wrong = why.map(|why| format!("a change of {name} {why}"));
            rehearsed.wrong.extend(wrong);
        }
        Ok(Some(rehearsed))
    }

    /// How often the change log has a dep.
    ///
    /// # Errors
    /// The database does not answer or refuses.
    pub async fn changes_of(&self, dep: &str) -> Result<u64, CheckError> {
        self.number(&LOG_CHANGES, "changes", dep).await
    }

    /// Which number a transaction that writes gets at the earliest.
    ///
    /// # Errors
    /// The database does not answer or refuses.
    pub async fn next_position(&self) -> Result<u64, CheckError> {
        self.number(&LOG_NEXT, "position", "").await
    }

    /// Folds old changes; false where another session is at it.
    ///
    /// # Errors
    /// The database does not answer or refuses.
    pub async fn compact(&self) -> Result<bool, CheckError> {
        Ok(self.database.compact().await? != Compaction::Busy)
    }

    /// Closes the connections.
    pub async fn close(&self) {
        self.database.close().await;
    }

    async fn number(
        &self,
        question: &Statement,
        column: &'static str,
        given: &str,
    ) -> Result<u64, CheckError> {
        let rows = self.database.put(question, &[given.to_owned()]).await;
        let numbers = read(&rows.map_err(CheckError::of)?, |row| row.number(column))?;
        let number = numbers.first().copied().unwrap_or_default();
        Ok(u64::try_from(number).unwrap_or_default())
    }

    /// Asks a question about the tables of a preset, unless the store has others: then `load` is its own.
    async fn ask(
        &self,
        load: &Statement,
        question: &Statement,
        given: &[String],
    ) -> Result<Vec<Record>, CheckError> {
        if self.database.queries().is_own(load) {
            let file = self.database.queries().file(load);
            let message =
                format!("the store has tables of its own ({file}), and they are not known");
            return Err(CheckError::new(CheckErrorKind::Refused, message));
        }
        let rows = self.database.put(question, given).await;
        rows.map_err(CheckError::of)
    }
}

fn read<T>(
    rows: &[Record],
    read: impl Fn(&Record) -> Result<T, ColumnError>,
) -> Result<Vec<T>, CheckError> {
    let read: Result<Vec<T>, ColumnError> = rows.iter().map(read).collect();
    read.map_err(|error| {
        let message = format!("a row can not be read: {error}");
        CheckError::new(CheckErrorKind::Refused, message)
    })
}
