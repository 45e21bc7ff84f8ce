//! Whatever a statement does: what is loaded differently afterwards would have been refused.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use proptest::prelude::*;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Executor as _};
use tingkat::certificate::Dep;
use tingkat::entity::Entity;
use tingkat::key::Key as _;
use tingkat::ports::{Found, Source};
use tingkat_shop::All;
use tingkat_sql::{Database, Url};

use crate::follower::Follower;
use crate::sqlite_migration::old_file;
use crate::stores::{config, load, parsed};

/// An entry: what it shows, and the deps by which it is refused.
type Entries = BTreeMap<String, (String, BTreeSet<String>)>;

async fn entries<E: Entity + Debug>(
    source: &dyn Source<E::Key, E>,
    keys: Vec<E::Key>,
    entries: &mut Entries,
) {
    let names: Vec<String> = keys
        .iter()
        .map(|key| Dep::of_key(E::NAME, &key.text()).to_string())
        .collect();
    for (name, loaded) in names.into_iter().zip(load(source, keys).await.unwrap()) {
        let mut deps = loaded.deps;
        let shows = match loaded.found {
            Found::Value(value) => {
                deps.extend(value.deps());
                format!("{value:?}")
            }
            Found::Absent => String::new(),
            Found::NotModified | Found::Uncached(_) | Found::Failed(_) => panic!("{name}"),
        };
        let mut deps: BTreeSet<String> = deps.iter().map(ToString::to_string).collect();
        deps.insert(name.clone());
        entries.insert(name, (shows, deps));
    }
}

async fn all(database: &Database) -> Entries {
    let sources = database.sources();
    let mut found = Entries::new();
    let names = |names: [&str; 3]| names.map(ToOwned::to_owned);
    let ids = names(["a", "b", "c"]);
    entries(
        &*sources.products,
        ids.iter().map(|id| parsed(id)).collect(),
        &mut found,
    )
    .await;
    entries(
        &*sources.slugs,
        ids.iter().map(|id| parsed(id)).collect(),
        &mut found,
    )
    .await;
    let skus = names(["A", "B", "C"]);
    entries(
        &*sources.skus,
        skus.iter().map(|sku| parsed(sku)).collect(),
        &mut found,
    )
    .await;
    let codes = names(["50000", "50001", "50002"]);
    entries(
        &*sources.postcodes,
        codes.iter().map(|code| parsed(code)).collect(),
        &mut found,
    )
    .await;
    entries(&*sources.states, vec![All], &mut found).await;
    found
}

/// Most of what there can be, so that most statements find something.
const ROWS: &str = "
    INSERT INTO state (code, name, zone) VALUES
      ('ZZA', 'A', 'west'), ('ZZB', 'B', 'west'), ('ZZC', 'C', 'west');
    INSERT INTO postcode (code, position, city, state_code) VALUES
      ('50000', 0, 'a', 'ZZA'), ('50000', 1, 'b', 'ZZA'), ('50001', 0, 'c', 'ZZB');
    INSERT INTO category (id, slug, name) VALUES ('a', 'a', 'A'), ('b', 'b', 'B');
    INSERT INTO product (id, sku, slug, name, regular_price, member_price) VALUES
      ('a', 'A', 'a', 'A', 9, 9), ('b', 'B', 'b', 'B', 9, 9), ('c', 'C', 'c', 'C', 9, 9);
    INSERT INTO product_category (product_id, category_id) VALUES
      ('a', 'a'), ('b', 'a'), ('b', 'b');
    INSERT INTO product_image (product_id, position, url) VALUES ('a', 0, '/a'), ('b', 1, '/b');
    INSERT INTO product_variant (sku, product_id, name, value, regular_price, member_price) VALUES
      ('a', 'a', 'size', 'S', 9, 9), ('b', 'b', 'size', 'S', 9, 9);
";

