//! The statements, each an .sql file per dialect that documents its parameters and columns.

use crate::category::{CategoryCountRow, CategoryListRow};
use crate::columns::{Column, Columns};
use crate::error::ColumnError;
use crate::facts::FactRow;
use crate::listing::PageRow;
use crate::popularity::{ProductRankRow, RankRow};
use crate::postcode::PostcodeRow;
use crate::product::{ProductRow, SkuRow, SlugRow};
use crate::record::Record;
use crate::state::StateRow;
use crate::write::{Rewritten, Stored};

/// A statement by the name of its file, as it is written for each dialect and each preset.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Statement {
    /// The file's name without `.sql`.
    pub(crate) name: &'static str,
    pub(crate) postgres: &'static str,
    /// Nothing where only PostgreSQL is written in this way.
    pub(crate) sqlite: &'static str,
    /// Nothing where it touches no table of a store.
    pub(crate) prisma: &'static str,
    pub(crate) parameters: &'static [Parameter],
    pub(crate) columns: &'static [Column],
    /// Whether a row can be read.
    pub(crate) reads: fn(&Record) -> Result<(), ColumnError>,
}

impl Statement {
    /// The name of its file.
    pub(crate) fn file(&self) -> String {
        format!("{}.sql", self.name)
    }
}

/// What a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parameter {
    Keys,
    Text,
    Number,
}

impl Parameter {
    /// A literal that there may be a row for: for no keys at all the planner might read no table.
    pub(crate) const fn sample(self) -> &'static str {
        match self {
            Self::Keys => "'{0}'",
            Self::Text => "'0'",
            Self::Number => "0",
        }
    }

    /// A literal that finds as little as can be.
    pub(crate) const fn nothing(self) -> &'static str {
        match self {
            Self::Keys => "'{}'",
            Self::Text | Self::Number => "NULL",
        }
    }
}

/// All but ours belong to a query set: every preset has them, and an operator may write them for
/// tables of his own. What loads read, must report its changes; what is counted, is counted anew every
/// few minutes.
macro_rules! statements {
    (
        loads { $($load:ident, $load_name:literal, [$($load_takes:ident),*], $load_row:ty;)* }
        counts { $($count:ident, $count_name:literal, [$($count_takes:ident),*], $count_row:ty;)* }
        writes { $($write:ident, $write_name:literal, [$($write_takes:ident),*], $write_row:ty;)* }
        ours { $($ours:ident, $ours_name:literal;)* }
    ) => {
        $(pub(crate) const $load: Statement = Statement {
            name: $load_name,
            postgres: include_str!(concat!("../queries/postgres/", $load_name, ".sql")),
            sqlite: include_str!(concat!("../queries/sqlite/", $load_name, ".sql")),
            prisma: include_str!(concat!("../queries/prisma/", $load_name, ".sql")),
            parameters: &[$(Parameter::$load_takes),*],
            columns: <$load_row as Columns>::COLUMNS,
            reads: <$load_row as Columns>::check,
        };)*

        $(pub(crate) const $count: Statement = Statement {
            name: $count_name,
            postgres: include_str!(concat!("../queries/postgres/", $count_name, ".sql")),
            sqlite: include_str!(concat!("../queries/sqlite/", $count_name, ".sql")),
            prisma: include_str!(concat!("../queries/prisma/", $count_name, ".sql")),
            parameters: &[$(Parameter::$count_takes),*],
            columns: <$count_row as Columns>::COLUMNS,
            reads: <$count_row as Columns>::check,
        };)*

        $(pub(crate) const $write: Statement = Statement {
            name: $write_name,
            postgres: include_str!(concat!("../queries/postgres/", $write_name, ".sql")),
            sqlite: "",
            prisma: include_str!(concat!("../queries/prisma/", $write_name, ".sql")),
            parameters: &[$(Parameter::$write_takes),*],
            columns: <$write_row as Columns>::COLUMNS,
            reads: <$write_row as Columns>::check,
        };)*

        $(pub(crate) const $ours: Statement = Statement {
            name: $ours_name,
            postgres: include_str!(concat!("../queries/postgres/", $ours_name, ".sql")),
            sqlite: include_str!(concat!("../queries/sqlite/", $ours_name, ".sql")),
            prisma: "",
            parameters: &[],
            columns: &[],
            reads: |_| Ok(()),
        };)*

        /// What entities are loaded by, and followed.
        pub(crate) const LOADS: &[Statement] = &[$($load),*];

        /// What is counted, and not followed.
        pub(crate) const COUNTS: &[Statement] = &[$($count),*];

        /// What products are written by.
        pub(crate) const WRITES: &[Statement] = &[$($write),*];

        #[cfg(test)]
        const OURS: &[Statement] = &[$($ours),*];
    };
}

