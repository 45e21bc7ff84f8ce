//! Making changes and undoing them, to see whether triggers write what they must.

use tingkat_sql::Verdict;

use crate::poller::Poller;
use crate::stores::Served;

/// The names of rehearsals that did not pass, with what came of them.
async fn failed(store: &Served) -> Vec<(String, Verdict)> {
    let rehearsals = store.database.rehearse().await.unwrap();
    assert_eq!(rehearsals.len(), 38);
    let failed = rehearsals
        .into_iter()
        .filter(|rehearsal| rehearsal.verdict != Verdict::Passed);
    failed
        .map(|rehearsal| (rehearsal.name, rehearsal.verdict))
        .collect()
}

async fn failed_names(store: &Served) -> Vec<String> {
    let failed = failed(store).await;
    failed.into_iter().map(|(name, _)| name).collect()
}

#[tokio::test]
async fn a_rehearsal_shows_that_triggers_and_engine_agree_and_leaves_nothing() {
    let store = Served::new().await;
    let mut node = Poller::new(&store.database).await;
    let sums = "SELECT sum(hashtext(t::text)) FROM product t";
    let before = store.server.psql(sums).await.unwrap();
    assert_eq!(failed(&store).await, []);
    assert_eq!(store.server.psql(sums).await.unwrap(), before);
    assert_eq!(node.news().await, [""; 0]);

    // A trigger that reports something else.
    let sql = "CREATE OR REPLACE FUNCTION tingkat.category_changed() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN PERFORM tingkat.forget(ARRAY[''other'']); RETURN NULL; END'";
    store.server.psql(sql).await.unwrap();
    let failed = failed(&store).await;
    assert_eq!(failed.len(), 5, "{failed:?}");
    for (name, verdict) in failed {
        assert!(name.starts_with("category"), "{name}");
        assert!(
            matches!(&verdict, Verdict::Differs { written, .. } if written == &["other"]),
            "{verdict:?}"
        );
    }
}

/// One that writes a part of what it must refuses a part of what shows the change.
#[tokio::test]
async fn a_trigger_that_writes_a_part_is_found_for_each_kind_of_change() {
    let half = |all: &str| {
        format!(
            "CREATE OR REPLACE FUNCTION tingkat.half() RETURNS trigger
               LANGUAGE plpgsql SECURITY DEFINER AS $$
             BEGIN PERFORM tingkat.forget(ARRAY(SELECT {all})); RETURN NULL; END $$;"
        )
    };
    let (new, old) = ("NEW TABLE AS new_rows", "OLD TABLE AS old_rows");
    let both = format!("{old} {new}");
    for (event, tables, written, expected) in [
        (
            "INSERT",
            format!("REFERENCING {new}"),
            "'product:' || id FROM new_rows",
            &["product (INSERT)"][..],
        ),
        (
            "UPDATE",
            format!("REFERENCING {both}"),
            "'product:' || id FROM new_rows",
            &["product.sku", "product.slug", "product (UPDATE)"],
        ),
        (
            "DELETE",
            format!("REFERENCING {old}"),
            "'product:' || id FROM old_rows",
            &["product (DELETE)"],
        ),
        (
            "TRUNCATE",
            String::new(),
            "'product.*'::text",
            &["product (TRUNCATE)"],
        ),
    ] {
        let store = Served::new().await;
        let name = format!("tingkat_{}", event.to_lowercase());
        let sql = format!(
            "{} CREATE OR REPLACE TRIGGER {name} AFTER {event} ON product {tables}
               FOR EACH STATEMENT EXECUTE FUNCTION tingkat.half();",
            half(written)
        );
        store.server.psql(&sql).await.unwrap();
        assert_eq!(failed_names(&store).await, expected, "{event}");

        // And one that is not there.
        let drop = format!("DROP TRIGGER {name} ON product");
        store.server.psql(&drop).await.unwrap();
        let copy = format!("product ({event})");
        let failed = failed(&store).await;
        let missing = failed.iter().find(|(name, _)| *name == copy);
        assert!(
            matches!(missing, Some((_, Verdict::Differs { written, .. })) if written.is_empty()),
            "{failed:?}"
        );
    }
}

/// More than must be refused costs hits.
#[tokio::test]
async fn a_trigger_that_writes_too_much_is_found() {
    let store = Served::new().await;
    let sql = "CREATE FUNCTION tingkat.more() RETURNS trigger
          LANGUAGE plpgsql SECURITY DEFINER AS
          'BEGIN PERFORM tingkat.forget(ARRAY[''products.list'']); RETURN NULL; END';
        CREATE TRIGGER more AFTER UPDATE ON product
          FOR EACH STATEMENT EXECUTE FUNCTION tingkat.more();";
    store.server.psql(sql).await.unwrap();
    // With another id it is another row, and every listing may change.
    let expected = ["product", "product.sku", "product.slug"];
    assert_eq!(failed_names(&store).await, expected);
}

#[tokio::test]
async fn a_table_without_rows_is_left_out() {
    let store = Served::new().await;
    let sql = "DELETE FROM product_variant";
    store.server.psql(sql).await.unwrap();
    for (name, verdict) in failed(&store).await {
        assert!(name.starts_with("product_variant"), "{name}");
        assert!(matches!(verdict, Verdict::Skipped(_)), "{verdict:?}");
    }
}
