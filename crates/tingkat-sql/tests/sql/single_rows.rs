//! A statement that changes one row takes a way of its own through the triggers. It writes what the
//! same change writes beside a row that stays as it is.

use crate::dep_rule::ROWS;
use crate::stores::Served;

/// The deps that a statement writes; it is rolled back.
async fn written(store: &Served, statement: &str) -> Vec<String> {
    written_by_each(store, &[statement.to_owned()])
        .await
        .remove(0)
}

/// The deps that each of these statements writes, in one go.
async fn written_by_each(store: &Served, statements: &[String]) -> Vec<Vec<String>> {
    let each = statements.iter().map(|statement| {
        format!(
            "BEGIN; {statement};
             SELECT array_to_string(array_agg(dep ORDER BY dep COLLATE \"C\"), ' ') || ' deps'
               FROM tingkat.change WHERE xid = pg_current_xact_id();
             ROLLBACK; SELECT 'end';"
        )
    });
    let printed = store.server.psql(&each.collect::<String>()).await.unwrap();
    let each = printed.split("end").map(|printed| {
        let deps = printed
            .lines()
            .find_map(|line| line.strip_suffix(" deps"))
            .unwrap_or_default();
        deps.split_whitespace().map(str::to_owned).collect()
    });
    each.take(statements.len()).collect()
}

/// A table, what is true of the row that changes and of one that is only touched, and its columns
/// with values for them, the last of which is the row's own.
struct Table {
    name: &'static str,
    changed: &'static str,
    touched: &'static str,
    columns: &'static [(&'static str, &'static [&'static str])],
}

const TABLES: &[Table] = &[
    Table {
        name: "product",
        changed: "id = 'pc'",
        touched: "id = 'pb'",
        columns: &[
            ("id", &["'px'", "'PC'", "id"]),
            ("sku", &["'SX'", "'sc'", "NULL", "sku"]),
            ("slug", &["'lx'", "'LC'", "NULL", "slug"]),
            ("name", &["'x'", "'c'", "''", "NULL", "name"]),
            (
                "description",
                &["'x'", "repeat('long ', 9000)", "NULL", "description"],
            ),
            ("status", &["'draft'", "'ACTIVE'", "NULL", "status"]),
            ("currency", &["'SGD'", "'myr'", "NULL", "currency"]),
            ("regular_price", &["101", "NULL", "regular_price"]),
            ("member_price", &["91", "NULL", "member_price"]),
            ("promotional_price", &["1", "0", "NULL"]),
            ("promotion_starts_at", &["now()", "NULL"]),
            ("promotion_ends_at", &["now()", "NULL"]),
            ("stock_quantity", &["6", "NULL", "stock_quantity"]),
            ("low_stock_at", &["6", "NULL", "low_stock_at"]),
            ("featured", &["true", "NULL", "featured"]),
            ("version", &["version + 1", "NULL", "version"]),
            (
                "created_at",
                &["created_at + '1 us'::interval", "NULL", "created_at"],
            ),
            (
                "updated_at",
                &["updated_at + '1 us'::interval", "NULL", "updated_at"],
            ),
        ],
    },
    Table {
        name: "category",
        changed: "id = 'cc'",
        touched: "id = 'ca'",
        columns: &[
            ("id", &["'cx'", "'CC'", "id"]),
            ("parent_id", &["'cb'", "NULL"]),
            ("slug", &["'x'", "'CC'", "NULL", "slug"]),
            ("name", &["'x'", "'c'", "NULL", "name"]),
            ("active", &["false", "NULL", "active"]),
        ],
    },
    Table {
        name: "product_category",
        changed: "product_id = 'pb'",
        touched: "(product_id, category_id) = ('pa', 'ca')",
        columns: &[
            ("product_id", &["'pc'", "product_id"]),
            ("category_id", &["'cc'", "category_id"]),
        ],
    },
    Table {
        name: "product_image",
        changed: "product_id = 'pb'",
        touched: "(product_id, position) = ('pa', 1)",
        columns: &[
            ("product_id", &["'pc'", "product_id"]),
            ("position", &["7", "position"]),
            ("url", &["'/x'", "'/B0'", "NULL", "url"]),
            ("alt", &["'x'", "NULL", "alt"]),
        ],
    },
    Table {
        name: "product_variant",
        changed: "sku = 'VB'",
        touched: "sku = 'VA'",
        columns: &[
            ("sku", &["'VX'", "'vb'", "sku"]),
            ("product_id", &["'pc'", "NULL", "product_id"]),
            ("name", &["'x'", "'SIZE'", "NULL", "name"]),
            ("value", &["'x'", "'s'", "NULL", "value"]),
            ("regular_price", &["11", "NULL", "regular_price"]),
            ("member_price", &["8", "NULL", "member_price"]),
            ("stock_quantity", &["1", "NULL", "stock_quantity"]),
        ],
    },
    Table {
        name: "postcode",
        changed: "code = '99991'",
        touched: "(code, position) = ('99990', 1)",
        columns: &[
            ("code", &["'99993'", "code"]),
            ("position", &["3", "position"]),
            ("city", &["'x'", "'c'", "NULL", "city"]),
            ("state_code", &["'ZZB'", "NULL", "state_code"]),
        ],
    },
    Table {
        name: "state",
        changed: "code = 'ZZB'",
        touched: "code = 'ZZA'",
        columns: &[
            ("code", &["'ZZD'", "'zzb'", "code"]),
            ("name", &["'x'", "'b'", "NULL", "name"]),
            ("zone", &["'east'", "'WEST'", "NULL", "zone"]),
        ],
    },
];