statements! {
    loads {
        PRODUCT_LOAD, "product_load", [Keys], ProductRow;
        PRODUCT_SKU_LOAD, "product_sku_load", [Keys], SkuRow;
        PRODUCT_SLUG_LOAD, "product_slug_load", [Keys], SlugRow;
        PRODUCT_LIST, "product_list", [Keys], PageRow;
        CATEGORY_LIST, "category_list", [], CategoryListRow;
        CATEGORY_COUNT, "category_count", [Keys], CategoryCountRow;
        POSTCODE_LOAD, "postcode_load", [Keys], PostcodeRow;
        POSTCODE_LIST, "postcode_list", [], PostcodeRow;
        STATE_LIST, "state_list", [], StateRow;
    }
    counts {
        PRODUCT_LIST_POPULAR, "product_list_popular", [Keys], PageRow;
        PRODUCT_FACTS, "product_facts", [Keys], FactRow;
        PRODUCT_POPULAR, "product_popular", [Keys], ProductRankRow;
        CATEGORY_POPULAR, "category_popular", [Keys], RankRow;
        POSTCODE_POPULAR, "postcode_popular", [Keys], RankRow;
        STATE_REPRESENTATIVES, "state_representatives", [], RankRow;
    }
    writes {
        PRODUCT_WRITE_READ, "product_write_read", [Text], Stored;
        PRODUCT_WRITE, "product_write", [Text, Number, Number, Number, Number, Number, Keys], Rewritten;
    }
    ours {
        TABLE_LIST, "table_list";
        TODAY, "today";
        DEMO_STATE, "demo_state";
        DEMO_POSTCODE, "demo_postcode";
        DEMO_CATEGORY, "demo_category";
        DEMO_PRODUCT, "demo_product";
        DEMO_PRODUCT_IMAGE, "demo_product_image";
        DEMO_PRODUCT_VARIANT, "demo_product_variant";
        DEMO_PRODUCT_CATEGORY, "demo_product_category";
        DEMO_CUSTOMER, "demo_customer";
        DEMO_ORDERS, "demo_orders";
        DEMO_ORDER_LINE, "demo_order_line";
        DEMO_CART_LINE, "demo_cart_line";
        DEMO_WISHLIST_LINE, "demo_wishlist_line";
    }
}

/// Those that belong to a query set.
pub(crate) fn set() -> impl Iterator<Item = &'static Statement> {
    LOADS.iter().chain(COUNTS).chain(WRITES)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use crate::postgres::literal::outline;

    fn files(directory: &str) -> BTreeSet<String> {
        std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(directory))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    fn all() -> impl Iterator<Item = &'static Statement> {
        set().chain(OURS)
    }

    /// The texts that there are of a statement.
    fn texts(statement: &Statement) -> impl Iterator<Item = &'static str> {
        let texts = [statement.postgres, statement.sqlite, statement.prisma];
        texts.into_iter().filter(|text| !text.is_empty())
    }

    /// The columns that a file documents.
    fn documented(text: &str) -> Vec<String> {
        text.lines()
            .take_while(|line| line.starts_with("--"))
            .filter_map(|line| line.strip_prefix("--   "))
            .filter(|line| !line.starts_with(['$', '?', ' ']))
            .flat_map(|line| line.split("  ").next().unwrap_or_default().split(", "))
            .map(ToOwned::to_owned)
            .collect()
    }

    #[test]
    fn every_statement_file_is_used_and_is_there_in_each_dialect_and_preset() {
        let used = |is_used: fn(&Statement) -> bool| -> BTreeSet<String> {
            let used = all().filter(|statement| is_used(statement));
            used.map(|statement| format!("{}.sql", statement.name))
                .collect()
        };
        assert_eq!(files("queries/postgres"), used(|_| true));
        assert_eq!(files("queries/sqlite"), used(|it| !it.sqlite.is_empty()));
        assert_eq!(files("queries/prisma"), used(|it| !it.prisma.is_empty()));
        // What `serve` may do to a file it may not do to a server: see setup/postgres.
        let store = BTreeSet::from(["0001_store.sql".to_owned()]);
        assert_eq!(files("migrations/postgres"), store);
        assert!(files("migrations/sqlite").is_superset(&store));
    }

    #[test]
    fn every_statement_opens_with_its_parameters_and_columns_and_is_one() {
        for statement in all() {
            for text in texts(statement) {
                let head: Vec<&str> = text
                    .lines()
                    .take_while(|line| line.starts_with("--"))
                    .collect();
                let tells = |what| head.iter().any(|line| line.starts_with(what));
                assert!(
                    tells("-- Parameters") && tells("-- Result"),
                    "{}",
                    statement.name
                );
                assert!(
                    !text.contains(';'),
                    "{}: more than one statement",
                    statement.name
                );
            }
        }
    }

    /// All dialects and presets take the same named rows and give the same named columns.
    #[test]
    fn the_dialects_document_the_same_columns() {
        for statement in all() {
            for text in texts(statement) {
                assert_eq!(
                    documented(text),
                    documented(statement.postgres),
                    "{}",
                    statement.name
                );
            }
        }
    }

    #[test]
    fn what_a_file_documents_is_what_is_read_of_it_and_what_it_takes() {
        for statement in set() {
            let read = statement.columns.iter().map(|column| column.name);
            assert_eq!(
                BTreeSet::from_iter(documented(statement.postgres)),
                read.map(ToOwned::to_owned).collect(),
                "{}",
                statement.name
            );
            for text in [statement.postgres, statement.prisma] {
                assert_eq!(
                    outline(text).highest_parameter,
                    statement.parameters.len(),
                    "{}",
                    statement.name
                );
            }
        }
    }
}
