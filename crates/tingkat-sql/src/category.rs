//! Loading categories, and how many products they have.

use tingkat::ports::Loaded;
use tingkat_shop::category::{CategoryCount, CategoryId, CategoryRow, CategoryTree, of_members};

use crate::error::ColumnError;
use crate::record::Record;
use crate::rows::{Row, Whole};
use crate::statement::{CATEGORY_COUNT, CATEGORY_LIST, Statement};

impl Whole for CategoryTree {
    const LOAD: Statement = CATEGORY_LIST;

    fn read(records: &[Record]) -> Result<Self, ColumnError> {
        let rows: Vec<CategoryRow> = records.iter().map(read).collect::<Result<_, _>>()?;
        Ok(Self::new(rows))
    }
}

fn read(record: &Record) -> Result<CategoryRow, ColumnError> {
    Ok(CategoryRow {
        id: record.parsed("id")?,
        parent_id: record.parsed_or_null("parent_id")?,
        slug: record.text("slug")?,
        name: record.text("name")?,
        active: record.flag("active")?,
    })
}

impl Row for CategoryCount {
    const LOAD: Statement = CATEGORY_COUNT;
    const KEY: &'static str = "id";

    fn read(record: &Record) -> Result<Loaded<Self>, ColumnError> {
        let products = record.number("products")?;
        let products = u64::try_from(products)
            .map_err(|_| ColumnError::new("products", format_args!("is negative: {products}")))?;
        let categories: Vec<CategoryId> = record.json("categories")?;
        Ok(Loaded::value(Self(products)).deps(of_members(&categories)))
    }
}
