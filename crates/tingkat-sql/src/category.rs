//! Loading categories, and how many products they have.

use tingkat::ports::Loaded;
use tingkat_shop::category::{CategoryCount, CategoryRow, CategoryTree, of_members};

use crate::columns::{Json, columns};
use crate::error::ColumnError;
use crate::left_out::named;
use crate::rows::{Row, Whole};
use crate::statement::{CATEGORY_COUNT, CATEGORY_LIST, Statement};

columns! {
    /// A category.
    pub(crate) struct CategoryListRow {
        id: String,
        parent_id: Option<String>,
        slug: String,
        name: String,
        active: bool,
    }
}

columns! {
    /// How many products a category has.
    pub(crate) struct CategoryCountRow {
        id: String,
        products: i64,
        categories: Json<Vec<String>>,
    }
}

impl Whole for CategoryTree {
    const LOAD: Statement = CATEGORY_LIST;
    type Columns = CategoryListRow;

    fn read(rows: Vec<CategoryListRow>) -> Result<Self, ColumnError> {
        let row = |row: CategoryListRow| {
            // What is under one that is left out, is left out with it.
            let parent_id = match row.parent_id {
                Some(id) => Some(named(&id)?),
                None => None,
            };
            Some(CategoryRow {
                id: named(&row.id)?,
                parent_id,
                slug: row.slug,
                name: row.name,
                active: row.active,
            })
        };
        Ok(Self::new(rows.into_iter().filter_map(row)))
    }
}

impl Row for CategoryCount {
    const LOAD: Statement = CATEGORY_COUNT;
    const KEY: &'static str = "id";
    type Columns = CategoryCountRow;

    fn read(
        CategoryCountRow {
            id: _id,
            products,
            categories,
        }: CategoryCountRow,
    ) -> Result<Loaded<Self>, ColumnError> {
        let products = u64::try_from(products)
            .map_err(|_| ColumnError::new("products", format_args!("is negative: {products}")))?;
        Ok(Loaded::value(Self(products)).deps(of_members(&categories.0)))
    }
}
