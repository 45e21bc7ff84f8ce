//! The statements, each an .sql file per dialect that documents its parameters and columns.

/// A statement by the name of its file, as it is written for each dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Statement {
    /// The file's name without `.sql`.
    pub(crate) name: &'static str,
    pub(crate) postgres: &'static str,
    pub(crate) sqlite: &'static str,
}

macro_rules! statements {
    ($($constant:ident, $name:literal;)*) => {
        $(pub(crate) const $constant: Statement = Statement {
            name: $name,
            postgres: include_str!(concat!("../queries/postgres/", $name, ".sql")),
            sqlite: include_str!(concat!("../queries/sqlite/", $name, ".sql")),
        };)*

        #[cfg(test)]
        const ALL: &[Statement] = &[$($constant),*];
    };
}

statements! {
    PRODUCT_LOAD, "product_load";
    PRODUCT_SKU_LOAD, "product_sku_load";
    PRODUCT_SLUG_LOAD, "product_slug_load";
    PRODUCT_LIST, "product_list";
    PRODUCT_LIST_POPULAR, "product_list_popular";
    CATEGORY_LIST, "category_list";
    CATEGORY_COUNT, "category_count";
    PRODUCT_POPULAR, "product_popular";
    CATEGORY_POPULAR, "category_popular";
    POSTCODE_POPULAR, "postcode_popular";
    STATE_REPRESENTATIVES, "state_representatives";
    POSTCODE_LOAD, "postcode_load";
    POSTCODE_LIST, "postcode_list";
    STATE_LIST, "state_list";
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    fn files(directory: &str) -> BTreeSet<String> {
        std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(directory))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn every_statement_file_is_used_and_is_there_in_both_dialects() {
        let used: BTreeSet<String> = ALL
            .iter()
            .map(|statement| format!("{}.sql", statement.name))
            .collect();
        assert_eq!(files("queries/postgres"), used);
        assert_eq!(files("queries/sqlite"), used);
        // What `serve` may do to a file it may not do to a server: see setup/postgres.
        let store = BTreeSet::from(["0001_store.sql".to_owned()]);
        assert_eq!(files("migrations/postgres"), store);
        assert!(files("migrations/sqlite").is_superset(&store));
    }

    #[test]
    fn every_statement_opens_with_its_parameters_and_columns_and_is_one() {
        for statement in ALL {
            for text in [statement.postgres, statement.sqlite] {
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

    /// Both dialects take the same named rows and give the same named columns.
    #[test]
    fn the_dialects_document_the_same_columns() {
        let columns = |text: &str| -> Vec<String> {
            text.lines()
                .take_while(|line| line.starts_with("--"))
                .filter_map(|line| line.strip_prefix("--   "))
                .filter(|line| !line.starts_with(['$', '?', ' ']))
                .flat_map(|line| line.split("  ").next().unwrap_or_default().split(", "))
                .map(ToOwned::to_owned)
                .collect()
        };
        for statement in ALL {
            assert_eq!(
                columns(statement.postgres),
                columns(statement.sqlite),
                "{}",
                statement.name
            );
        }
    }
}