/// Columns that take NULL, and texts that are not the same for whoever compares bytes.
const LOOSE: &str = r"
    CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
    DO $$
    DECLARE
      found record;
    BEGIN
      FOR found IN
        SELECT conrelid::regclass AS of, conname FROM pg_constraint
        WHERE contype = 'c' AND connamespace = 'public'::regnamespace
      LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', found.of, found.conname);
      END LOOP;
      FOR found IN
        SELECT attrelid::regclass AS of, attname, atttypid, attnotnull, attnum = ANY (i.indkey) AS is_key
        FROM pg_attribute a
        JOIN pg_class c ON c.oid = attrelid AND relkind = 'r'
        JOIN pg_index i ON indrelid = attrelid AND indisprimary
        WHERE relnamespace = 'public'::regnamespace AND attnum > 0
      LOOP
        IF found.is_key IS NOT TRUE AND found.attnotnull THEN
          EXECUTE format('ALTER TABLE %s ALTER %I DROP NOT NULL', found.of, found.attname);
        END IF;
        IF found.is_key IS NOT TRUE AND found.atttypid = 'text'::regtype
          AND found.attname IN ('sku', 'slug', 'name', 'status', 'url', 'alt', 'city', 'value', 'zone')
        THEN
          EXECUTE format('ALTER TABLE %s ALTER %I TYPE text COLLATE loose', found.of, found.attname);
        END IF;
      END LOOP;
    END $$;
";

