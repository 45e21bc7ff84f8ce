//! A store with tables of its own: statements of the operator in the place of ours.

use std::path::Path;

use tempfile::TempDir;
use tingkat_shop::product::Product;
use tingkat_shop::{Money, ProductPatch};
use tingkat_sql::{
    Coherence, Complaint, Database, InstallErrorKind, Preset, Queries, Verdict, install_changes,
    uninstall_changes,
};

use crate::changes::written;
use crate::poller::Poller;
use crate::stores::{Served, load, open_with, parsed, values};

/// Prices in cents, names in another language, and a view on which nothing can be written.
const STORE: &str = r#"
    CREATE TABLE "Artikel" (nr integer PRIMARY KEY, bezeichnung text NOT NULL, cent integer NOT NULL,
      bestand integer NOT NULL, ean text NOT NULL, notiz text);
    CREATE TABLE bild (artikel integer NOT NULL, datei text NOT NULL);
    INSERT INTO "Artikel" VALUES (7, 'Kanne', 1999, 3, 'EAN-7'), (8, 'Tasse', 250, 0, 'EAN-8');
    INSERT INTO bild VALUES (7, '/kanne.png'), (8, '/a'), (8, '/a'), (8, '/b');
"#;

const LOAD: &str = r#"-- Articles by number.
SELECT
  nr::text AS id, ean AS sku, lower(bezeichnung) AS slug, bezeichnung AS name, '' AS description,
  'active' AS status, 'MYR' AS currency, cent::bigint AS regular_price, cent::bigint AS member_price,
  NULL::bigint AS promotional_price, NULL::bigint AS promotion_starts_at,
  NULL::bigint AS promotion_ends_at, bestand::bigint AS stock_quantity, 2::bigint AS low_stock_at,
  false AS featured, '[]' AS categories, '[]' AS variants,
  (
    SELECT coalesce(json_agg(json_build_object('url', datei, 'alt', '') ORDER BY datei), '[]')::text
    FROM bild WHERE artikel = nr
  ) AS images,
  1::bigint AS version, 0::bigint AS updated_at
FROM "Artikel"
WHERE nr::text = ANY ($1::text[]);
"#;

const FILES: &[(&str, &str)] = &[
    ("product_load.sql", LOAD),
    (
        "product_sku_load.sql",
        r#"SELECT ean AS sku, nr::text AS id FROM "Artikel" WHERE ean = ANY ($1::text[])"#,
    ),
    (
        "product_slug_load.sql",
        r#"SELECT lower(bezeichnung) AS slug, nr::text AS id FROM "Artikel"
           WHERE lower(bezeichnung) = ANY ($1::text[])"#,
    ),
    (
        "product_write_read.sql",
        r#"SELECT 'MYR' AS currency, cent::bigint AS regular_price, cent::bigint AS member_price,
             bestand::bigint AS stock_quantity, 1::bigint AS version, 0::bigint AS updated_at
           FROM "Artikel" WHERE nr::text = $1 FOR UPDATE"#,
    ),
    (
        "product_write.sql",
        r#"UPDATE "Artikel" SET bestand = coalesce($3::bigint, bestand + coalesce($4::bigint, 0)),
             cent = coalesce($5::bigint, cent)
           WHERE nr::text = $1 AND coalesce($2::bigint, 1) = 1 AND $6::bigint IS NULL
             AND 'MYR' = ALL ($7::text[])
           RETURNING 1::bigint AS version, 0::bigint AS updated_at"#,
    ),
    // What there is not.
    (
        "product_list.sql",
        "SELECT page AS key, '[]' AS items, '[]' AS categories, NULL::bigint AS changes_in
         FROM unnest($1::text[]) AS page",
    ),
    (
        "product_list_popular.sql",
        "SELECT page AS key, '[]' AS items, '[]' AS categories, NULL::bigint AS changes_in
         FROM unnest($1::text[]) AS page",
    ),
    (
        "category_list.sql",
        "SELECT '' AS id, NULL AS parent_id, '' AS slug, '' AS name, true AS active WHERE false",
    ),
    (
        "category_count.sql",
        "SELECT id, 0::bigint AS products, '[]' AS categories FROM unnest($1::text[]) AS id",
    ),
    (
        "product_facts.sql",
        "SELECT '' AS name, 0::bigint AS value WHERE '' = ANY ($1::text[])",
    ),
    (
        "product_popular.sql",
        "SELECT '' AS key, 0::bigint AS score, '' AS sku, '' AS slug, '[]' AS variant_skus
         WHERE '' = ANY ($1::text[])",
    ),
    (
        "category_popular.sql",
        "SELECT '' AS key, 0::bigint AS score WHERE '' = ANY ($1::text[])",
    ),
    (
        "postcode_popular.sql",
        "SELECT '' AS key, 0::bigint AS score WHERE '' = ANY ($1::text[])",
    ),
    (
        "state_representatives.sql",
        "SELECT '' AS key, 0::bigint AS score WHERE false",
    ),
    (
        "postcode_load.sql",
        "SELECT '' AS code, '' AS cities, '' AS state_code, '' AS state_name, '' AS zone
         WHERE '' = ANY ($1::text[])",
    ),
    (
        "postcode_list.sql",
        "SELECT '' AS code, '' AS cities, '' AS state_code, '' AS state_name, '' AS zone WHERE false",
    ),
    (
        "state_list.sql",
        "SELECT '' AS code, '' AS name, '' AS zone WHERE false",
    ),
    (
        "changes_Artikel.sql",
        "SELECT 'product:' || nr AS dep, ROW(bezeichnung, cent, bestand, ean) AS seen FROM rows
           UNION ALL SELECT 'product.sku:' || ean, ROW(nr, '', 0, '') FROM rows
           UNION ALL SELECT 'product.slug:' || lower(bezeichnung), ROW(nr, '', 0, '') FROM rows
           ; -- the end",
    ),
    (
        "changes_bild.sql",
        "SELECT 'product:' || artikel AS dep, datei AS seen FROM rows",
    ),
];