/// `{i}`, `{j}`, `{k}` stand for one of three names each, `{n}` for a digit.
const STATEMENTS: &[&str] = &[
    "REPLACE INTO product (id, sku, slug, name, regular_price, member_price) VALUES ('{i}', upper('{j}'), '{k}', 'N{n}', 9, {n})",
    "INSERT OR IGNORE INTO product (id, sku, slug, name, regular_price, member_price) VALUES ('{i}', upper('{j}'), '{k}', 'N', 9, 9)",
    "INSERT INTO product (id, sku, slug, name, regular_price, member_price) VALUES ('{i}', upper('{j}'), '{k}', 'N', 9, 9) ON CONFLICT (id) DO UPDATE SET sku = excluded.sku, stock_quantity = {n}",
    "UPDATE OR REPLACE product SET id = '{j}' WHERE id = '{i}'",
    "UPDATE OR REPLACE product SET sku = upper('{j}') WHERE id = '{i}'",
    "UPDATE OR REPLACE product SET slug = '{j}', sku = upper('{k}') WHERE id = '{i}'",
    "UPDATE OR IGNORE product SET slug = '{j}'",
    "UPDATE product SET stock_quantity = {n}, featured = {n} % 2",
    "UPDATE product SET promotional_price = nullif({n}, 0), promotion_ends_at = nullif({n}, 1) WHERE id = '{i}'",
    "DELETE FROM product WHERE id = '{i}'",
    "REPLACE INTO category (id, slug, name, active) VALUES ('{i}', '{j}', 'N{n}', {n} % 2)",
    "UPDATE OR REPLACE category SET id = '{j}' WHERE id = '{i}'",
    "UPDATE OR REPLACE category SET slug = '{j}', active = {n} % 2 WHERE id = '{i}'",
    "DELETE FROM category WHERE id = '{i}'",
    "REPLACE INTO product_category (product_id, category_id) VALUES ('{i}', '{j}')",
    "UPDATE OR REPLACE product_category SET product_id = '{j}' WHERE product_id = '{i}'",
    "UPDATE OR REPLACE product_category SET category_id = '{j}' WHERE product_id = '{i}'",
    "DELETE FROM product_category WHERE category_id = '{i}'",
    "REPLACE INTO product_image (product_id, position, url) VALUES ('{i}', {n} % 3, '/{n}')",
    "UPDATE OR REPLACE product_image SET product_id = '{j}', position = {n} % 3 WHERE product_id = '{i}'",
    "DELETE FROM product_image WHERE position = {n} % 3",
    "REPLACE INTO product_variant (sku, product_id, name, value, regular_price, member_price) VALUES ('{i}', '{j}', 'size', '{n}', 9, 9)",
    "UPDATE OR REPLACE product_variant SET sku = '{j}' WHERE product_id = '{i}'",
    "UPDATE OR REPLACE product_variant SET product_id = '{j}' WHERE sku = '{i}'",
    "DELETE FROM product_variant WHERE sku = '{i}'",
];

/// As above, with foreign keys: a postcode without a state is cached as absent, and by its own name.
const PLACES: &[&str] = &[
    "REPLACE INTO postcode (code, position, city, state_code) VALUES ('5000' || ({n} % 3), {n} % 2, '{i}', 'ZZ' || upper('{j}'))",
    "UPDATE OR REPLACE postcode SET code = '5000' || ({n} % 3) WHERE city = '{i}'",
    "UPDATE postcode SET state_code = 'ZZ' || upper('{j}') WHERE city = '{i}'",
    "DELETE FROM postcode WHERE city = '{i}'",
    "INSERT INTO state (code, name, zone) VALUES ('ZZ' || upper('{i}'), 'N', 'west') ON CONFLICT DO UPDATE SET name = 'N{n}'",
    "REPLACE INTO state (code, name, zone) VALUES ('ZZ' || upper('{i}'), 'N{n}', 'east')",
    "UPDATE OR REPLACE state SET code = 'ZZ' || upper('{j}') WHERE code = 'ZZ' || upper('{i}')",
    "DELETE FROM state WHERE code = 'ZZ' || upper('{i}')",
];

type Step = (usize, [u8; 3], u8);

fn sql(statements: &[&str], (which, names, number): Step) -> String {
    let names = names.map(|name| ["a", "b", "c"][usize::from(name)]);
    statements[which % statements.len()]
        .replace("{i}", names[0])
        .replace("{j}", names[1])
        .replace("{k}", names[2])
        .replace("{n}", &number.to_string())
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (
        any::<prop::sample::Index>(),
        [0..3_u8, 0..3, 0..3],
        0..10_u8,
    );
    let step = step.prop_map(|(which, names, number)| (which.index(1_000), names, number));
    prop::collection::vec(step, 1..50)
}

async fn run(
    statements: &[&str],
    steps: Vec<Step>,
    options: impl Fn(SqliteConnectOptions) -> SqliteConnectOptions,
) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    old_file(&path).await;
    let database = Database::open(&Url::sqlite(&path), &config())
        .await
        .unwrap();
    let mut rows = SqliteConnectOptions::new()
        .filename(&path)
        .connect()
        .await
        .unwrap();
    rows.execute(ROWS).await.unwrap();
    let mut follower = Follower::of(&database).await;
    let mut connection = options(SqliteConnectOptions::new().filename(&path))
        .connect()
        .await
        .unwrap();
    let mut before = all(&database).await;
    for step in steps {
        let sql = sql(statements, step);
        // Many break a constraint: those must change nothing.
        let _ = connection.execute(sqlx::AssertSqlSafe(sql.clone())).await;
        let written: BTreeSet<String> = follower.deps().await.into_iter().collect();
        let after = all(&database).await;
        for (name, (shows, deps)) in &before {
            let is_same = after[name].0 == *shows;
            assert!(
                is_same || !deps.is_disjoint(&written),
                "{sql}: {name} was {shows:?}, {written:?}"
            );
        }
        before = after;
    }
    database.close().await;
}

fn block_on(future: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(future);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_product_changes_in_silence(steps in steps(), has_keys: bool, is_recursive: bool) {
        block_on(run(STATEMENTS, steps, |options| {
            let recursive = if is_recursive { "ON" } else { "OFF" };
            options.foreign_keys(has_keys).pragma("recursive_triggers", recursive)
        }));
    }

    #[test]
    fn no_place_changes_in_silence(steps in steps(), is_recursive: bool) {
        block_on(run(PLACES, steps, |options| {
            let recursive = if is_recursive { "ON" } else { "OFF" };
            options.pragma("recursive_triggers", recursive)
        }));
    }
}