#[tokio::test]
async fn one_row_writes_what_it_writes_among_others() {
    let store = Served::new().await;
    store.server.psql(&format!("{ROWS}{LOOSE}")).await.unwrap();
    let (mut wrong, mut changed) = (Vec::new(), 0);
    for table in TABLES {
        let updates: Vec<(&str, &str)> = table
            .columns
            .iter()
            .flat_map(|(column, values)| values.iter().map(move |value| (*column, *value)))
            .collect();
        let alone = updates.iter().map(|(column, value)| {
            format!(
                "UPDATE {} SET {column} = {value} WHERE {}",
                table.name, table.changed
            )
        });
        let among = updates.iter().map(|(column, value)| {
            format!(
                "UPDATE {0} SET {column} = CASE WHEN {1} THEN {value} ELSE {column} END
                 WHERE ({1}) OR ({2})",
                table.name, table.changed, table.touched
            )
        });
        let (singly, jointly): (Vec<_>, Vec<_>) = (alone.collect(), among.collect());
        let one = written_by_each(&store, &singly).await;
        let many = written_by_each(&store, &jointly).await;
        for ((statement, one), many) in singly.iter().zip(one).zip(many) {
            changed += usize::from(!one.is_empty());
            if one != many {
                wrong.push(format!("{statement}\n  alone {one:?}\n  among {many:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Each column has a value that changes something; they do not all agree about nothing.
    let columns: usize = TABLES.iter().map(|table| table.columns.len()).sum();
    assert!(changed >= columns, "{changed} of {columns}");
}

#[tokio::test]
async fn a_null_that_becomes_something_is_a_change() {
    let store = Served::new().await;
    let nulls = "UPDATE product SET sku = NULL, slug = NULL, description = NULL WHERE id = 'pc'";
    store
        .server
        .psql(&format!("{ROWS}{LOOSE}{nulls}"))
        .await
        .unwrap();
    for (set, expected) in [
        ("sku = 'SX'", &["product.sku:SX", "product:pc"][..]),
        ("slug = 'lx'", &["product.slug:lx", "product:pc"]),
        ("description = ''", &["product:pc"]),
        ("description = NULL, sku = NULL, slug = NULL", &[]),
        ("id = 'px'", &["product:pc", "product:px", "products.list"]),
    ] {
        let statement = format!("UPDATE product SET {set} WHERE id = 'pc'");
        assert_eq!(written(&store, &statement).await, expected, "{set}");
    }
}

#[tokio::test]
async fn several_columns_of_one_row_are_told_apart() {
    let store = Served::new().await;
    store.server.psql(ROWS).await.unwrap();
    for (set, expected) in [
        (
            "stock_quantity = 1, version = 9, updated_at = '2020-01-01'",
            &["product:pc"][..],
        ),
        (
            "stock_quantity = 1, sku = 'SX'",
            &["product.sku:SC", "product.sku:SX", "product:pc"],
        ),
        (
            "stock_quantity = 1, sku = 'SX', slug = 'lx', name = 'N'",
            &[
                "product.sku:SC",
                "product.sku:SX",
                "product.slug:lc",
                "product.slug:lx",
                "product:pc",
                "products.list",
            ],
        ),
        (
            "id = 'px', sku = 'SX'",
            &[
                "product.sku:SC",
                "product.sku:SX",
                "product.slug:lc",
                "product:pc",
                "product:px",
                "products.list",
            ],
        ),
        (
            "description = 'x', regular_price = 101",
            &["product:pc", "products.list"],
        ),
    ] {
        let statement = format!("UPDATE product SET {set} WHERE id = 'pc'");
        assert_eq!(written(&store, &statement).await, expected, "{set}");
    }
}

/// Columns of the store's own that no statement of ours reads, of types that can not be compared.
#[tokio::test]
async fn what_nobody_reads_is_no_change() {
    let store = Served::new().await;
    let columns = "ALTER TABLE product ADD views bigint DEFAULT 0, ADD extras json;
        ALTER TABLE state ADD extras json;";
    store
        .server
        .psql(&format!("{ROWS}{columns}"))
        .await
        .unwrap();
    for (statement, expected) in [
        (
            r#"UPDATE product SET views = views + 1, extras = '{"a": 1}' WHERE id = 'pc'"#,
            &[][..],
        ),
        (
            "UPDATE product SET views = views + 1, stock_quantity = 1 WHERE id = 'pc'",
            &["product:pc"],
        ),
        ("UPDATE state SET extras = '1' WHERE code = 'ZZA'", &[]),
    ] {
        assert_eq!(written(&store, statement).await, expected, "{statement}");
    }
}

/// Whoever writes chooses what names mean to him; to the triggers, which have more rights, they mean
/// what they always do.
#[tokio::test]
async fn operators_of_others_are_not_taken() {
    let store = Served::new().await;
    store.server.psql(ROWS).await.unwrap();
    let traps = "CREATE SCHEMA trap;
        CREATE FUNCTION trap.same(record, record) RETURNS boolean LANGUAGE plpgsql
          AS 'BEGIN RAISE EXCEPTION ''trapped''; END';
        CREATE FUNCTION trap.same(text, text) RETURNS boolean LANGUAGE plpgsql
          AS 'BEGIN RAISE EXCEPTION ''trapped''; END';
        CREATE FUNCTION trap.\"left\"(text, integer) RETURNS text LANGUAGE plpgsql
          AS 'BEGIN RAISE EXCEPTION ''trapped''; END';
        CREATE OPERATOR trap.*= (LEFTARG = record, RIGHTARG = record, FUNCTION = trap.same);
        CREATE OPERATOR trap.*<> (LEFTARG = record, RIGHTARG = record, FUNCTION = trap.same);
        CREATE OPERATOR trap.= (LEFTARG = text, RIGHTARG = text, FUNCTION = trap.same);";
    store.server.psql(traps).await.unwrap();
    let own = "SET LOCAL search_path = trap, public, pg_catalog; UPDATE";
    for (update, expected) in [
        (
            "product SET stock_quantity = 1 WHERE id LIKE 'pc'",
            &["product:pc"][..],
        ),
        (
            "category SET name = 'x' WHERE active",
            &[
                "categories.tree",
                "category:ca",
                "category:cb",
                "category:cc",
            ],
        ),
    ] {
        let sql = format!("{own} {update}; SET LOCAL search_path = public");
        let deps = written(&store, &sql).await;
        for dep in expected {
            assert!(deps.iter().any(|found| found == dep), "{update}: {deps:?}");
        }
    }
}