fn directory(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

async fn open(url: &str, directory: &Path) -> Database {
    let queries = Queries::read(Preset::Tingkat, directory, &[]).unwrap();
    open_with(url, queries).await
}

/// The store, and the directory with its statements.
async fn store(files: &[(&str, &str)]) -> (Served, TempDir) {
    let empty = Served::empty().await;
    empty.server.psql(STORE).await.unwrap();
    let folder = directory(files);
    let database = open(&empty.server.url(), folder.path()).await;
    (Served { database, ..empty }, folder)
}

/// The files, one of them with another text; none where that is empty.
fn but<'a>(name: &'a str, text: &'a str) -> Vec<(&'a str, &'a str)> {
    let files = FILES.iter().filter(|(known, _)| *known != name).copied();
    files
        .chain((!text.is_empty()).then_some((name, text)))
        .collect()
}

async fn product(database: &Database) -> Product {
    let products = database.sources().products;
    values(&*products, [parsed("7")]).await.remove(0)
}

/// A trigger that does not fit its table would fail every write of the store.
#[tokio::test]
async fn triggers_that_do_not_fit_their_table_are_not_installed() {
    let files = but(
        "changes_Artikel.sql",
        "SELECT 'product:' || nr AS dep, preis AS seen FROM rows",
    );
    let (store, _folder) = store(&files).await;
    let error = install_changes(&store.database).await.unwrap_err();
    assert_eq!(error.kind(), InstallErrorKind::Refused);
    let writes = r#"INSERT INTO "Artikel" VALUES (9, 'Krug', 5, 1, 'EAN-9');
                    UPDATE "Artikel" SET cent = 6 WHERE nr = 9;
                    DELETE FROM "Artikel" WHERE nr = 9; INSERT INTO bild VALUES (7, '/c')"#;
    store.server.psql(writes).await.unwrap();

    // The right one is installed; a wrong one that comes later does not take its place.
    let url = store.server.url();
    let right = directory(FILES);
    install_changes(&open(&url, right.path()).await)
        .await
        .unwrap();
    let error = install_changes(&store.database).await.unwrap_err();
    assert_eq!(error.kind(), InstallErrorKind::Refused);
    store.server.psql(writes).await.unwrap();
    let artikel = r#"UPDATE "Artikel" SET cent = 7 WHERE nr = 7"#;
    assert_eq!(written(&store, artikel).await, ["product:7"]);
}

#[tokio::test]
async fn tables_of_any_name_are_read_written_and_followed() {
    let (store, _folder) = store(FILES).await;
    let database = &store.database;
    for inspection in database.inspect().await.unwrap() {
        assert_eq!(inspection.complaints, [], "{}", inspection.statement);
    }
    database.check().await.unwrap();
    assert_eq!(database.coherence().await.unwrap(), Coherence::Missing);
    let installed = install_changes(database).await.unwrap();
    assert_eq!(installed.changed, ["Artikel", "bild"]);
    assert_eq!(
        install_changes(database).await.unwrap().unchanged,
        installed.changed
    );
    assert_eq!(database.coherence().await.unwrap(), Coherence::Whole);

    let kettle = product(database).await;
    assert_eq!(
        (kettle.name.as_str(), kettle.regular_price),
        ("Kanne", Money::sen(1_999))
    );
    assert_eq!(kettle.images[0].url, "/kanne.png");
    for (statement, expected) in [
        (
            r#"UPDATE "Artikel" SET cent = 5 WHERE nr = 7"#,
            &["product:7"][..],
        ),
        (r#"UPDATE "Artikel" SET notiz = 'x'"#, &[]),
        (
            r#"UPDATE "Artikel" SET ean = 'E' WHERE nr = 7"#,
            &["product.sku:E", "product.sku:EAN-7", "product:7"],
        ),
        ("INSERT INTO bild VALUES (8, '/8')", &["product:8"]),
        ("UPDATE bild SET artikel = 8", &["product:7", "product:8"]),
        // As many rows, and as many different ones.
        (
            "UPDATE bild SET datei = '/b' WHERE ctid = (SELECT min(ctid) FROM bild WHERE datei = '/a')",
            &["product:8"],
        ),
        // Nobody has said what many rows write together.
        ("TRUNCATE bild", &["*"]),
    ] {
        assert_eq!(written(&store, statement).await, expected, "{statement}");
    }

    let mut node = Poller::new(database).await;
    let patch = ProductPatch::set_price(Some(Money::sen(42)), None);
    let saved = database
        .product_writer()
        .write(&parsed("7"), &patch)
        .await
        .unwrap();
    assert_eq!(saved.changes.len(), 1);
    assert_eq!(product(database).await.regular_price, Money::sen(42));
    assert_eq!(node.news().await, ["product:7"]);

    let rehearsals = database.rehearse().await.unwrap();
    let names: Vec<&str> = rehearsals.iter().map(|it| it.name.as_str()).collect();
    let acts = ["INSERT", "DELETE", "TRUNCATE"];
    let expected = ["Artikel", "bild"].map(|table| acts.map(|act| format!("{table} ({act})")));
    assert_eq!(names, expected.concat());
    assert!(
        rehearsals.iter().all(|it| it.verdict == Verdict::Reported),
        "{rehearsals:?}"
    );

    assert_eq!(
        uninstall_changes(database).await.unwrap().changed,
        ["\"Artikel\"", "bild"]
    );
    let traces = "SELECT count(*) FROM pg_namespace WHERE nspname = 'tingkat'";
    assert_eq!(store.server.psql(traces).await.unwrap(), "0");
}

#[tokio::test]
async fn the_sql_that_is_shown_does_the_same() {
    let (store, _folder) = store(FILES).await;
    let sql = store.database.changes_sql().await.unwrap();
    store.server.psql(&sql).await.unwrap();
    assert_eq!(store.database.coherence().await.unwrap(), Coherence::Whole);
    let update = r#"UPDATE "Artikel" SET bestand = 9 WHERE nr = 8"#;
    assert_eq!(written(&store, update).await, ["product:8"]);
}

#[tokio::test]
async fn a_table_that_is_read_and_reports_nothing_is_named() {
    let (store, folder) = store(&but("changes_bild.sql", "")).await;
    let refused = install_changes(&store.database).await.unwrap_err();
    assert_eq!(refused.kind(), InstallErrorKind::Untold);
    assert_eq!(
        refused.to_string(),
        "the statements read bild, and nothing says what their changed rows write: add \
         changes_bild.sql to source.queries"
    );
    // Once somebody says so, it is.
    let file = folder.path().join("changes_bild.sql");
    std::fs::write(
        file,
        "SELECT 'product:' || artikel AS dep, NULL AS seen FROM rows WHERE false",
    )
    .unwrap();
    let database = open(&store.server.url(), folder.path()).await;
    install_changes(&database).await.unwrap();
    let mut node = Poller::new(&database).await;
    // A function that is another one may report what the one before it did not.
    install_changes(&database).await.unwrap();
    assert_eq!(node.news().await, ["*"]);
    // And what he says is not believed.
    let rehearsals = database.rehearse().await.unwrap();
    let silent = rehearsals.iter().filter(|it| it.verdict == Verdict::Silent);
    let silent: Vec<&str> = silent.map(|it| it.name.as_str()).collect();
    assert_eq!(silent, ["bild (INSERT)", "bild (DELETE)"]);
}

/// All that is wrong is found at once, in every file.
#[tokio::test]
async fn what_is_wrong_with_a_statement_is_named_exactly() {
    let wrong = LOAD
        .replace("cent::bigint AS regular_price", "cent AS regular_price")
        .replace("ean AS sku, ", "")
        .replace("false AS featured", "'no' AS featured")
        .replace("1::bigint AS version", "now() AS version");
    let mut files = but("product_load.sql", &wrong);
    files.retain(|(name, _)| {
        ![
            "product_sku_load.sql",
            "state_list.sql",
            "product_slug_load.sql",
        ]
        .contains(name)
    });
    files.push((
        "product_sku_load.sql",
        "SELECT ean AS sku,\n  nr AS id\nFROM \"Artikl\"\nWHERE ean = ANY ($1::text[])",
    ));
    files.push((
        "state_list.sql",
        "SELECT 'SGR' AS code, 'Selangor' AS name, 'south' AS zone",
    ));
    let (store, folder) = store(&files).await;
    let inspections = store.database.inspect().await.unwrap();
    let told: Vec<String> = inspections
        .iter()
        .flat_map(|it| {
            it.complaints
                .iter()
                .map(|complaint| format!("{}: {complaint}", it.file))
        })
        .map(|line| line.replace(&format!("{}/", folder.path().display()), "queries/"))
        .collect();
    let expected = [
        "queries/product_load.sql: column `sku`: expected text, and it is missing",
        "queries/product_load.sql: column `regular_price`: expected bigint, found integer",
        "queries/product_load.sql: column `featured`: expected boolean, found text",
        "queries/product_load.sql: column `version`: expected bigint, found timestamp with time zone",
        "queries/product_sku_load.sql: line 3: relation \"Artikl\" does not exist",
        // The preset's, which was not overridden.
        "product_slug_load.sql: line 9: relation \"product\" does not exist",
        "queries/state_list.sql: column `zone` has the unknown value \"south\"",
    ];
    assert_eq!(told, expected);
    let complaints = &inspections[0].complaints;
    assert!(complaints.contains(&Complaint::WrongType {
        column: "regular_price",
        expected: "bigint".to_owned(),
        found: "integer".to_owned(),
    }));

    // A load that meets the column says the same, and nothing is installed for such statements.
    let sources = store.database.without_change_log().sources();
    let failed = load(&*sources.products, [parsed("7")])
        .await
        .unwrap()
        .remove(0);
    let tingkat::ports::Found::Failed(error) = failed.found else {
        panic!("a row without a sku was read")
    };
    assert!(
        error
            .to_string()
            .starts_with("product_load.sql: column `sku` "),
        "{error}"
    );
    let refused = install_changes(&store.database).await.unwrap_err();
    assert!(
        refused.to_string().contains("product_sku_load.sql: "),
        "{refused}"
    );
}

/// An enum is no text, and a role that may only read finds all of it out.
#[tokio::test]
async fn who_may_only_read_finds_it_out_and_an_enum_is_named() {
    let load = LOAD.replace("'active' AS status", "'active'::zustand AS status");
    let (store, folder) = store(&but("product_load.sql", &load)).await;
    let sql = r#"CREATE TYPE zustand AS ENUM ('active');
        CREATE ROLE inspector_of_statements LOGIN; GRANT SELECT ON "Artikel", bild TO inspector_of_statements"#;
    store.server.psql(sql).await.unwrap();
    let mut url: String = store.server.url();
    let at = url.find('@').unwrap();
    url.replace_range("postgres://".len()..at, "inspector_of_statements");
    let database = open(&url, folder.path()).await;
    let wrong: Vec<String> = database
        .inspect()
        .await
        .unwrap()
        .iter()
        .flat_map(|it| it.complaints.iter().map(ToString::to_string))
        .collect();
    store
        .server
        .psql("DROP OWNED BY inspector_of_statements; DROP ROLE inspector_of_statements")
        .await
        .unwrap();
    assert_eq!(wrong, ["column `status`: expected text, found zustand"]);
}

#[tokio::test]
async fn a_statement_that_can_not_be_planned_is_named_and_hides_no_other() {
    let (store, _folder) = store(FILES).await;
    install_changes(&store.database).await.unwrap();
    store
        .server
        .psql("ALTER TABLE bild RENAME datei TO foto")
        .await
        .unwrap();
    let disable = r#"ALTER TABLE "Artikel" DISABLE TRIGGER ALL"#;
    store.server.psql(disable).await.unwrap();
    let report = store.database.check_triggers().await.unwrap();
    assert_eq!(report.missing, ["\"Artikel\""]);
    let told = report.unplanned.join("\n");
    assert!(told.contains("product_load.sql: "), "{told}");
    assert!(told.contains("column \"datei\" does not exist"), "{told}");
    let Coherence::Incomplete(problems) = store.database.coherence().await.unwrap() else {
        panic!("it is whole");
    };
    let told = problems.join("\n");
    assert!(
        told.contains("Artikel") && told.contains("product_load.sql: "),
        "{told}"
    );
    // What is not known can not be installed either.
    let error = install_changes(&store.database).await.unwrap_err();
    assert_eq!(error.kind(), InstallErrorKind::Refused);
    assert!(error.to_string().contains("product_load.sql: "), "{error}");
}

/// What docs/your-own-tables.md shows, from the files that it shows.
#[tokio::test]
async fn the_example_of_the_documentation_works() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/examples/own-tables");
    let sql = std::fs::read_to_string(example.join("store.sql")).unwrap();
    let empty = Served::empty().await;
    empty.server.psql(&sql).await.unwrap();
    let database = open(&empty.server.url(), &example.join("queries")).await;
    for inspection in database.inspect().await.unwrap() {
        assert_eq!(inspection.complaints, [], "{}", inspection.statement);
    }
    let installed = install_changes(&database).await.unwrap();
    assert_eq!(installed.changed, ["item", "item_photo"]);
    let store = Served { database, ..empty };
    for rehearsal in store.database.rehearse().await.unwrap() {
        assert_eq!(rehearsal.verdict, Verdict::Reported, "{}", rehearsal.name);
    }
    let sources = store.database.sources();
    let keys = ["1", "01", "none", "99999999999999999999"].map(parsed);
    let found = load(&*sources.products, keys).await.unwrap();
    let is_there = found
        .iter()
        .map(|it| matches!(it.found, tingkat::ports::Found::Value(_)));
    assert!(is_there.eq([true, false, false, false]));
    let tea = values(&*sources.products, [parsed("1")]).await.remove(0);
    assert_eq!(
        (tea.regular_price, tea.images.len()),
        (Money::sen(1_999), 1)
    );
    assert_eq!(
        values(&*sources.skus, [parsed("TEH-01")]).await[0].0,
        tea.id
    );
    assert_eq!(
        values(&*sources.slugs, [parsed("teh-01")]).await[0].0,
        tea.id
    );
    let writer = store.database.product_writer();
    let patch = ProductPatch::set_price(Some(Money::sen(2_001)), None).if_version(tea.version);
    let saved = writer.write(&tea.id, &patch).await.unwrap();
    let now = values(&*sources.products, [parsed("1")]).await.remove(0);
    assert_eq!(
        (now.regular_price, now.version),
        (Money::sen(2_001), saved.version)
    );
    assert!(writer.write(&tea.id, &patch).await.is_err());
    for (statement, expected) in [
        (
            "UPDATE item SET on_hand = 1 WHERE item_id = 2",
            &["product:2"][..],
        ),
        (
            "UPDATE item SET price = 2 WHERE item_id = 2",
            &["product:2", "products.list"],
        ),
        (
            "UPDATE item SET code = 'X' WHERE item_id = 2",
            &[
                "product.sku:CEREK",
                "product.sku:X",
                "product.slug:cerek",
                "product.slug:x",
                "product:2",
            ],
        ),
        ("DELETE FROM item_photo", &["product:1"]),
    ] {
        assert_eq!(written(&store, statement).await, expected, "{statement}");
    }
}

#[tokio::test]
async fn tables_of_one_name_in_two_schemas_both_report() {
    let files = but(
        "product_sku_load.sql",
        r#"SELECT ean AS sku, nr::text AS id FROM "Artikel"
           WHERE ean = ANY ($1::text[]) AND nr NOT IN (SELECT artikel FROM lager.bild)"#,
    );
    let (store, _folder) = store(&files).await;
    let other = "CREATE SCHEMA lager; CREATE TABLE lager.bild (LIKE bild INCLUDING ALL)";
    store.server.psql(other).await.unwrap();
    let installed = install_changes(&store.database).await.unwrap();
    assert_eq!(installed.changed, ["Artikel", "bild", "bild"]);
    assert_eq!(store.database.coherence().await.unwrap(), Coherence::Whole);
    for table in ["bild", "lager.bild"] {
        let insert = format!("INSERT INTO {table} VALUES (8, '/c')");
        assert_eq!(written(&store, &insert).await, ["product:8"], "{table}");
    }
    let report = store.database.check_triggers().await.unwrap();
    assert_eq!(report.watched, ["\"Artikel\"", "bild", "lager.bild"]);
    uninstall_changes(&store.database).await.unwrap();
}
